/**
 * Reasons why a job or an execution runs or does not, as values. Their texts are in `messages.ts`
 * alone. Instants are ISO texts, amounts are cores and MB.
 */
import type { Resources } from '../app/types.ts';
import type { ShardOutcome } from '../execution/types.ts';
import type { Verdict } from '../job/occurrence.ts';
import type { Address, Contexts, Kind } from '../types.ts';

/** A committed actor. */
export interface ActorView<K extends Kind = Kind> {
  address: Address<K>;
  context: Contexts[K];
  /** XState's state value. */
  value: unknown;
  quarantine: { reason: string; at: number } | null;
  /** Its armed timers, epoch ms. */
  timers: { id: string; dueAt: number }[];
}

/** The effect of a trigger now. */
export type DryRun =
  | { does: 'starts'; hosts: string[] }
  /** Some shards start, the others wait. */
  | { does: 'startsInPart'; hosts: string[]; reason: string }
  | { does: 'waits'; reason: string }
  | { does: 'joins'; execution: string }
  /** `reason` ends "job x ...". */
  | { does: 'refused'; reason: string };

export type Reason =
  /** It processes no event until its release. */
  | { type: 'quarantined'; who: Address; since: string; reason: string }
  /** Its document is damaged or of a newer version; `reason` goes behind its name. */
  | { type: 'unreadable'; who: Address; reason: string }
  /** The job refuses a trigger; `reason` ends "job x ...". */
  | { type: 'refused'; job: string; reason: string }
  | { type: 'deregistering'; job: string; open: number }
  /** The app has not answered yet; `there`: whether it is published. */
  | { type: 'appPending'; job: string; app: string; there: boolean }
  | { type: 'noSchedule'; job: string; switchedOff: boolean }
  | { type: 'noDueLeft'; job: string }
  | { type: 'due'; job: string; dueAt: string; inMs: number }
  /** Due, and its timer has not fired yet. */
  | { type: 'overdue'; job: string; dueAt: string }
  /** Within the last day the schedule audit found the job not armed, and armed it. */
  | { type: 'unarmed'; job: string; at: string; dueAt: string; reason: string }
  /** The verdict of the next due time if nothing changes until then. */
  | { type: 'nextDue'; job: string; dueAt: string; verdict: Verdict; execution: string | null; reason: string | null }
  /** The latest entry of the ledger of due times. */
  | {
      type: 'lastDue';
      job: string;
      from: string;
      to: string;
      count: number;
      verdict: Verdict;
      execution: string | null;
      reason: string | null;
    }
  /** `reason`: why it did not succeed; null: unknown, or deleted by retention. */
  | { type: 'lastExecution'; job: string; execution: string; outcome: string; finishedAt: string | null; reason: string | null }
  | ({ type: 'dryRun'; job: string } & DryRun)
  /** Open executions that are not listed one by one. */
  | { type: 'moreOpen'; job: string; count: number }
  | { type: 'done'; execution: string; outcome: ShardOutcome | null; finishedAt: string | null; reason: string | null }
  | { type: 'cancelling'; execution: string; reason: string | null; left: number }
  /** Its job does not let it start yet. */
  | { type: 'blocked'; execution: string; since: string; reason: string; behind: string | null }
  /** A failed or lost shard waits for its next attempt. */
  | { type: 'backOff'; execution: string; item: number; attempt: number; until: string; reason: string | null }
  /** It does not fit; `reason`: the text of its pool. */
  | { type: 'noCapacity'; execution: string; pool: string; shards: number; since: string; ahead: number; reason: string }
  /** No host takes its sticky job. */
  | { type: 'unallocated'; execution: string; reason: string }
  /**
   * Hosts of the shards of a sticky job, by name, each once. `next`: those that its table proposes;
   * a shard goes there when no open execution runs it any more. `reason`: why it has none.
   */
  | { type: 'allocation'; job: string; pool: string; hosts: string[]; next: string[]; reason: string | null }
  /** It fits; the pool places it with its next pass. */
  | { type: 'capacitySoon'; execution: string; pool: string }
  /** A message between execution and pool is in transit. */
  | { type: 'inTransit'; execution: string; pool: string; what: 'request' | 'placement' }
  /** The pool has no request of the execution, which sends it again. */
  | { type: 'reserveAgain'; execution: string; pool: string; reason: string | null; at: string }
  | { type: 'poolMissing'; pool: string }
  | { type: 'hosts'; pool: string; ready: number; notReady: Partial<Record<string, number>> }
  /** It would not fit on the ready hosts even if they ran nothing else. */
  | { type: 'tooLarge'; pool: string }
  | {
      type: 'free';
      pool: string;
      host: string;
      open: boolean;
      /** The servers of the pool do not name it. Absent: they do. */
      excluded?: true;
      /** Why it refused a run although it is ready. Absent: it refused none. */
      refusing?: string;
      free: Resources;
      total: Resources;
      price: Resources;
      lacks: ('cpu' | 'memory')[];
    }
  /** An execution that has reservations. */
  | { type: 'holder'; pool: string; execution: string; shards: number; takes: Resources }
  /** Shards on one host; `withdrawReason`: why the execution withdraws them from it. */
  | {
      type: 'shards';
      execution: string;
      status: 'starting' | 'running' | 'ending';
      items: number[];
      host: string;
      since: string | null;
      withdrawReason: string | null;
    }
  | { type: 'shardEnded'; execution: string; item: number; attempt: number; host: string | null; outcome: ShardOutcome; how: string | null }
  /** A relevant host that is not ready, or that its pool rejects because of `rejectedByPool`. */
  | { type: 'host'; host: string; status: string; since: string | null; lostAt: string | null; rejectedByPool: string | null }
  /** The number of reasons of the same kind that are not listed. */
  | { type: 'andMore'; what: 'hosts' | 'holders' | 'shards'; count: number };

/** `lead`: the parts of the sentence, in order. `more`: further facts. */
export interface Explanation {
  lead: Reason[];
  more: Reason[];
}

/** Limit of listed reasons of one kind. */
export const SHOWN_MAX = 10;

export const isoOf = (at: number): string => new Date(at).toISOString();
export const isoOr = (at: number | null): string | null => (at === null ? null : isoOf(at));
export const quarantined = ({ address, quarantine }: ActorView): Reason[] =>
  quarantine ? [{ type: 'quarantined', who: address, since: isoOf(quarantine.at), reason: quarantine.reason }] : [];
