/** `GET /cloudtask/v2/_ping`: this process and its configuration, without secrets. */
import { arch, hostname, networkInterfaces, platform } from 'node:os';
import { resolve } from 'node:path';
import about from '../../../package.json' with { type: 'json' };
import type { Config, Listener } from '../../config/types.ts';
import { withoutSecrets } from '../../config/values.ts';
import { type Route, serving } from '../../http/route.ts';
import { programDigest } from '../../lib/program-digest.ts';
import { LIMITS } from '../../runtime/limits.ts';
import type { CredentialStore } from '../../store/port.ts';
import { fileIn } from '../../store/sqlite/database-file.ts';
import type { RouteContext } from '../route-context.ts';
import { pingEndpoints } from './endpoints.ts';
import { goDuration, goOs, goPlatform } from './go-words.ts';
import type { Ping } from './ping-answer.ts';

const on = serving(pingEndpoints);

export function pingRoutes({ config, store, clock, ids, inTurn, listeners = () => config.listen }: RouteContext): Route[] {
  const startedAt = clock.now();
  let digest: Promise<string> | undefined;
  const app = () => {
    digest ??= programDigest().catch(error => {
      digest = undefined;
      throw error;
    });
    return digest;
  };
  return [
    on('GET /cloudtask/v2/_ping', async () => ({
      app: await app(),
      key: await inTurn('cloudtask key', () => centerKey(store, () => ids.uuid())),
      node: nodeOf(listeners(), startedAt),
      systemconfig: systemConfigOf(config, listeners()),
    })),
  ];
}

const KIND = 'cloudtaskKey';
const ID = 'uuid';

/** Draws the key at the first call. It stays in the store, and so in every copy of it. */
async function centerKey(store: Pick<CredentialStore, 'credential' | 'putCredential'>, draw: () => string): Promise<string> {
  const stored = await store.credential(KIND, ID);
  if (typeof stored?.data.key === 'string') return stored.data.key;
  const key = draw();
  await store.putCredential({ kind: KIND, id: ID, data: { key }, expiresAt: null, uses: null });
  return key;
}

function nodeOf(listeners: readonly Listener[], startedAt: number): Ping['node'] {
  const { host, port } = listeners[0] ?? { host: '', port: 0 };
  const ipaddr = ANY.includes(host) ? ownAddress() : host;
  return {
    type: 1,
    hostname: hostname(),
    datacenter: '',
    location: '',
    os: goOs(platform()),
    platform: goPlatform(arch()),
    ipaddr,
    apiaddr: `http://${written({ host: ipaddr, port })}`,
    pid: process.pid,
    singin: false,
    timestamp: 0,
    alivestamp: Math.floor(startedAt / 1_000),
    attach: null,
  };
}

/** Listeners at every address of the machine. */
const ANY = ['0.0.0.0', '::'];

/** The first address of this machine that others may reach. */
function ownAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap(each => each ?? []);
  const others = addresses.filter(({ internal }) => !internal);
  return (others.find(({ family }) => family === 'IPv4') ?? others[0] ?? addresses[0])?.address ?? '127.0.0.1';
}

const written = ({ host, port }: Listener): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

function systemConfigOf(config: Config, listeners: readonly Listener[]): Ping['systemconfig'] {
  const hosts = listeners.map(written);
  return {
    version: `v.${about.version}`,
    pidfile: '',
    retrystartup: true,
    useserverconfig: false,
    cluster: {
      hosts: hosts.join(','),
      root: '',
      device: '',
      runtime: '',
      os: '',
      platform: '',
      pulse: goDuration(config.heartbeatMs),
      timeout: goDuration(config.hostGraceMs),
      threshold: 1,
    },
    api: { hosts, enablecors: config.cors.length > 0 },
    scheduler: { allocmode: 'hash', allocrecovery: goDuration(config.allocRecoveryMs) },
    cache: { lrusize: LIMITS.loadedActors, storagedriver: storageOf(config) },
    notifications: { EndPoints: endPointsOf(config) },
    logger: { logfile: '', loglevel: config.log.level, logsize: 0 },
  };
}

function storageOf({ store, dataDir }: Config): Ping['systemconfig']['cache']['storagedriver'] {
  if (store.kind === 'sqlite') return { sqlite: { path: fileIn(resolve(dataDir)) } };
  const [, hosts = '', database = '', options = ''] = MONGO.exec(withoutSecrets(store.url)) ?? [];
  return { mongo: { database, hosts, options: options.split('&').filter(option => option !== '') } };
}

/** Hosts, database and options of an address that the configuration has checked. */
const MONGO = /^[a-z+]+:\/\/(?:.*@)?([^/?@]*)\/([^?]*)\??(.*)$/s;

function endPointsOf({ smtp, smtpFrom }: Config): Ping['systemconfig']['notifications']['EndPoints'] {
  if (smtp === null) return [];
  const { host, port, user, password } = smtp;
  return [
    {
      Name: 'smtp',
      URL: '',
      Enabled: true,
      Sender: smtpFrom ?? '',
      Host: host,
      Port: port,
      User: user ?? '',
      Password: password === null ? '' : '******',
    },
  ];
}
