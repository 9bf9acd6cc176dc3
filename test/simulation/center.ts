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
import type { WorkerHosts } from '../../src/runtime/workers/worker-host.ts';
import { createNotificationService } from '../../src/services/notifications/index.ts';
import type { MailPort } from '../../src/services/notifications/mail.ts';
import { createRetentionService, type Keep } from '../../src/services/retention.ts';
import { createScheduleAudit } from '../../src/services/schedule-audit.ts';
import { type PartitionRange, type Store, StoreUnavailable } from '../../src/store/port.ts';
import { inThisThread } from '../support/in-this-thread.ts';
import { signatureOf } from './host.ts';
import type { Network } from './network.ts';
import { idsOf } from './random.ts';
import type { SimulatedSystem } from './system.ts';
import { type Program, startProgram } from './time.ts';

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
  system: SimulatedSystem;
  network: Network;
  /** The store as this life of the center sees it. */
  storeFor(program: Program): Store;
  /**
   * The same without trouble and without crash points: the audit must judge what is there, and its
   * reads must not move the faults of a seed.
   */
  truth: Store;
  /** Partition workers, each of which can die alone. Default 1. */
  workers?: number;
  /** Takes its mail. */
  mailFor(program: Program): MailPort;
  /** How long history is kept; absent: forever. */
  keep?: Keep | undefined;
}

/** How often a message finds its worker busy, and for how long at most. */
const BUSY_ODDS = 0.02;
const BUSY_MAX_MS = 600;
const SET_UP_MS = 10_000;
/** The key of every center of a story. */
const INSTALLATION = 'installation';

/** Few, so that recipients of several jobs wait for another minute. */
const NOTICES_PER_MINUTE = 3;

/** Between passes of the schedule audit. */
const AUDIT_MS = 15_000;
/** Between passes of retention. */
const FORGET_MS = 4_000;

export function createSimulatedCenter({ system, network, storeFor, mailFor, truth, workers = 1, keep }: CenterParts): SimulatedCenter {
  const { time } = system;
  const ids = idsOf(system.random('center'));
  const deaths: number[] = [];
  let instances = 0;
  let current: { program: Program; runtime: Runtime; isServing: boolean } | undefined;
  let living: { partitions: PartitionRange; program: Program; died(reason: string): void }[] = [];

  /** One worker is the center itself; of several each has a life of its own. */
  function workerHostsOf(program: Program): WorkerHosts {
    const homeIn = (its: Program) => inThisThread({ store: storeFor(its), clock: time.clockOf(its), ids, owner: program.name });
    if (workers === 1) return homeIn(program);
    let begun = 0;
    return {
      count: workers,
      mayDie: false,
      open({ partitions, receive, died }) {
        const its = startProgram(`${program.name}-worker-${++begun}`);
        program.onEnd(() => its.end());
        living.push({ partitions, program: its, died });
        const home = homeIn(its).open({ partitions, receive: message => its.isAlive && receive(message), died });
        const resume = nowAndThenLater(its, message => home.post(message));
        return {
          post(message) {
            if (its.isAlive) resume(message);
          },
          end: async () => its.end(),
        };
      },
    };
  }

  /**
   * A busy worker gets its waiting messages in one batch. Not at first, while the operator sets
   * everything up.
   */
  function nowAndThenLater(worker: Program, resume: (message: ToPartitions) => void): (message: ToPartitions) => void {
    const random = system.random(`lag ${worker.name}`);
    const paused: ToPartitions[] = [];
    return message => {
      // The queries of the audit change nothing, and must not draw random numbers either.
      if (message.type === 'timersOf') return resume(message);
      if (paused.length === 0 && (time.elapsed < SET_UP_MS || !random.chance(BUSY_ODDS))) return resume(message);
      if (paused.push(message) > 1) return;
      time.clockOf(worker).after(random.whole(20, BUSY_MAX_MS), () => {
        for (let next = paused[0]; next; next = paused[0]) {
          resume(next);
          // Only now: later messages are queued behind.
          paused.shift();
        }
      });
    };
  }

  async function begin(program: Program, runtime: Runtime, hub: AgentHub, views: ReturnType<typeof createViews>): Promise<void> {
    await runtime.start();
    if (!(await views.get('pool/default'))) {
      await runtime.ask('pool/default', { type: 'pool.create', config: { name: 'default', timeZone: null, servers: [], description: '' } });
    }
    await hub.restartGrace();
    runtime.arm();
    audit(program, runtime);
    network.listen(program, peer => hub.accept(peer));
    if (current?.program === program) current.isServing = true;
    system.note('center', () => `${program.name} serves`);
  }

  /** As the service does it, only more often. */
  function forget(program: Program, store: Store, kept: Keep): void {
    const clock = time.clockOf(program);
    const forgetting = createRetentionService({ store, clock, keep: kept, reader: { endedAt, executionsOf }, log: () => {} });
    const pass = async (): Promise<void> => {
      try {
        const gone = await forgetting.runOnce();
        system.note('retention', () => JSON.stringify(gone));
      } catch (problem) {
        if (!(problem instanceof StoreUnavailable)) system.fail('retention', String(problem));
      }
      clock.after(FORGET_MS, () => void pass());
    };
    clock.after(FORGET_MS, () => void pass());
  }

  /**
   * Whatever goes wrong in a seed, every schedule is armed and every due time gets its verdict:
   * there is never anything to find.
   */
  function audit(program: Program, runtime: Runtime): void {
    const clock = time.clockOf(program);
    const service = createScheduleAudit({ store: truth, runtime, clock, log: (_, text) => system.note('audit', () => text) });
    const pass = async (): Promise<void> => {
      for (const finding of await service.runOnce()) system.fail('audit', JSON.stringify(finding));
      clock.after(AUDIT_MS, () => void pass());
    };
    clock.after(AUDIT_MS, () => void pass());
  }

  function start(): void {
    const program = startProgram(`center-${++instances}`);
    const clock = time.clockOf(program);
    const store = storeFor(program);
    const views = createViews({ store });
    let hub: AgentHub | undefined;
    const ready: ((host: string) => void)[] = [];
    const runtime = createRuntime({
      store,
      clock,
      ids,
      owner: program.name,
      workerHosts: workerHostsOf(program),
      fleet: {
        send: (host, command) => (hub as AgentHub).send(host, command),
        onReady: listener => void ready.push(listener),
        closeSession: (host, code, reason) => hub?.closeSession(host, code, reason),
      },
      notifier: createNotificationService({
        ...{ clock, output: truth, domain: 'x', perMinute: NOTICES_PER_MINUTE, mail: mailFor(program) },
        webhooks: { send: async ({ url }) => ({ to: url, outcome: 'sent', reason: null }) },
      }),
      log(line) {
        system.note('center', () => `${line.level} ${line.address}: ${line.text} ${line.cause?.split('\n')[0] ?? ''}`);
        // The store may refuse and workers may die; nothing else may go wrong in there.
        if (line.level === 'error' && !line.text.includes('it was killed'))
          system.fail('runtime', `${line.address}: ${line.text}: ${line.cause}`);
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
        system.note('hub', () => `${level} ${message} ${JSON.stringify(fields)}`);
        if (level === 'error') system.fail('hub', `${message} ${JSON.stringify(fields)} ${String(fields.problem)}`);
      },
    });
    hub.onReady(host => {
      for (const listener of ready) listener(host);
    });
    current = { program, runtime, isServing: false };
    if (keep) forget(program, store, keep);
    begin(program, runtime, hub, views).catch((problem: unknown) => {
      if (!program.isAlive) return;
      system.note('center', () => `${program.name} cannot begin: ${String(problem)}`);
      kill(500);
    });
  }

  function kill(backMs: number): void {
    if (!current?.program.isAlive) return;
    system.note('center', () => `${current?.program.name} is killed`);
    deaths.push(time.elapsed);
    current.isServing = false;
    current.program.end();
    time.after(Math.max(1, backMs), start);
  }

  return {
    start,
    kill,
    killWorker(partition) {
      const worker = living.find(
        ({ partitions, program }) => program.isAlive && partition >= partitions.from && partition <= partitions.to,
      );
      if (!worker) return;
      system.note('center', () => `${worker.program.name} is killed`);
      worker.program.end();
      living = living.filter(each => each.program.isAlive);
      worker.died('it was killed');
    },
    deaths,
    get isServing() {
      return current?.isServing ?? false;
    },
    async ask(to, event) {
      const mine = current;
      if (!mine?.isServing) throw new Gone('nobody listens');
      const broken = new Promise<never>((_, reject) => mine.program.onEnd(() => reject(new Gone('the center died'))));
      return Promise.race([mine.runtime.ask(to, event), broken]);
    },
  };
}
