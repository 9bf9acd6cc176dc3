/**
 * The center: production runtime and agent hub on the simulated store and network, put together the
 * way the program does it. Dies and comes back.
 */
import type { Address, Events, Kind } from '../../actors/types.ts';
import { type AgentHub, createAgentHub } from '../../src/gateway/index.ts';
import { createRuntime } from '../../src/runtime/create.ts';
import { endedAt, executionsOf } from '../../src/runtime/retention-guards.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { createViews } from '../../src/runtime/views.ts';
import type { ToPartitions } from '../../src/runtime/workers/messages.ts';
import { inThisThread, type WorkerHosts } from '../../src/runtime/workers/worker-host.ts';
import { createRetentionService, type Keep } from '../../src/services/retention.ts';
import { createScheduleAudit } from '../../src/services/schedule-audit.ts';
import { type PartitionRange, type Store, StoreUnavailable } from '../../src/store/port.ts';
import { idsOf } from './dice.ts';
import { signatureOf } from './host.ts';
import type { Network } from './network.ts';
import { beginLife, type Life } from './time.ts';
import type { World } from './world.ts';

export const HEARTBEAT_MS = 5_000;
export const HOST_GRACE_MS = 15_000;
export const CLOSED_GRACE_MS = 2_000;

/** The center died before it answered: whether it took the command is unknown. */
export class Gone extends Error {}

export interface SimulatedCenter {
  start(): void;
  /** kill -9; another one starts `backMs` later. */
  kill(backMs: number): void;
  /** The worker that serves this partition dies; the center replaces it. */
  killWorker(partition: number): void;
  /**
   * Asks as a client would, over a connection that breaks when the center dies. Throws Gone, and
   * what the runtime throws.
   */
  ask<K extends Kind>(to: Address<K>, event: Events[K]): Promise<unknown>;
  readonly isServing: boolean;
  /** Simulated instants at which centers died or could not begin. */
  readonly deaths: readonly number[];
}

export interface CenterParts {
  world: World;
  network: Network;
  /** The store as this life of the center sees it. */
  storeFor(life: Life): Store;
  /**
   * The same without trouble and without crash points: the audit must judge what is there, and its
   * reads must not move the faults of a seed.
   */
  truth: Store;
  /** Sets of partitions, each of which can die alone. Default 1. */
  workers?: number;
  /** How long old history is kept; absent: for ever. */
  keep?: Keep | undefined;
}

/** How often a message finds its worker busy, and for how long at most. */
const BUSY_ODDS = 0.02;
const BUSY_MAX_MS = 600;
const SET_UP_MS = 10_000;
/** The key of every center of a story. */
const INSTALLATION = 'installation';

/** Between passes of the schedule audit. */
const AUDIT_MS = 15_000;
/** Between passes of retention. */
const FORGET_MS = 4_000;

export function createSimulatedCenter({ world, network, storeFor, truth, workers = 1, keep }: CenterParts): SimulatedCenter {
  const { time } = world;
  const ids = idsOf(world.dice('center'));
  const deaths: number[] = [];
  let lives = 0;
  let current: { life: Life; runtime: Runtime; isServing: boolean } | undefined;
  let living: { partitions: PartitionRange; life: Life; died(reason: string): void }[] = [];

  /** One worker is the center itself; of several each has a life of its own. */
  function workerHostsOf(life: Life): WorkerHosts {
    const homeIn = (its: Life) => inThisThread({ store: storeFor(its), clock: time.clockOf(its), ids, owner: life.name });
    if (workers === 1) return homeIn(life);
    let begun = 0;
    return {
      count: workers,
      mayDie: false,
      open({ partitions, receive, died }) {
        const its = beginLife(`${life.name}-worker-${++begun}`);
        life.onEnd(() => its.end());
        living.push({ partitions, life: its, died });
        const home = homeIn(its).open({ partitions, receive: message => its.isAlive && receive(message), died });
        const hear = nowAndThenLater(its, message => home.post(message));
        return {
          post(message) {
            if (its.isAlive) hear(message);
          },
          end: async () => its.end(),
        };
      },
    };
  }

  /**
   * A worker that is busy hears what it was told meanwhile in one breath. Not at first, while the
   * operator sets everything up.
   */
  function nowAndThenLater(worker: Life, hear: (message: ToPartitions) => void): (message: ToPartitions) => void {
    const dice = world.dice(`lag ${worker.name}`);
    const unheard: ToPartitions[] = [];
    return message => {
      // What the audit asks changes nothing, and must not move the dice either.
      if (message.type === 'timersOf') return hear(message);
      if (unheard.length === 0 && (time.elapsed < SET_UP_MS || !dice.chance(BUSY_ODDS))) return hear(message);
      if (unheard.push(message) > 1) return;
      time.clockOf(worker).after(dice.whole(20, BUSY_MAX_MS), () => {
        for (let next = unheard[0]; next; next = unheard[0]) {
          hear(next);
          // Only now: what is said meanwhile comes behind.
          unheard.shift();
        }
      });
    };
  }

  async function begin(life: Life, runtime: Runtime, hub: AgentHub, views: ReturnType<typeof createViews>): Promise<void> {
    await runtime.start();
    if (!(await views.get('pool/default'))) {
      await runtime.ask('pool/default', { type: 'pool.create', config: { name: 'default', timeZone: null, servers: [], description: '' } });
    }
    await hub.restartGrace();
    runtime.arm();
    audit(life, runtime);
    network.listen(life, peer => hub.accept(peer));
    if (current?.life === life) current.isServing = true;
    world.note('center', () => `${life.name} serves`);
  }

  /** As the service does it, only more often. */
  function forget(life: Life, store: Store, kept: Keep): void {
    const clock = time.clockOf(life);
    const forgetting = createRetentionService({ store, clock, keep: kept, reader: { endedAt, executionsOf }, log: () => {} });
    const pass = async (): Promise<void> => {
      try {
        const gone = await forgetting.runOnce();
        world.note('retention', () => JSON.stringify(gone));
      } catch (problem) {
        if (!(problem instanceof StoreUnavailable)) world.fail('retention', String(problem));
      }
      clock.after(FORGET_MS, () => void pass());
    };
    clock.after(FORGET_MS, () => void pass());
  }

  /**
   * Whatever goes wrong in a seed, every schedule is armed and every due time gets its verdict:
   * there is never anything to find.
   */
  function audit(life: Life, runtime: Runtime): void {
    const clock = time.clockOf(life);
    const service = createScheduleAudit({ store: truth, runtime, clock, log: (_, text) => world.note('audit', () => text) });
    const pass = async (): Promise<void> => {
      for (const finding of await service.runOnce()) world.fail('audit', JSON.stringify(finding));
      clock.after(AUDIT_MS, () => void pass());
    };
    clock.after(AUDIT_MS, () => void pass());
  }

  function start(): void {
    const life = beginLife(`center-${++lives}`);
    const clock = time.clockOf(life);
    const store = storeFor(life);
    const views = createViews({ store });
    let hub: AgentHub | undefined;
    const ready: ((host: string) => void)[] = [];
    const runtime = createRuntime({
      store,
      clock,
      ids,
      owner: life.name,
      workerHosts: workerHostsOf(life),
      fleet: {
        send: (host, command) => (hub as AgentHub).send(host, command),
        onReady: listener => void ready.push(listener),
        closeSession: (host, code, reason) => hub?.closeSession(host, code, reason),
      },
      log(line) {
        world.note('center', () => `${line.level} ${line.address}: ${line.text} ${line.cause?.split('\n')[0] ?? ''}`);
        // The store may refuse and workers may die; nothing else may go wrong in there.
        if (line.level === 'error' && !line.text.includes('it was killed'))
          world.fail('runtime', `${line.address}: ${line.text}: ${line.cause}`);
      },
    });
    hub = createAgentHub({
      runtime,
      views,
      store,
      // Straight to the store: pieces come in order and nothing of them falls out here.
      output: { keep: chunks => store.keepOutput(chunks.map(({ start: _, ...chunk }) => ({ ...chunk, leftOut: 0 }))) },
      clock,
      ids,
      heartbeatMs: HEARTBEAT_MS,
      hostGraceMs: HOST_GRACE_MS,
      closedGraceMs: CLOSED_GRACE_MS,
      verify: (publicKey, text, signature) => signature === signatureOf(publicKey, text),
      readJoinToken: async token => (token === 'join' ? { pool: null } : undefined),
      spendJoinToken: async token => (token === 'join' ? { pool: null } : undefined),
      installation: () => ({ publicKey: INSTALLATION, sign: text => signatureOf(INSTALLATION, text) }),
      auth: 'on',
      onLog(level, message, fields) {
        world.note('hub', () => `${level} ${message} ${JSON.stringify(fields)}`);
        if (level === 'error') world.fail('hub', `${message} ${JSON.stringify(fields)} ${String(fields.problem)}`);
      },
    });
    hub.onReady(host => {
      for (const listener of ready) listener(host);
    });
    current = { life, runtime, isServing: false };
    if (keep) forget(life, store, keep);
    begin(life, runtime, hub, views).catch((problem: unknown) => {
      if (!life.isAlive) return;
      world.note('center', () => `${life.name} cannot begin: ${String(problem)}`);
      kill(500);
    });
  }

  function kill(backMs: number): void {
    if (!current?.life.isAlive) return;
    world.note('center', () => `${current?.life.name} is killed`);
    deaths.push(time.elapsed);
    current.isServing = false;
    current.life.end();
    time.after(Math.max(1, backMs), start);
  }

  return {
    start,
    kill,
    killWorker(partition) {
      const worker = living.find(({ partitions, life }) => life.isAlive && partition >= partitions.from && partition <= partitions.to);
      if (!worker) return;
      world.note('center', () => `${worker.life.name} is killed`);
      worker.life.end();
      living = living.filter(each => each.life.isAlive);
      worker.died('it was killed');
    },
    deaths,
    get isServing() {
      return current?.isServing ?? false;
    },
    async ask(to, event) {
      const mine = current;
      if (!mine?.isServing) throw new Gone('nobody listens');
      const broken = new Promise<never>((_, reject) => mine.life.onEnd(() => reject(new Gone('the center died'))));
      return Promise.race([mine.runtime.ask(to, event), broken]);
    },
  };
}
