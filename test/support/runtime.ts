/** The production runtime on a memory store, a clock moved by hand and a scripted fleet. */

import type { HostCapabilities } from '../../actors/host/types.ts';
import type { Address, Kind } from '../../actors/types.ts';
import type { Ids } from '../../src/lib/ids.ts';
import type { Command, StartCommand } from '../../src/protocol/agent.ts';
import { createRuntime, type RuntimeLog } from '../../src/runtime/create.ts';
import { type Fleet, HostAway } from '../../src/runtime/fleet.ts';
import { partitionOf } from '../../src/runtime/partition.ts';
import { createViews } from '../../src/runtime/views.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import type { PublishedFact, Store } from '../../src/store/port.ts';
import { anInstance } from './instance.ts';
import { killableWorkers } from './killable-workers.ts';
import { createManualClock, type ManualClock } from './manual-clock.ts';
import { type ScriptedNotifier, scriptedNotifier } from './notifier.ts';

/** Ids that count up: readable, and the same in every run. */
export function countingIds(): Ids {
  let count = 0;
  return {
    short: length => (++count).toString(36).padStart(length, '0').slice(-length),
    uuid: () => `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`,
    secret: bytes => `secret${++count}`.padEnd(bytes, '_'),
    fraction: () => 0.5,
  };
}

export interface ScriptedFleet extends Fleet {
  sent: { host: string; command: Command }[];
  /** Hosts with a session. */
  here: Set<string>;
  ready(host: string): void;
}

export function scriptedFleet(): ScriptedFleet {
  let listener: (host: string) => void = () => {};
  const fleet: ScriptedFleet = {
    sent: [],
    here: new Set(),
    async send(host, command) {
      if (!fleet.here.has(host)) throw new HostAway(`host ${host} is away`);
      fleet.sent.push({ host, command });
    },
    onReady(next) {
      listener = next;
    },
    closeSession(host) {
      fleet.here.delete(host);
    },
    ready(host) {
      fleet.here.add(host);
      listener(host);
    },
  };
  return fleet;
}

export const START = Date.UTC(2026, 10, 22, 8, 0, 0);

const CAPABILITIES: HostCapabilities = {
  os: 'linux',
  arch: 'x64',
  cpus: 4,
  memoryMB: 4096,
  labels: {},
  agentVersion: '0.1.0',
  hostname: 'h1',
  treeKill: 'subreaper',
  appIsolation: 'copy',
  runAs: { user: null, allowed: [] },
};

export interface TestRuntimeParts {
  store?: Store;
  at?: number;
  clock?: ManualClock;
  ids?: Ids;
  fleet?: ScriptedFleet;
  notifier?: ScriptedNotifier;
  /** Without the default pool. */
  pool?: boolean;
  /** false: timers do not fire before `runtime.arm()`. */
  arm?: boolean;
  /** Partition workers; with several each can be killed alone. */
  sets?: number;
}

export type TestRuntime = Awaited<ReturnType<typeof aRuntime>>;

/**
 * As after kill -9: the first runtime does nothing any more, and another one serves its store and
 * its agents.
 */
export function restarted(world: TestRuntime, parts: TestRuntimeParts = {}): Promise<TestRuntime> {
  world.kill();
  return aRuntime({ ...world.durable, pool: false, ...parts });
}

export async function aRuntime({
  store: base = createMemoryStore(),
  at = START,
  clock: time = createManualClock(at),
  ids = countingIds(),
  fleet = scriptedFleet(),
  notifier = scriptedNotifier(),
  pool = true,
  arm = true,
  sets = 1,
}: TestRuntimeParts = {}) {
  const instance = anInstance({ clock: time, store: base });
  const { store } = instance;
  const clock: ManualClock = { ...instance.clock, settle: time.settle, advance: time.advance };
  const facts: PublishedFact[] = [];
  const logs: RuntimeLog[] = [];
  const workerHosts = killableWorkers({ store, clock, ids, owner: 'test', count: sets });
  const runtime = createRuntime({ store, clock, ids, fleet, notifier, owner: 'test', log: line => logs.push(line), workerHosts });
  runtime.onFacts(more => facts.push(...more));
  await settling(clock, runtime.start());
  if (arm) runtime.arm();
  const views = createViews({ store });
  const world = {
    clock,
    ids,
    fleet,
    notifier,
    store,
    facts,
    logs,
    runtime,
    /** As when the worker that serves this actor dies. */
    killWorkerOf: (address: Address) => workerHosts.kill(partitionOf(address)),
    /** Simulates a busy worker: it gets no message until the returned function is called. */
    pauseWorkerOf: (address: Address) => workerHosts.pause(partitionOf(address)),
    views,
    kill: instance.kill,
    /** What a restart finds again. */
    durable: { store: base, clock: time, ids, fleet, notifier },
    /** Resolves when nothing moves any more without time passing. */
    settled: () => clock.settle(),
    /** Asks and waits until all that follows is done too. */
    async ask(...args: Parameters<typeof runtime.ask>): Promise<unknown> {
      return settling(clock, runtime.ask(...args));
    },
    async tell(...args: Parameters<typeof runtime.tell>): Promise<void> {
      await settling(clock, runtime.tell(...args));
    },
    async context<K extends Kind>(address: Address<K>) {
      const view = await views.get(address);
      if (!view) throw new Error(`there is no ${address}`);
      return view;
    },
    async aHost(name = 'h1', { cpus = 4, memoryMB = 4096, graceMs = 60_000 } = {}) {
      await world.ask(`host/${name}`, { type: 'host.enroll', id: name, name, pool: 'default', publicKey: name, graceMs });
      fleet.ready(name);
      await world.tell(`host/${name}`, {
        type: 'host.connected',
        session: `${name}-1`,
        address: '127.0.0.1',
        capabilities: { ...CAPABILITIES, cpus, memoryMB },
        bootId: 'boot-1',
        runs: [],
      });
    },
    starts: (): StartCommand[] => fleet.sent.map(each => each.command).filter(command => command.type === 'start'),
    async started(command: StartCommand, host = 'h1') {
      const { execution, item, attempt } = command.run;
      await world.tell(`execution/${execution}`, { type: 'shard.started', item, attempt, host, startedAt: clock.now(), pid: 1 });
    },
    async ended(command: StartCommand, outcome: 'succeeded' | 'failed' | 'timedOut' | 'cancelled' | 'lost' = 'succeeded', host = 'h1') {
      const { execution, item, attempt } = command.run;
      await world.tell(`execution/${execution}`, {
        type: 'shard.ended',
        item,
        attempt,
        host,
        outcome,
        exitCode: outcome === 'succeeded' ? 0 : 1,
        signal: null,
        startedAt: clock.now(),
        finishedAt: clock.now(),
        reason: null,
        output: null,
      });
    },
  };
  if (pool) {
    await world.ask('pool/default', { type: 'pool.create', config: { name: 'default', timeZone: null, servers: [], description: '' } });
  }
  return world;
}

/**
 * The clock's `soon` only runs while it settles; and under many commits in no time the committer
 * paces itself by a few milliseconds.
 */
async function settling<T>(clock: Pick<ManualClock, 'settle' | 'advance'>, work: Promise<T>): Promise<T> {
  let pending = true;
  const outcome = work.then(
    value => ({ value }),
    error => ({ error: error as Error }),
  );
  void outcome.then(() => {
    pending = false;
  });
  await clock.settle();
  for (let waits = 0; pending && waits < 20; waits++) await clock.advance(2);
  const result = await outcome;
  if ('error' in result) throw result.error;
  return result.value;
}
