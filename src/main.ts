/**
 * The center's composition root: the only file of it that builds services from the configuration.
 * Services start in this order and stop in reverse:
 *
 *   store -> runtime -> agents -> http server -> timers -> files -> retention -> backups -> audit
 */
import { createFeedApi } from './api/feed/index.ts';
import type { Center } from './api/route-context.ts';
import { createStandbyMetrics } from './api/standby-metrics.ts';
import { RULES, surfacesOf } from './api/surfaces.ts';
import { logRoutes } from './api/v1/logs.ts';
import { metricRoutes } from './api/v1/metrics.ts';
import type { Config } from './config/types.ts';
import { createFeed } from './feed/feed.ts';
import { type AgentHub, createAgentHub } from './gateway/index.ts';
import { createApp } from './http/app.ts';
import { clientAddress } from './http/client-address.ts';
import { createStartupServer, type StartupServer } from './http/startup-server.ts';
import { createUpgrades } from './http/upgrades.ts';
import { BODY_MAX_BYTES } from './http/websocket/connections.ts';
import { listen } from './http/websocket/index.ts';
import type { Listening, Peer } from './http/websocket/types.ts';
import { type Clock, systemClock } from './lib/clock.ts';
import { type Ids, systemIds } from './lib/ids.ts';
import type { Log } from './lib/log.ts';
import { createSupervisor, type Service } from './lib/service.ts';
import { createRuntime } from './runtime/create.ts';
import { Refused, Unavailable } from './runtime/errors.ts';
import { endedAt, executionsOf } from './runtime/retention-guards.ts';
import type { StartupRetry } from './runtime/startup-retry.ts';
import { createViews } from './runtime/views.ts';
import { createAuth } from './security/authentication.ts';
import { verifyEd25519 } from './security/ed25519.ts';
import { type InstallationKey, openInstallationKey } from './security/installation-key.ts';
import { createAllocationAudit } from './services/allocation-audit.ts';
import { backupWarnings, createBackups } from './services/backup.ts';
import { createFileService } from './services/files/index.ts';
import { lateNotifications } from './services/notifications/late.ts';
import { createOutputService } from './services/output/index.ts';
import { createPostings } from './services/postings.ts';
import { createRetentionService } from './services/retention.ts';
import { auditWarnings, createScheduleAudit } from './services/schedule-audit.ts';
import { makeBackupAside } from './store/sqlite/backup-worker.ts';
import { beginThreads, startupRetryOf, type Threads } from './threads.ts';

export type { StartupServer } from './http/startup-server.ts';

/** A server at the addresses of a center while its start waits. */
export const createWaitingServer = ({
  config,
  log,
  threads,
  clock = systemClock,
  ids = systemIds,
}: {
  config: Config;
  log: Log;
  threads: Pick<Threads, 'early'>;
  clock?: Clock;
  ids?: Ids;
}): StartupServer =>
  createStartupServer({
    config,
    surfaces: RULES,
    clock,
    metrics: createStandbyMetrics({ config, clock, ids, log, usage, early: threads.early }),
  });

export interface RunningCenter {
  /** The bound addresses, such as `http://127.0.0.1:8899`. */
  urls: string[];
  /**
   * The password of `root` if this start drew one; null: it drew none. The store has only its hash.
   */
  password: string | null;
  /** Fingerprint of the key by which agents recognise the installation. */
  centerKey: string;
  /** For an agent beside the center. One use, valid for ten minutes. */
  createJoinToken(): Promise<string>;
  /** Stops everything; resolves with the names of services that did not stop. Idempotent. */
  stop(): Promise<string[]>;
  /** Resolves with the reason when the center cannot go on. */
  gaveUp: Promise<Error>;
}

/** Starts a center and resolves once it serves. Throws an Error with the obstacle. */
export async function startCenter({
  config,
  log,
  clock = systemClock,
  ids = systemIds,
  workerScript,
  startupRetry = startupRetryOf({ config, clock, log }),
  threads = beginThreads({ config, clock, ids, workerScript, startupRetry }),
  startup,
}: {
  config: Config;
  log: Log;
  clock?: Clock;
  ids?: Ids;
  /** The program of the workers; for tests. */
  workerScript?: string;
  /** Retries steps of the start while the store is unavailable. */
  startupRetry?: StartupRetry;
  /** Default: begun by this call. */
  threads?: Threads;
  /** The server of the waiting start; closed before the center listens at its addresses. */
  startup?: Pick<StartupServer, 'close'>;
}): Promise<RunningCenter> {
  const { store, died, missing } = await threads.opened;
  if (missing !== null) log.error(missing);
  const base: Base = { config, log, clock, ids, store, died, missing, ...stateOf() };
  const core = buildCore(base, threads);
  const background = buildBackground(base, core);
  const server = buildServer(base, core, background);
  const whileStored = whileStoredOf(base, startupRetry);
  const supervisor = createSupervisor({
    services: [...coreServices(base, core, whileStored), ...httpServices(base, core, server, whileStored, startup), ...background.services],
    clock,
    log: ({ level, text, cause }) => log[level](text, cause === undefined ? {} : { cause }),
  });
  await supervisor.start();
  const bound = base.listening?.addresses ?? [];
  return {
    urls: bound.map(({ host, port }) => `http://${host.includes(':') ? `[${host}]` : host}:${port}`),
    password: base.password,
    centerKey: base.installation?.fingerprint ?? '',
    createJoinToken: async () => (await core.auth.createJoinToken({ pool: null, uses: 1, expiresInMs: 600_000 })).token,
    stop: () => supervisor.stop(),
    gaveUp: supervisor.gaveUp,
  };
}

/** The base of every part, with the state that start and stop change. */
interface Base {
  config: Config;
  log: Log;
  clock: Clock;
  ids: Ids;
  store: OpenedStore['store'];
  died: OpenedStore['died'];
  missing: OpenedStore['missing'];
  /** Read or created before an agent can connect. */
  installation: InstallationKey | null;
  /** A warning about an agent that knows a later state of the store. */
  earlierState: string | null;
  serving: boolean;
  listening: Listening | null;
  password: string | null;
}
type OpenedStore = Awaited<Threads['opened']>;
type Core = ReturnType<typeof buildCore>;
type Background = ReturnType<typeof buildBackground>;
type Server = ReturnType<typeof buildServer>;

const stateOf = (): Pick<Base, 'installation' | 'earlierState' | 'serving' | 'listening' | 'password'> => ({
  installation: null,
  earlierState: null,
  serving: false,
  listening: null,
  password: null,
});

/**
 * After a failed commit a probe of the store decides whether the start retries. A store that has
 * closed for good ends the start.
 */
function whileStoredOf({ store, died }: Base, startupRetry: StartupRetry): StartupRetry {
  return async work => {
    const attempt = () =>
      work().catch(async (error: unknown) => {
        if (error instanceof Unavailable) await store.probe();
        throw error;
      });
    return Promise.race([startupRetry(attempt), died.then(reason => Promise.reject(reason))]);
  };
}

/** The runtime, the gateway of the agents, and their services. */
function buildCore(base: Base, { owner, workerHosts }: Threads) {
  const { config, log, clock, ids, store } = base;
  const views = createViews({ store });
  // Runtime and gateway need each other: the runtime sends commands through the gateway, the
  // gateway delivers reports to the runtime.
  let gateway: AgentHub | null = null;
  const auth = createAuth({
    ...{ config, store, clock, ids, log },
    fingerprint: () => base.installation?.fingerprint,
    agentOf: token => gateway?.hostOfToken(token),
  });
  const feed = createFeed({ store, clock });
  const output = createOutputService({ store });
  const notifications = lateNotifications(() => notificationsOf(base));
  const onReady: ((host: string) => void)[] = [];
  const runtime = createRuntime({
    ...{ store, clock, ids, owner, workerHosts },
    fleet: {
      send: (host, command) => (gateway as AgentHub).send(host, command),
      onReady: listener => onReady.push(listener),
      closeSession: (host, code, reason) => (gateway as AgentHub).closeSession(host, code, reason),
    },
    notifier: notifications,
    log: ({ level, address, text, cause }) => log[level](`${address} ${text}`, cause === undefined ? {} : { cause }),
  });
  const agents = createAgentHub({
    ...{ runtime, views, store, output, clock, ids },
    heartbeatMs: config.heartbeatMs,
    hostGraceMs: config.hostGraceMs,
    closedGraceMs: config.closedGraceMs,
    verify: verifyEd25519,
    readJoinToken: auth.readJoinToken,
    spendJoinToken: auth.spendJoinToken,
    auth: config.auth,
    installation: () => base.installation as InstallationKey,
    apps: { fileUrls: config.fileUrls, hosts: config.artifactHosts },
    onLog: (level, text, fields) => log[level](text, fields),
    onEarlierState(text) {
      base.earlierState = text;
    },
  });
  gateway = agents;
  agents.onReady(host => {
    for (const listener of onReady) listener(host);
  });
  // Without facts: some were committed that only the store has.
  runtime.onFacts(facts => (facts.length > 0 ? feed.publish(facts) : feed.look()));
  return { views, auth, feed, output, runtime, agents, notifications };
}

async function notificationsOf({ config, clock, store }: Pick<Base, 'config' | 'clock' | 'store'>) {
  const [{ createNotificationService }, { createSmtp }, { createWebhooks }] = await Promise.all([
    import('./services/notifications/index.ts'),
    import('./services/notifications/smtp.ts'),
    import('./services/notifications/webhook.ts'),
  ]);
  const { smtp: server, smtpFrom: from, notifyPerMinute: perMinute, webhookSecret: secret } = config;
  return createNotificationService({
    ...{ clock, output: store, perMinute },
    mail: server && from ? createSmtp({ server, from }) : null,
    domain: from?.split('@')[1] ?? 'troupe',
    webhooks: createWebhooks({ clock, secret }),
  });
}

/** Background services. */
function buildBackground({ config, log, clock, store }: Base, { runtime, views }: Core) {
  const logLine = (level: 'info' | 'warn' | 'error', text: string, fields?: Record<string, unknown>) => log[level](text, fields);
  const retention = createRetentionService({ store, clock, keep: config.keep, reader: { endedAt, executionsOf }, log: logLine });
  const files = createFileService({ files: store.files, views, clock, limits: config.files, log: logLine });
  const audit = createScheduleAudit({ store, runtime, clock, log: logLine });
  const allocation = createAllocationAudit({ views, runtime, clock, everyMs: config.allocRecoveryMs, log: logLine });
  const backups =
    config.backup &&
    createBackups({
      ...config.backup,
      clock,
      log: logLine,
      make: (order, signal) => makeBackupAside({ directory: config.dataDir, ...order }, signal),
    });
  const services: Service[] = [
    { name: 'files', graceMs: 2_000, restart: true, run: files.run },
    { name: 'retention', graceMs: 2_000, restart: true, run: retention.run },
    ...(backups ? [{ name: 'backups', graceMs: 2_000, restart: true, run: backups.run }] : []),
    { name: 'schedule audit', graceMs: 2_000, restart: true, run: audit.run },
    { name: 'allocation audit', graceMs: 2_000, restart: true, run: allocation.run },
  ];
  const postings = createPostings({ store, runtime, clock, checkTable: allocation.request });
  return { services, audit, allocation, backups, files, postings };
}

/** The HTTP API, the feed and the sockets of agents; `stopping` ends open log streams. */
function buildServer(
  base: Base,
  { views, auth, feed, output, runtime, agents }: Core,
  { audit, allocation, backups, files, postings }: Background,
) {
  const { config, log, clock, ids, store, missing } = base;
  const stopping = new AbortController();
  const center: Center = {
    ...{ runtime, views, store, auth, files, postings, clock, ids, log, config },
    warnings: () => [
      ...(missing === null ? [] : [missing]),
      ...(base.earlierState === null ? [] : [base.earlierState]),
      ...(backups ? backupWarnings(backups.status()) : []),
      ...auditWarnings(audit.status(), clock.now()),
    ],
    listeners: () => base.listening?.addresses ?? config.listen,
    unready: () => (base.serving ? runtime.down()[0] : 'the center is starting or stopping'),
  };
  const feedApi = createFeedApi({ feed, auth, config, clock, ids });
  const surfaces = surfacesOf(center, [
    ...feedApi.routes,
    ...logRoutes({ views, store, output, clock, stopping: stopping.signal }),
    ...metricRoutes({
      ...{ runtime, views, feed, clock, usage },
      jobsMax: config.metricsJobs,
      scheduleAudit: audit.status,
      files: files.totals,
      postings: postings.counts,
      allocation: allocation.status,
      backups: () => backups?.status() ?? { madeAt: null, failed: 0 },
    }),
  ]);
  const app = createApp({ surfaces, auth, config, log, store, clock });
  const upgrade = createUpgrades({
    handlers: { '/v1/agents': (_, peer) => agents.accept(peer), '/v1/feed': request => feedApi.upgrade(request) },
    config,
  });
  const from = (request: Request, { address }: Peer): Peer => ({ address: clientAddress(request, address, config.proxies) });
  return {
    stopping,
    listen: () =>
      listen({
        addresses: config.listen.map(({ host, port }) => ({ host, port })),
        fetch: (request, peer) => app.fetch(request, from(request, peer)),
        upgrade: (request, peer) => upgrade(request, from(request, peer)),
        clock,
        bodyMaxBytes: Math.max(BODY_MAX_BYTES, config.files.fileBytes),
      }),
  };
}

/** Store, runtime and gateway, in the order of their start. */
function coreServices(base: Base, { runtime, agents, notifications }: Core, whileStored: StartupRetry): Service[] {
  const { config, log, store, died } = base;
  return [
    serviceOf('store', 5_000, {
      stop: () => store.close(),
      failed: died,
    }),
    serviceOf('runtime', 10_000, {
      start: () => whileStored(() => runtime.start()),
      stop: async () => {
        notifications.stop();
        const left = await runtime.stop(8_000);
        if (left.length > 0) log.warn('the stop left work of these actors unfinished', { actors: left });
      },
      failed: runtime.gaveUp,
    }),
    serviceOf('agents', 2_000, {
      start: async () => {
        base.installation = await whileStored(() => openInstallationKey(store));
        log.info('agents recognise this installation by its key', { fingerprint: base.installation.fingerprint });
        await whileStored(() => ensurePool(runtime, config.pool));
        await whileStored(() => agents.restartGrace());
      },
      stop: async () => agents.stop(),
    }),
  ];
}

/** The HTTP server, then the timers: a due time may start a run only once agents can connect. */
function httpServices(
  base: Base,
  { auth, agents, feed, runtime }: Core,
  { listen: listenHere, stopping }: Server,
  whileStored: StartupRetry,
  startup: Pick<StartupServer, 'close'> | undefined,
): Service[] {
  const { log } = base;
  return [
    serviceOf('http server', 5_000, {
      start: async () => {
        base.password = (await whileStored(() => auth.prepare())).password;
        await startup?.close();
        try {
          base.listening = await listenHere();
        } catch (error) {
          // The start ends before it shows the password that it drew, so the next one draws
          // another.
          if (base.password !== null) {
            await auth.withdraw().catch((cause: unknown) => log.error('the drawn password was not withdrawn', { error: cause }));
          }
          throw error;
        }
        base.serving = true;
      },
      stop: async () => {
        base.serving = false;
        // First: a socket that the listener closes looks to the gateway like a host that was
        // switched off. A slow caller may delay the stop beyond the grace of such a host.
        agents.stop();
        feed.stop();
        stopping.abort();
        await base.listening?.stop(3_000);
        auth.close();
      },
    }),
    serviceOf('timers', 100, { start: async () => runtime.arm() }),
  ];
}

/** Resident memory and processor time of this process. */
function usage(): { residentBytes: number; cpuSeconds: number } {
  const { user, system } = process.cpuUsage();
  return { residentBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6 };
}

/**
 * A service of a part that works by itself between `start` and `stop`. It ends with the signal, or
 * throws the Error of `failed`.
 */
function serviceOf(
  name: string,
  graceMs: number,
  { start, stop, failed }: { start?(): Promise<void>; stop?(): Promise<void>; failed?: Promise<Error> },
): Service {
  return {
    name,
    graceMs,
    async run(signal, ready) {
      await start?.();
      ready();
      const stopped = new Promise<void>(resolve => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
      const failure = await Promise.race([stopped, ...(failed ? [failed] : [])]);
      if (failure) throw failure;
      await stop?.();
    },
  };
}

/** Creates the pool of jobs that name none, and `default`. Idempotent. */
async function ensurePool(runtime: Pick<ReturnType<typeof createRuntime>, 'ask'>, configured: string): Promise<void> {
  for (const name of new Set(['default', configured])) {
    try {
      await runtime.ask(`pool/${name}`, { type: 'pool.create', config: { name, timeZone: null, servers: [], description: '' } });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  }
}

/**
 * The first lines of output: addresses, data directory, login. Only the start that drew the
 * password shows it.
 */
export function greeting(
  { urls, password }: Pick<RunningCenter, 'urls' | 'password'>,
  { auth, dataDir, rootPassword }: Pick<Config, 'auth' | 'dataDir' | 'rootPassword'>,
): string {
  const lines = [`Troupe serves at ${urls.join(' and ')}`, `the data directory is ${dataDir}`];
  if (auth === 'off') lines.push('authentication is off: every caller that reaches these addresses may do everything');
  else if (password !== null) lines.push(`user root, password ${password} (shown only this once)`);
  else if (rootPassword !== null) lines.push('user root, password as in TROUPE_ROOT_PASSWORD');
  else lines.push('user root, password as set before (TROUPE_ROOT_PASSWORD sets a new one)');
  return `${lines.join('\n')}\n`;
}
