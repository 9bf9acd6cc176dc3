/** A host in memory with the real agent; disk, keeper, center and apps are scripted. */
import { createAgent } from '../../src/agent/agent.ts';
import type { AgentLimits } from '../../src/agent/limits.ts';
import type { Artifacts, Disk, JobDirectories, PreparedApp } from '../../src/agent/ports.ts';
import type { Dialer } from '../../src/lib/dialer.ts';
import type { AppRules } from '../../src/lib/host-policy.ts';
import type { Ids } from '../../src/lib/ids.ts';
import {
  centerText,
  type EndedReport,
  FromAgent,
  type JobDirectory,
  keyOfRun,
  type Run,
  type StartCommand,
  type StopCommand,
} from '../../src/protocol/agent.ts';
import {
  type AliveNotice,
  type Keeper,
  type KeeperEvent,
  KeeperLostError,
  type RunStatus,
  type SpooledChunk,
  type StartRequest,
} from '../../src/protocol/keeper.ts';
import { createManualClock, type ManualClock } from '../support/manual-clock.ts';

export type AgentFrame = ReturnType<typeof FromAgent.parse>;

/** One life of an agent: once it is over, nothing that it still does reaches anything. */
interface Life {
  alive: boolean;
}

/**
 * What outlives an agent: files. `crashAt` counts calls that change something; the call before or
 * after which the machine is gone.
 */
export function aDisk() {
  const files = new Map<string, string>();
  const disk = {
    files,
    calls: 0,
    crash: undefined as { at: number; when: 'before' | 'after' | 'torn' } | undefined,
    full: false,
    /** Larger files do not fit. */
    probeFails: false,
    /** While set, writes take effect but do not come back: a slow fsync. */
    held: undefined as Promise<void> | undefined,
    onCrash: () => {},
    port(life: Life): Disk {
      const change = (torn: () => void, whole: () => void): Promise<void> => {
        if (!life.alive) return new Promise(() => {});
        disk.calls++;
        const crash = disk.crash?.at === disk.calls ? disk.crash.when : undefined;
        if (crash === 'torn') torn();
        if (crash !== 'before' && crash !== 'torn') {
          if (disk.full) return Promise.reject(new Error('ENOSPC: no space left on device'));
          whole();
        }
        if (crash === undefined) return disk.held ?? Promise.resolve();
        disk.onCrash();
        return new Promise(() => {});
      };
      return {
        read: async path => files.get(path),
        append: (path, text) =>
          change(
            () => files.set(path, (files.get(path) ?? '') + text.slice(0, text.length / 2)),
            () => files.set(path, (files.get(path) ?? '') + text),
          ),
        replace: (path, text) =>
          path === 'disk.probe' && disk.probeFails
            ? Promise.reject(new Error('ENOSPC: no space left on device'))
            : change(
                () => {},
                () => void files.set(path, text),
              ),
        remove: path => {
          const full = disk.full;
          disk.full = false;
          return change(
            () => {},
            () => void files.delete(path),
          ).finally(() => {
            // The bytes of the reserve are free again for the next write.
            disk.full = full && path !== 'journal.reserve';
          });
        },
      };
    },
  };
  return disk;
}

/** A keeper that outlives agents. The test ends the processes. */
function aKeeper(clock: ManualClock) {
  const runs = new Map<string, RunStatus>();
  const spool = new Map<string, SpooledChunk[]>();
  let session = { alive: true, listener: (_: KeeperEvent) => {}, loseNow: () => {} };
  const keeper = {
    runs,
    requests: [] as StartRequest[],
    /** Every process that was ever started, by run. */
    processes: [] as string[],
    stops: [] as { run: string; graceMs: number }[],
    removed: [] as string[],
    notices: [] as AliveNotice[],
    /** Ends a run at once when it is stopped. */
    obedient: true,
    startFails: undefined as string | undefined,
    startFault: undefined as RunStatus['fault'],
    cannotConnect: undefined as Error | undefined,
    /** It dies when it is asked to start something, and nothing has begun. */
    dieAtStart: false,
    reads: 0,
    connect(): Promise<Keeper> {
      if (keeper.cannotConnect) return Promise.reject(keeper.cannotConnect);
      let loseNow = () => {};
      const lost = new Promise<void>(resolve => {
        loseNow = resolve;
      });
      const mine = { alive: true, listener: (_: KeeperEvent) => {}, loseNow };
      session.alive = false;
      session = mine;
      const answer = async <T>(fn: () => T): Promise<T> => {
        if (!mine.alive) throw new KeeperLostError();
        const value = fn();
        await Promise.resolve();
        if (!mine.alive) throw new KeeperLostError();
        return value;
      };
      return Promise.resolve({
        lost,
        onEvent(listener) {
          mine.listener = listener;
        },
        list: () => answer(() => [...runs.values()].map(one => ({ ...one }))),
        start: request =>
          answer(() => {
            const known = runs.get(request.run);
            if (known) return { ...known };
            if (keeper.dieAtStart) {
              keeper.die();
              throw new KeeperLostError();
            }
            keeper.requests.push(request);
            const failed = keeper.startFails !== undefined;
            if (!failed) keeper.processes.push(request.run);
            const run: RunStatus = {
              run: request.run,
              state: failed ? 'ended' : 'running',
              pid: failed ? null : 1000 + keeper.processes.length,
              startedAt: failed ? null : clock.now(),
              endedAt: failed ? clock.now() : null,
              cause: failed ? 'startFailed' : null,
              exitCode: null,
              signal: null,
              reason: keeper.startFails ?? null,
              ...(keeper.startFault !== undefined && { fault: keeper.startFault }),
              stdoutBytes: 0,
              stderrBytes: 0,
              stdoutLeftOut: 0,
              stderrLeftOut: 0,
              lastSeq: 0,
            };
            runs.set(request.run, run);
            return { ...run };
          }),
        stop: (run, graceMs) =>
          answer(() => {
            keeper.stops.push({ run, graceMs });
            if (keeper.obedient && runs.get(run)?.state === 'running') keeper.end(run, { cause: 'stop', signal: 'SIGTERM' });
          }),
        read: (run, after, maxBytes) =>
          answer(() => {
            keeper.reads++;
            const waiting = (spool.get(run) ?? []).filter(chunk => chunk.seq > after);
            let bytes = 0;
            return waiting.filter((chunk, index) => {
              bytes += chunk.text.length;
              return index === 0 || bytes <= maxBytes;
            });
          }),
        remove: run =>
          answer(() => {
            keeper.removed.push(run);
            runs.delete(run);
            spool.delete(run);
          }),
        registerNotice: notice => answer(() => void keeper.notices.push(notice)),
      });
    },
    end(run: string, how: Partial<RunStatus> = { exitCode: 0 }) {
      const kept = runs.get(run);
      if (!kept) throw new Error(`the keeper does not know ${run}`);
      Object.assign(kept, { state: 'ended', cause: 'exit', endedAt: clock.now() }, how);
      session.listener({ type: 'changed', run: { ...kept } });
    },
    /** As `write`; the event carries the text. */
    tell(run: string, text: string) {
      const { listener } = session;
      session.listener = () => {};
      keeper.write(run, text);
      session.listener = listener;
      listener({ type: 'output', run, chunks: (spool.get(run) ?? []).slice(-1) });
    },
    write(run: string, ...texts: string[]) {
      const kept = runs.get(run);
      const chunks = spool.get(run) ?? [];
      if (!kept) throw new Error(`the keeper does not know ${run}`);
      for (const text of texts) {
        chunks.push({ seq: ++kept.lastSeq, at: clock.now(), stream: 'stdout', text, bytes: text.length, start: kept.stdoutBytes });
        kept.stdoutBytes += text.length;
      }
      spool.set(run, chunks);
      session.listener({ type: 'output', run });
    },
    /** kill -9 of the keeper: the next one finds and ends what ran. */
    die() {
      for (const kept of runs.values()) {
        if (kept.state !== 'ended')
          Object.assign(kept, { state: 'ended', cause: 'keeperDied', endedAt: clock.now(), reason: 'its keeper died' });
      }
      session.alive = false;
      session.loseNow();
    },
    /** Only the socket breaks. */
    hangUp() {
      session.alive = false;
      session.loseNow();
    },
  };
  return keeper;
}

/** Both ends of every socket the agent opens. */
function aCenter() {
  const center = {
    dials: [] as string[],
    /** Frames of the present socket, parsed as the center would. */
    frames: [] as AgentFrame[],
    /** Frames of all sockets. */
    all: [] as AgentFrame[],
    /** Frames in each message of all sockets. */
    messages: [] as number[],
    /** Announces that it takes several frames in one message. */
    batching: false,
    closes: [] as { code: number; reason: string }[],
    buffered: 0,
    open: undefined as { frame(text: string): void; closed(code: number, reason: string): void } | undefined,
    /** Dead air: neither frames nor closes pass. */
    hung: false,
    livenessToken: '',
    /** Its public key; undefined: it proves nothing. */
    key: 'center' as string | undefined,
    /** Sends the welcome before any other frame. */
    welcomesAtOnce: false,
    /** The key it really has. */
    signs: undefined as string | undefined,
    /** Sent with the challenge. */
    epoch: undefined as number | undefined,
    accept: 'welcome' as 'welcome' | 'nothing' | { refused: string } | 'closed',
    /** Addresses without a server. */
    closed: new Set<string>(),
    /** The rules for apps in its welcome. */
    apps: undefined as AppRules | undefined,
    /** Answers each report and each output frame at once. */
    eager: true,
    dialer: {
      dial(url, on) {
        center.dials.push(url);
        const { accept } = center;
        if (accept === 'closed' || center.closed.has(url)) return on.closed(1006, 'connection refused');
        const mine = { frame: (text: string) => on.frame(text), closed: on.closed };
        center.open = mine;
        center.frames = [];
        on.open({
          send(text) {
            if (center.open !== mine || center.hung) return;
            const lines = text.split('\n');
            center.messages.push(lines.length);
            for (const line of lines) center.take(FromAgent.parse(JSON.parse(line)));
          },
          buffered: () => center.buffered,
          close(code, reason) {
            center.closes.push({ code, reason });
          },
        });
        const number = center.dials.length;
        const state = { epoch: center.epoch ?? 1_000, instanceId: `center-${number}` };
        if (accept !== 'nothing') center.send({ type: 'challenge', nonce: `nonce-${number}`, protocol: 1, ...state });
      },
    } satisfies Dialer,
    take(frame: AgentFrame) {
      if (frame.type === 'prove' && center.welcomesAtOnce) center.send({ type: 'welcome', host: 'h1', heartbeatMs: 1_000 });
      center.frames.push(frame);
      center.all.push(frame);
      if (frame.type === 'prove' && center.key !== undefined) {
        const text = centerText(frame.nonce, `nonce-${center.dials.length}`);
        center.send({ type: 'proof', key: center.key, signature: `${center.signs ?? center.key} signed ${text}` });
      }
      if (frame.type === 'hello') {
        if (typeof center.accept === 'object') center.send({ type: 'refused', code: center.accept.refused, message: 'no' });
        else
          center.send({
            type: 'welcome',
            host: 'h1',
            heartbeatMs: 1_000,
            ...(center.batching ? { batching: true } : {}),
            ...(center.livenessToken ? { livenessToken: center.livenessToken } : {}),
            ...(center.apps ? { apps: center.apps } : {}),
          });
      }
      if (frame.type === 'ping') center.send({ type: 'pong', nonce: frame.nonce });
      if (frame.type === 'report' && center.eager) center.send({ type: 'reportsAcknowledged', ids: [frame.id] });
      if (frame.type === 'output' && center.eager) center.send({ type: 'outputAcknowledged', run: frame.run, through: frame.seq });
    },
    send(frame: object) {
      if (!center.hung) center.open?.frame(JSON.stringify(frame));
    },
    cut() {
      const { open } = center;
      center.open = undefined;
      open?.closed(1006, 'cut');
    },
  };
  return center;
}

const seededIds = (): Ids => {
  let n = 0;
  return {
    short: length => String(++n).padStart(length, '0'),
    uuid: () => `uuid-${++n}`,
    secret: () => `secret-${++n}`,
    fraction: () => 0.5,
  };
};

export function anAgentSetup(options: { limits?: Partial<AgentLimits>; centers?: string[]; joinToken?: string; resumeMs?: number } = {}) {
  const clock = createManualClock();
  const disk = aDisk();
  const keeper = aKeeper(clock);
  const center = aCenter();
  const log: string[] = [];
  const say = (sentence: string) => void log.push(sentence);
  const apps = {
    prepare: async (): Promise<PreparedApp> => ({ directory: '/apps/x', script: undefined, note: undefined }),
    prepared: 0,
    rules: undefined as AppRules | undefined,
    released: [] as string[],
    swept: [] as string[][],
  };
  const artifacts: Artifacts = {
    prepare(_, { rules, signal }) {
      apps.prepared++;
      apps.rules = rules;
      return new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        apps.prepare().then(resolve, reject);
      });
    },
    release: async (_, execution) => void (execution !== undefined && apps.released.push(execution)),
    sweep: async runs => void apps.swept.push(runs),
  };
  const directories = {
    prepare: async (): Promise<string> => '/jobs/x/work',
    /** The job and content of each run, which uses its directory. */
    used: new Map<string, JobDirectory>(),
    settled: [] as string[][],
    swept: 0,
  };
  const jobDirectories: JobDirectories = {
    prepare(wanted, { run, signal }) {
      directories.used.set(run, wanted);
      return new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        directories.prepare().then(resolve, reject);
      });
    },
    release: async run => void directories.used.delete(run),
    settle: async live => void directories.settled.push([...live]),
    sweep: async () => void directories.swept++,
  };
  const workDirs = new Set<string>();
  let life: Life = { alive: true };
  let stop = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  const die = () => {
    life.alive = false;
    keeper.hangUp();
    center.open = undefined;
    stop.abort();
  };
  const world = {
    clock,
    disk,
    keeper,
    center,
    apps,
    directories,
    workDirs,
    log,
    bootId: 'boot-1',
    dataDirId: 'here',
    workDirFails: undefined as Error | undefined,
    /** Given by the operator. */
    centerKey: undefined as string | undefined,
    /** Starts the agent. It runs until `quit` or until the disk crashes. */
    async start() {
      const mine = { alive: true };
      life = mine;
      stop = new AbortController();
      running = createAgent({
        clock,
        ids: seededIds(),
        disk: disk.port(mine),
        dialer: { dial: (url, on) => (mine.alive ? center.dialer.dial(url, on) : undefined) },
        keepers: { connect: () => (mine.alive ? keeper.connect() : new Promise(() => {})) },
        artifacts,
        jobDirectories,
        workDirs: {
          make: async run => {
            if (world.workDirFails) throw world.workDirFails;
            return `/work/${[...workDirs.add(run)].at(-1)}`;
          },
          remove: async run => void workDirs.delete(run),
        },
        programs: {
          inApp: async (directory, name) => (name === 'start.sh' ? `${directory}/${name}` : undefined),
          onPath: async name => `/bin/${name}`,
          exists: async () => false,
          shell: async () => '/bin/sh',
        },
        identity: {
          publicKey: 'public',
          sign: text => `signed(${text})`,
          verify: (key, text, signature) => signature === `${key} signed ${text}`,
        },
        log: { debug: say, info: say, warn: say, error: say },
        settings: {
          centers: options.centers ?? ['ws://center/v1/agents'],
          ...(world.centerKey === undefined ? {} : { centerKey: world.centerKey }),
          ...(options.joinToken === undefined ? {} : { joinToken: options.joinToken }),
          name: 'h1',
          pool: 'default',
          bootId: world.bootId,
          dataDirId: world.dataDirId,
          // Most tests want an accepted run to start at once; the test of the wait asks for it.
          spans: { resumeMs: options.resumeMs ?? 0 },
          hostEnv: { PATH: '/bin', SECRET: 'not yours', LC_ALL: 'C' },
          capabilities: {
            os: 'linux',
            arch: 'x64',
            cpus: 2,
            memoryMB: 1024,
            labels: {},
            agentVersion: '0',
            hostname: 'h1',
            treeKill: 'group',
            appIsolation: 'copy',
            runAs: { user: null, allowed: [] },
          },
          ...(options.limits ? { limits: options.limits } : {}),
        },
      }).run(stop.signal);
      running.catch(() => undefined);
      await clock.settle();
    },
    /** How it ended, once it has. */
    ended: () => running,
    /** SIGTERM. */
    async quit() {
      stop.abort();
      await clock.settle();
      await running;
    },
    /** kill -9: nothing the agent still does reaches anything. */
    async kill() {
      die();
      await clock.settle();
    },
    async send(frame: object) {
      center.send(frame);
      await clock.settle();
    },
    sent: <T extends AgentFrame['type']>(type: T) =>
      center.frames.filter((frame): frame is Extract<AgentFrame, { type: T }> => frame.type === type),
    ends: (): EndedReport[] => center.all.flatMap(frame => (frame.type === 'report' && frame.state === 'ended' ? [frame] : [])),
    acknowledged: () => center.all.flatMap(frame => (frame.type === 'commandsAcknowledged' ? frame.keys : [])),
  };
  disk.onCrash = die;
  return world;
}

export const aRun = (differs: Partial<Run> = {}): Run => ({ execution: 'nightly@1', item: 0, attempt: 1, ...differs });

export function aStart(
  differs: { run?: Run; epoch?: number; rev?: number; key?: string; spec?: Partial<StartCommand['spec']> } = {},
): StartCommand {
  const run = differs.run ?? aRun();
  return {
    type: 'start',
    key: differs.key ?? `start ${keyOfRun(run)}`,
    fence: { partition: 7, epoch: differs.epoch ?? 3, rev: differs.rev ?? 5 },
    run,
    spec: {
      command: ['true'],
      shell: false,
      env: {},
      timeoutMs: 0,
      killGraceMs: 5_000,
      disconnect: 'continue',
      disconnectMs: 0,
      ...differs.spec,
    },
  };
}

export function aStop(differs: { run?: Run; epoch?: number; rev?: number; as?: StopCommand['as'] } = {}): StopCommand {
  const run = differs.run ?? aRun();
  return {
    type: 'stop',
    key: `stop ${keyOfRun(run)}`,
    fence: { partition: 7, epoch: differs.epoch ?? 3, rev: differs.rev ?? 6 },
    run,
    as: differs.as ?? 'cancelled',
    reason: 'somebody asked',
  };
}

export const anArtifact = { app: 'app', url: 'http://apps/app.tgz', cache: true, version: 1 };
