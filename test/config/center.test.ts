/** The configuration of a center from its environment. */
import { describe, expect, test } from 'bun:test';
import { ConfigError, readConfig } from '../../src/config/center.ts';
import type { Config } from '../../src/config/types.ts';
import { greeting } from '../../src/main.ts';

const DAY_MS = 86_400_000;
const machine = { cores: 4, timeZone: 'Europe/Berlin' };
const read = (env: Record<string, string | undefined> = {}, ...argv: string[]): Config => readConfig({ env, argv, machine });

function problems(env: Record<string, string>, ...argv: string[]): string[] {
  try {
    read(env, ...argv);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const { variable } of error.problems) expect(error.message).toContain(variable);
    return error.problems.map(({ variable, value, expected }) => `${variable}=${value ?? ''}: ${expected}`);
  }
  return [];
}

describe('the configuration', () => {
  test('the configuration of an empty environment is the defaults', () => {
    expect(read({ HOME: '/root', TROUPE_DATA: '', TROUPE_ROOT_PASSWORD: undefined })).toEqual({
      listen: [
        { host: '127.0.0.1', port: 8899 },
        { host: '127.0.0.1', port: 8985 },
      ],
      dataDir: './data',
      store: { kind: 'sqlite' },
      standby: false,
      rootPassword: null,
      auth: 'on',
      workers: 3,
      pool: 'default',
      timeZone: 'Europe/Berlin',
      log: { level: 'info', format: 'pretty' },
      heartbeatMs: 5_000,
      hostGraceMs: 60_000,
      closedGraceMs: 3_000,
      allocRecoveryMs: 320_000,
      proxies: [],
      cors: [],
      smtp: null,
      smtpFrom: null,
      webhookSecret: null,
      notifyPerMinute: 60,
      metricsJobs: 2_000,
      fileUrls: false,
      artifactHosts: null,
      files: { fileBytes: 100 * 2 ** 20, filesBytes: 10_240 * 2 ** 20, keepMs: 30 * DAY_MS },
      backup: null,
      keep: {
        executionsMs: 30 * DAY_MS,
        executions: 1_000_000,
        executionsPerJob: 10_000,
        outputMs: 7 * DAY_MS,
        occurrencesMs: 90 * DAY_MS,
        occurrencesPerJob: 100_000,
        postedLogsMs: 30 * DAY_MS,
        postedLogs: 200_000,
        postedLogsPerJob: 10_000,
        factsMs: 14 * DAY_MS,
        facts: 10_000_000,
        tombstonesMs: 90 * DAY_MS,
        tombstones: 10_000,
      },
    });
  });

  test('the configuration takes every variable', () => {
    const config = read({
      TROUPE_LISTEN: '0.0.0.0:80, [::1]:8899,localhost:0',
      TROUPE_DATA: '/srv/troupe',
      TROUPE_STORE: 'sqlite',
      TROUPE_ROOT_PASSWORD: 'secret',
      TROUPE_AUTH: 'on',
      TROUPE_WORKERS: '7',
      TROUPE_POOL: 'main',
      TROUPE_TIME_ZONE: 'Asia/Tokyo',
      TROUPE_LOG: 'warn,json',
      TROUPE_HEARTBEAT_MS: '1000',
      TROUPE_HOST_GRACE_MS: '0',
      TROUPE_CLOSED_GRACE_MS: '250',
      TROUPE_ALLOC_RECOVERY_MS: '10',
      TROUPE_PROXIES: '127.0.0.1, fd00::/8',
      TROUPE_CORS: 'https://a.example,http://localhost:3000',
      TROUPE_SMTP: 'smtps://me:p%40ss@mail.example',
      TROUPE_SMTP_FROM: 'troupe@example.org',
      TROUPE_METRICS_JOBS: '5',
      TROUPE_FILE_URLS: 'on',
      TROUPE_ARTIFACT_HOSTS: 'Apps.example, h2',
      TROUPE_KEEP_EXECUTIONS_DAYS: '0.5',
      TROUPE_KEEP_EXECUTIONS: '1000',
      TROUPE_KEEP_EXECUTIONS_PER_JOB: '100',
      TROUPE_KEEP_OUTPUT_DAYS: '1',
      TROUPE_KEEP_OCCURRENCES_DAYS: '2',
      TROUPE_KEEP_OCCURRENCES_PER_JOB: '200',
      TROUPE_KEEP_POSTED_LOGS_DAYS: '5',
      TROUPE_KEEP_POSTED_LOGS: '500',
      TROUPE_KEEP_POSTED_LOGS_PER_JOB: '50',
      TROUPE_KEEP_FACTS_DAYS: '3',
      TROUPE_KEEP_FACTS: '3000',
      TROUPE_KEEP_TOMBSTONES_DAYS: '4',
      TROUPE_KEEP_TOMBSTONES: '0',
      TROUPE_FILE_MB: '5',
      TROUPE_FILES_MAX_MB: '50',
      TROUPE_KEEP_FILES_DAYS: '6',
    });
    expect(config).toEqual({
      listen: [
        { host: '0.0.0.0', port: 80 },
        { host: '::1', port: 8899 },
        { host: 'localhost', port: 0 },
      ],
      dataDir: '/srv/troupe',
      store: { kind: 'sqlite' },
      standby: false,
      rootPassword: 'secret',
      auth: 'on',
      workers: 7,
      pool: 'main',
      timeZone: 'Asia/Tokyo',
      log: { level: 'warn', format: 'json' },
      heartbeatMs: 1_000,
      hostGraceMs: 0,
      closedGraceMs: 250,
      allocRecoveryMs: 10,
      proxies: ['127.0.0.1', 'fd00::/8'],
      cors: ['https://a.example', 'http://localhost:3000'],
      smtp: { host: 'mail.example', port: 465, tls: true, user: 'me', password: 'p@ss' },
      smtpFrom: 'troupe@example.org',
      webhookSecret: null,
      notifyPerMinute: 60,
      metricsJobs: 5,
      fileUrls: true,
      artifactHosts: ['apps.example', 'h2'],
      files: { fileBytes: 5 * 2 ** 20, filesBytes: 50 * 2 ** 20, keepMs: 6 * DAY_MS },
      backup: null,
      keep: {
        executionsMs: DAY_MS / 2,
        executions: 1_000,
        executionsPerJob: 100,
        outputMs: DAY_MS,
        occurrencesMs: 2 * DAY_MS,
        occurrencesPerJob: 200,
        postedLogsMs: 5 * DAY_MS,
        postedLogs: 500,
        postedLogsPerJob: 50,
        factsMs: 3 * DAY_MS,
        facts: 3_000,
        tombstonesMs: 4 * DAY_MS,
        tombstones: 0,
      },
    });
  });

  test.each([
    'mongodb://h/troupe',
    'mongodb://u:p%40ss@one:27017,two:27018,[::1]:27019/my-db_1?replicaSet=rs0&tls=true',
    'mongodb+srv://u:p@cluster.example.org/troupe?retryWrites=true',
  ])('the configuration takes %p for a store', url => {
    expect(read({ TROUPE_STORE: url }).store).toEqual({ kind: 'mongodb', url });
  });

  test('the configuration cannot be changed afterwards', () => {
    const config = read();
    expect(Object.isFrozen(config) && Object.isFrozen(config.listen) && Object.isFrozen(config.listen[0])).toBe(true);
  });

  test('the configuration lets a flag win over its variable', () => {
    const env = { TROUPE_LISTEN: '127.0.0.1:1', TROUPE_HEARTBEAT_MS: '1000', TROUPE_LOG: 'warn' };
    expect(read(env, '--listen', '127.0.0.1:2', '--heartbeat=2s')).toMatchObject({
      listen: [{ host: '127.0.0.1', port: 2 }],
      heartbeatMs: 2_000,
      log: { level: 'warn', format: 'pretty' },
    });
  });

  test('the configuration takes --standby with and without a value, beside a MongoDB', () => {
    const env = { TROUPE_STORE: 'mongodb://h/troupe' };
    expect(read(env, '--standby', '--workers', '2')).toMatchObject({ standby: true, workers: 2 });
    expect(read(env, '--standby', 'off').standby).toBe(false);
    expect(read({ ...env, TROUPE_STANDBY: 'on' }).standby).toBe(true);
  });

  const wrong: [Record<string, string>, string][] = [
    [{ TROUPE_STANDBY: 'on' }, 'TROUPE_STANDBY=on: must be off with SQLite'],
    [{ TROUPE_LISTEN: '8899' }, 'TROUPE_LISTEN=8899: must be host:port'],
    [{ TROUPE_LISTEN: 'h:70000' }, 'TROUPE_LISTEN=h:70000: must be host:port'],
    [{ TROUPE_LISTEN: '::1:80' }, 'TROUPE_LISTEN=::1:80: must be host:port'],
    [{ TROUPE_LISTEN: 'h:1,h:1' }, 'TROUPE_LISTEN=h:1,h:1: names h:1 twice'],
    [{ TROUPE_LISTEN: ',' }, 'TROUPE_LISTEN=,: must be host:port'],
    [{ TROUPE_STORE: 'postgres' }, 'TROUPE_STORE=postgres: must be sqlite'],
    [{ TROUPE_STORE: 'mongodb:h/troupe' }, 'TROUPE_STORE=mongodb:***/troupe: must be sqlite, or mongodb://host/database'],
    [{ TROUPE_STORE: 'mongodb://' }, 'TROUPE_STORE=mongodb://: must name a host'],
    [{ TROUPE_STORE: 'mongodb://u:p@h:27017' }, 'TROUPE_STORE=mongodb://u:***@h:27017: must name the database'],
    [{ TROUPE_STORE: 'mongodb://h/?replicaSet=rs0' }, 'TROUPE_STORE=mongodb://h/?replicaSet=rs0: must name the database'],
    [{ TROUPE_STORE: 'mongodb://h:port/troupe' }, 'TROUPE_STORE=mongodb://h:***/troupe: must name its hosts as host or host:port'],
    [{ TROUPE_STORE: 'mongodb://a,,b/troupe' }, 'TROUPE_STORE=mongodb://a,,b/troupe: must name its hosts as host or host:port'],
    [{ TROUPE_STORE: 'mongodb+srv://h:27017/troupe' }, 'TROUPE_STORE=mongodb+srv://h:27017/troupe: must name one host without a port'],
    [{ TROUPE_STORE: 'mongodb://h/a.b' }, 'TROUPE_STORE=mongodb://h/a.b: must name a database of 1 to 38 letters'],
    [{ TROUPE_AUTH: 'no' }, 'TROUPE_AUTH=no: must be on or off'],
    [{ TROUPE_WORKERS: '0' }, 'TROUPE_WORKERS=0: must be a whole number from 1 to 256'],
    [{ TROUPE_WORKERS: '1.5' }, 'TROUPE_WORKERS=1.5: must be a whole number'],
    [{ TROUPE_POOL: 'a b' }, 'TROUPE_POOL=a b: must be a name'],
    [{ TROUPE_TIME_ZONE: 'CEST+1' }, 'TROUPE_TIME_ZONE=CEST+1: must be an IANA time zone'],
    [{ TROUPE_LOG: 'loud' }, 'TROUPE_LOG=loud: must be one of debug'],
    [{ TROUPE_HEARTBEAT_MS: '5s' }, 'TROUPE_HEARTBEAT_MS=5s: must be a whole number'],
    [{ TROUPE_PROXIES: 'proxy.example' }, 'TROUPE_PROXIES=proxy.example: must be addresses or networks'],
    [{ TROUPE_PROXIES: '10.0.0.0/33' }, 'TROUPE_PROXIES=10.0.0.0/33: must be addresses or networks'],
    [{ TROUPE_CORS: '*' }, 'TROUPE_CORS=*: must be origins'],
    [{ TROUPE_CORS: 'https://a.example/' }, 'TROUPE_CORS=https://a.example/: must be origins'],
    [{ TROUPE_SMTP: 'mail.example' }, 'TROUPE_SMTP=mail.example: must be smtp://'],
    [{ TROUPE_SMTP_FROM: 'me' }, 'TROUPE_SMTP_FROM=me: must be a mail address'],
    [{ TROUPE_FILE_URLS: '1' }, 'TROUPE_FILE_URLS=1: must be on or off'],
    [{ TROUPE_ARTIFACT_HOSTS: 'http://apps.example' }, 'TROUPE_ARTIFACT_HOSTS=http://apps.example: must be hosts that apps may come from'],
    [{ TROUPE_ARTIFACT_HOSTS: 'h,*.h:80' }, 'TROUPE_ARTIFACT_HOSTS=h,*.h:80: must be hosts'],
    [{ TROUPE_ARTIFACT_HOSTS: 'h:70000' }, 'TROUPE_ARTIFACT_HOSTS=h:70000: must be hosts'],
    [{ TROUPE_ARTIFACT_HOSTS: '[h]' }, 'TROUPE_ARTIFACT_HOSTS=[h]: must be hosts'],
    [{ TROUPE_ARTIFACT_HOSTS: ',' }, 'TROUPE_ARTIFACT_HOSTS=,: must be hosts'],
    [{ TROUPE_HARTBEAT_MS: '1' }, 'TROUPE_HARTBEAT_MS=: there is no such variable; did you mean TROUPE_HEARTBEAT_MS?'],
    [{ TROUPE_KEEP_FACTS: '10' }, 'TROUPE_KEEP_FACTS=10: must be a whole number from 1000 to'],
    [{ TROUPE_KEEP_OUTPUT_DAYS: '0' }, 'TROUPE_KEEP_OUTPUT_DAYS=0: must be a number of days from 0.01 to 36500'],
    [{ TROUPE_KEEP_OUTPUT_DAYS: '1d' }, 'TROUPE_KEEP_OUTPUT_DAYS=1d: must be a number of days'],
    [{ TROUPE_FLOWERS: '1' }, 'TROUPE_FLOWERS=: there is no such variable'],
  ];
  test.each(wrong)('the configuration is refused for %p', (env, sentence) => {
    const found = problems(env);
    expect(found).toHaveLength(1);
    expect(found[0]).toStartWith(sentence);
  });

  test('the configuration names every problem at once, of variables, flags and rules between them', () => {
    const found = problems(
      { TROUPE_AUTH: 'off', TROUPE_LISTEN: '0.0.0.0:8899', TROUPE_WORKERS: 'x', TROUPE_DATEN: '/' },
      '--por',
      '1',
      'up',
      '--log',
    );
    expect(found.map(line => line.split(/[=:]/, 1)[0])).toEqual(['--por', 'up', '--log', 'TROUPE_DATEN', 'TROUPE_WORKERS', 'TROUPE_AUTH']);
  });

  test('the configuration calls a flag by its own name', () => {
    expect(problems({}, '--workers=many')[0]).toStartWith('--workers=many: ');
    expect(problems({}, '--hearbeat=1s')[0]).toEndWith('did you mean --heartbeat?');
    expect(problems({}, '--data', '--log', 'info')).toEqual(['--data=: needs a value']);
  });

  test('the configuration takes authentication off only while every listener is loopback', () => {
    expect(read({ TROUPE_AUTH: 'off' }).auth).toBe('off');
    expect(read({ TROUPE_AUTH: 'off', TROUPE_LISTEN: '127.0.0.2:1,[::1]:2,localhost:3' }).auth).toBe('off');
    for (const host of ['0.0.0.0', '[::]', '10.0.0.1', 'example.org', '127.0.0.1.example.org']) {
      expect(problems({ TROUPE_AUTH: 'off', TROUPE_LISTEN: `127.0.0.1:1,${host}:2` })[0]).toContain(
        'only while every listener is loopback',
      );
    }
  });

  test('the configuration never shows a secret', () => {
    const env = { TROUPE_ROOT_PASSWORD: 'hunter2'.repeat(200), TROUPE_SMTP: 'smpt://u:hunter2@h' };
    expect(problems(env)).toHaveLength(2);
    expect(problems(env).join()).not.toContain('hunter2');
  });

  test.each([
    ['mongo://root:hunter2@h/troupe', 'mongo://root:***@h/troupe'],
    ['mongodb://root:hun:te@r/2@h', 'mongodb://root:***@h'],
    ['mongodb://root:hunter2/troupe', 'mongodb://root:***/troupe'],
    ['mongodb://one:27017,root:hunter2?x=1', 'mongodb://one:27017,root:***?x=1'],
    ['mongodb://h:27017?tlsCertificateKeyFilePassword=hunter2&tls=true', 'mongodb://h:27017?tlsCertificateKeyFilePassword=***&tls=true'],
    ['root:hunter2@h/troupe', 'root:***@h/troupe'],
    ['mongodb://[::1]:27017', 'mongodb://[::1]:27017'],
    ['mongodb://root@h:27017', 'mongodb://root@h:27017'],
    ['sqlit', 'sqlit'],
  ])('the configuration shows the store %p without its password', (url, shown) => {
    expect(problems({ TROUPE_STORE: url })[0]).toStartWith(`TROUPE_STORE=${shown}: must `);
  });

  test('the configuration accepts the variables of agents, of the command line and of running jobs', () => {
    const names = 'CENTER JOIN_TOKEN NAME CPUS MEMORY LABELS AGENT_DATA URL API_TOKEN JOB EXECUTION SHARD WORK_DIR'.split(' ');
    expect(problems(Object.fromEntries(names.map(name => [`TROUPE_${name}`, 'x'])))).toEqual([]);
  });
});

describe('the greeting of a center', () => {
  test.each([
    ['drawn by this start', {}, 'secret', 'password secret (shown only this once)'],
    ['drawn by an earlier start', {}, null, 'password as set before (TROUPE_ROOT_PASSWORD sets a new one)'],
    ['of the settings', { TROUPE_ROOT_PASSWORD: 'given' }, null, 'password as in TROUPE_ROOT_PASSWORD'],
  ])('the greeting of a center shows where the password comes from: %s', (_where, env, password, words) => {
    expect(greeting({ urls: ['http://h'], password }, read(env)).split('\n')[2]).toBe(`user root, ${words}`);
  });
});
