/**
 * The words that every machine shares: addresses, the stamp on each event, the effects that may be
 * asked for. Types and tiny functions only.
 */
import type { AppEvent } from './app/machine.ts';
import type { ExecutionEvent } from './execution/machine.ts';
import type { HostEvent } from './host/machine.ts';
import type { JobEvent } from './job/machine.ts';
import type { PoolEvent } from './pool/machine.ts';
import type { Schedule } from './schedule/index.ts';

export interface Events {
  job: JobEvent;
  execution: ExecutionEvent;
  app: AppEvent;
  host: HostEvent;
  pool: PoolEvent;
}
export type Kind = keyof Events;
export type Address<K extends Kind = Kind> = `${K}/${string}`;

/** What the runtime adds to each event when it takes it in: machines have no clock and no dice. */
export interface Stamp {
  /** Epoch milliseconds. */
  at: number;
  /** 0 <= chance < 1, for jitter. */
  chance: number;
  /** Six characters `0-9a-z`, for names. */
  salt: string;
}
export type Stamped<E> = E & Stamp;

/** News that the outbox gives back when the addressee of a message is not there. */
export interface Missing {
  type: 'actor.missing';
  to: string;
  /** Type of the event that could not be delivered. */
  about: string;
  /** That event. */
  told?: { type: string };
}

/**
 * Why a host, and not a run, refused a start: nothing of the run began there, and the next run
 * would be refused, too. `epoch`: its agent has served a newer center. `journal`, `disk`: they
 * cannot be written. `keeper`: none can be opened. `spawn`: the system gives no process. `runs`: as
 * many runs as the agent takes.
 */
export type HostFault = 'epoch' | 'journal' | 'disk' | 'keeper' | 'spawn' | 'runs';

/**
 * `waiting`: its execution has started no process yet. It becomes `ran` when one begins,
 * `notStarted` when the execution ends without one, `unknown` when it ends and a host that was lost
 * may have begun one. All others are final from the first.
 */
export const VERDICTS = [
  'waiting',
  'ran',
  'notStarted',
  'unknown',
  'coalesced',
  'skippedOverlap',
  'missedDown',
  'disabled',
  'refused',
] as const;
export type Verdict = (typeof VERDICTS)[number];
/** What a `waiting` entry may become, once. */
export const SETTLED: readonly Verdict[] = ['ran', 'notStarted', 'unknown'];

/** A due time (`from === to`), or a stretch of `count` due times, with its verdict. Epoch ms. */
export interface OccurrenceEntry {
  job: string;
  from: number;
  to: number;
  count: number;
  verdict: Verdict;
  execution: string | null;
  reason: string | null;
  decidedAt: number;
  /**
   * Of a longer stretch: the schedules it was counted under, so that it can be told due time by due
   * time when they are long gone.
   */
  rule?: { schedules: Schedule[]; timeZone: string };
}

export interface RunName {
  execution: string;
  item: number;
  attempt: number;
}
export const runKey = (run: RunName): string => `${run.execution}:${run.item}:${run.attempt}`;

/** What a process needs to be started; the agent's `ProcessSpec` without what the host knows. */
export interface RunSpec {
  command: string | string[];
  shell: boolean;
  lastArgument?: string;
  env: Record<string, string>;
  artifact?: { app: string; url: string; sha256?: string; cache: boolean; version: number };
  runAs?: string;
  timeoutMs: number;
  killGraceMs: number;
  disconnect: 'continue' | 'stop';
  disconnectMs: number;
}

/**
 * Everything a machine can want of the world. The names are the declared actions of the machines;
 * the runtime grants exactly these.
 */
export type Effect =
  /** Sends the event to another actor at least once, in order; the addressee drops repeats. */
  | { type: 'tell'; params: { [K in Kind]: { to: Address<K>; event: Events[K] } }[Kind] }
  /**
   * Write entries of the occurrence ledger; writing one twice is nothing, and what became of a
   * waiting one stands whichever comes first.
   */
  | { type: 'record'; params: { entries: OccurrenceEntry[] } }
  /** Have the agent of `host` start this run; at least once, in order per host. */
  | { type: 'start'; params: { host: string; run: RunName; spec: RunSpec } }
  /**
   * Have the agent of `host` end this run, or never start it; `withdrawn`: only the latter, what
   * has begun goes on.
   */
  | { type: 'stop'; params: { host: string; run: RunName; as: 'cancelled' | 'superseded' | 'withdrawn'; reason: string } }
  /** Cut the session of a host that may not serve now, or any more. */
  | { type: 'expel'; params: { host: string; code: 'retired' | 'unplaced'; reason: string } }
  /** Answer the command that is being decided (after the commit; not owed). */
  | { type: 'answer'; params: { value: unknown } }
  /** Put this actor into quarantine with the commit of this turn (not owed). */
  | { type: 'quarantine'; params: { reason: string } };

export const tell = <K extends Kind>(to: Address<K>, event: Events[K]): Effect => ({ type: 'tell', params: { to, event } }) as Effect;
