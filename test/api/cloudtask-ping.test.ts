/** `_ping` of the Cloudtask dialect: keys and types of the original, and no secret. */
import { describe, expect, test } from 'bun:test';
import { resolve } from 'node:path';
import about from '../../package.json' with { type: 'json' };
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { anApi } from './support.ts';

const PATH = '/cloudtask/v2/_ping';

/** Keys in their order, with the types of their values; of lists those of the first item. */
function outline(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(outline);
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  return Object.entries(value).map(([key, inner]) => [key, outline(inner)]);
}

/** The example of the original's manual. */
const ORIGINAL = {
  app: '296721666eddf741016105ebe1bc3fb4',
  key: '3a95a871-9dc4-4955-b213-5a040e324309',
  node: {
    type: 1,
    hostname: 'host.localdomain',
    datacenter: '',
    location: '',
    os: 'linux',
    platform: 'amd64',
    ipaddr: '192.168.2.80',
    apiaddr: 'http://192.168.2.80:8985',
    pid: 1,
    singin: false,
    timestamp: 0,
    alivestamp: 1521268194,
    attach: null,
  },
  systemconfig: {
    version: 'v.2.0.0',
    pidfile: './jobserver.pid',
    retrystartup: true,
    useserverconfig: true,
    cluster: {
      hosts: '192.168.2.80:2181,192.168.2.81:2181,192.168.2.82:2181',
      root: '/cloudtask',
      device: '',
      runtime: '',
      os: '',
      platform: '',
      pulse: '30s',
      timeout: '60s',
      threshold: 1,
    },
    api: { hosts: [':8985'], enablecors: true },
    scheduler: { allocmode: 'hash', allocrecovery: '320s' },
    cache: {
      lrusize: 1024,
      storagedriver: {
        mongo: {
          database: 'cloudtask',
          hosts: '192.168.2.80:27017,192.168.2.81:27017,192.168.2.82:27017',
          options: ['maxPoolSize=20', 'replicaSet=mgoCluster'],
        },
      },
    },
    notifications: {
      EndPoints: [
        {
          Name: 'smtp',
          URL: '',
          Enabled: true,
          Sender: 'cloudtask@example.com',
          Host: 'smtp.example.com',
          Port: 25,
          User: '',
          Password: '',
        },
      ],
    },
    logger: { logfile: './logs/jobserver.log', loglevel: 'info', logsize: 20971520 },
  },
};

const full = {
  TROUPE_STORE: 'mongodb://troupe:topsecret@m1:27017,m2:27018/jobs?replicaSet=rs0&tlsCertificateKeyFilePassword=topsecret&maxPoolSize=20',
  TROUPE_SMTP: 'smtps://mailer:topsecret@smtp.example.com',
  TROUPE_SMTP_FROM: 'troupe@example.com',
  TROUPE_CORS: 'https://console.example',
  TROUPE_LISTEN: '127.0.0.1:8899,[::1]:8985',
};

describe('_ping', () => {
  test('_ping has the keys, the types and the order of the original, without an envelope', async () => {
    const api = await anApi({ env: full });
    const { status, headers, body } = await api.get(PATH);
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    expect(outline(body)).toEqual(outline(ORIGINAL));
  });

  test('_ping says what is true of this center, and masks what is secret', async () => {
    const api = await anApi({ env: full });
    const { body, text } = await api.get(PATH);
    expect(text).not.toContain('topsecret');
    expect(body.node).toMatchObject({ ipaddr: '127.0.0.1', apiaddr: 'http://127.0.0.1:8899', pid: process.pid });
    expect(body.node.alivestamp).toBe(Math.floor(api.clock.now() / 1_000));
    expect(body.systemconfig).toEqual({
      version: `v.${about.version}`,
      pidfile: '',
      retrystartup: true,
      useserverconfig: false,
      cluster: {
        hosts: '127.0.0.1:8899,[::1]:8985',
        root: '',
        device: '',
        runtime: '',
        os: '',
        platform: '',
        pulse: '5s',
        timeout: '60s',
        threshold: 1,
      },
      api: { hosts: ['127.0.0.1:8899', '[::1]:8985'], enablecors: true },
      scheduler: { allocmode: 'hash', allocrecovery: '320s' },
      cache: {
        lrusize: 10_000,
        storagedriver: {
          mongo: {
            database: 'jobs',
            hosts: 'm1:27017,m2:27018',
            options: ['replicaSet=rs0', 'tlsCertificateKeyFilePassword=***', 'maxPoolSize=20'],
          },
        },
      },
      notifications: {
        EndPoints: [
          {
            Name: 'smtp',
            URL: '',
            Enabled: true,
            Sender: 'troupe@example.com',
            Host: 'smtp.example.com',
            Port: 465,
            User: 'mailer',
            Password: '******',
          },
        ],
      },
      logger: { logfile: '', loglevel: 'info', logsize: 0 },
    });
  });

  test('_ping of a center on SQLite without mail names the file and no endpoint', async () => {
    const api = await anApi({ env: { TROUPE_DATA: '/var/lib/x', TROUPE_HEARTBEAT_MS: '1500', TROUPE_ALLOC_RECOVERY_MS: '0' } });
    const { systemconfig } = (await api.get(PATH)).body;
    expect(systemconfig.cache.storagedriver).toEqual({ sqlite: { path: resolve('/var/lib/x/troupe.sqlite') } });
    expect(systemconfig.notifications).toEqual({ EndPoints: [] });
    expect([systemconfig.cluster.pulse, systemconfig.scheduler.allocrecovery, systemconfig.api.enablecors]).toEqual([
      '1500ms',
      '0s',
      false,
    ]);
  });

  test('_ping names the listeners that were bound, and an address of the machine for one at every address', async () => {
    const api = await anApi({ change: { listeners: () => [{ host: '0.0.0.0', port: 4711 }] } });
    const { node, systemconfig } = (await api.get(PATH)).body;
    expect(systemconfig.api.hosts).toEqual(['0.0.0.0:4711']);
    expect(node.ipaddr).not.toBe('0.0.0.0');
    expect(node.apiaddr).toMatch(/^http:\/\/.+:4711$/);
  });

  test('_ping keeps its key with the data, over restarts and calls that come at once, and its app with the build', async () => {
    const store = createMemoryStore();
    const api = await anApi({ store });
    const [first, second] = await Promise.all([api.get(PATH), api.get(PATH)]);
    const again = await anApi({ store, clock: api.clock });
    const third = await again.get(PATH);
    const other = await (await anApi()).get(PATH);
    expect(first.body.app).toMatch(/^[0-9a-f]{32}$/);
    expect([second, third].map(({ body }) => [body.app, body.key])).toEqual(Array(2).fill([first.body.app, first.body.key]));
    expect(other.body.app).toBe(first.body.app);
    expect(await store.credentials('cloudtaskKey')).toHaveLength(1);
  });

  test('_ping needs a token while authentication is on', async () => {
    const api = await anApi({ env: { TROUPE_AUTH: 'on' } });
    const { status, body } = await api.get(PATH);
    expect([status, body.content]).toEqual([401, 'request unauthorized.']);
  });
});
