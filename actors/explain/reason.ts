/**
 * Why something runs or does not: reasons as values, taken from what decides (guards, refusals, the
 * pool's ledger, shards, timers). The words for them are in `words.ts`, and only there. Instants
 * are ISO texts, amounts are cores and MB.
 */
import type { Resources } from '../app/types.ts';
import type { ShardOutcome } from '../execution/types.ts';
import type { Verdict } from '../job/occurrence.ts';
import type { Address, Contexts, Kind } from '../types.ts';

/** An actor as it was committed. */
export interface ActorView<K extends Kind = Kind> {
  address: Address<K>;
  context: Contexts[K];
  /** XState's state value. */
  value: unknown;
  quarantine: { reason: string; at: number } | null;
  /** What it is armed for, epoch ms. */
  timers: { id: string; dueAt: number }[];
}

/** What would become of a trigger now. */
export type DryRun =
  | { does: 'starts'; hosts: string[] }
  /** Some shards start, the others wait. */
  | { does: 'startsInPart'; hosts: string[]; reason: string }
  | { does: 'waits'; reason: string }
  | { does: 'joins'; execution: string }
  /** `reason` ends "job x ...". */
  | { does: 'refused'; reason: string };

export type Reason =
  /** Nothing is done for it before it is released. */
  | { type: 'quarantined'; who: Address; since: string; reason: string }
  /** Stored, and damaged or of a newer version; `reason` goes behind its name. */
  | { type: 'unreadable'; who: Address; reason: string }
  /** The job takes no trigger; `reason` ends "job x ...". */
  | { type: 'refused'; job: string; reason: string }
  | { type: 'deregistering'; job: string; open: number }
  /** The app was asked and has not answered; `there`: whether it is published at all. */
  | { type: 'appPending'; job: string; app: string; there: boolean }
  | { type: 'noSchedule'; job: string; switchedOff: boolean }
  | { type: 'noDueLeft'; job: string }
  | { type: 'due'; job: string; dueAt: string; inMs: number }
  /** Due, and its turn has not come yet. */
  | { type: 'overdue'; job: string; dueAt: string }
  /** The schedule audit found it not armed within the last day, and armed it again. */
  | { type: 'unarmed'; job: string; at: string; dueAt: string; reason: string }
  /** What the next due time would become if nothing changed until then. */
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
  /** `reason`: why it did not succeed, as far as it is still kept. */
  | { type: 'lastExecution'; job: string; execution: string; outcome: string; finishedAt: string | null; reason: string | null }
  | ({ type: 'dryRun'; job: string } & DryRun)
  /** Open executions that are not told one by one. */
  | { type: 'moreOpen'; job: string; count: number }
  | { type: 'done'; execution: string; outcome: ShardOutcome | null; finishedAt: string | null; reason: string | null }
  | { type: 'cancelling'; execution: string; reason: string | null; left: number }
  /** Its job has not let it go. */
  | { type: 'blocked'; execution: string; since: string; reason: string; behind: string | null }
  /** A shard that failed or was lost, and waits for the instant of its next attempt. */
  | { type: 'backOff'; execution: string; item: number; attempt: number; until: string; reason: string | null }
  /** The pool has looked and found no room; `reason` in its words. */
  | { type: 'noCapacity'; execution: string; pool: string; shards: number; since: string; ahead: number; reason: string }
  /** The next look of the pool will find room. */
  | { type: 'capacitySoon'; execution: string; pool: string }
  /** A message between execution and pool is under way. */
  | { type: 'inTransit'; execution: string; pool: string; what: 'request' | 'placement' }
  /** The pool keeps no request of it; it is asked again. */
  | { type: 'reserveAgain'; execution: string; pool: string; reason: string | null; at: string }
  | { type: 'poolMissing'; pool: string }
  | { type: 'hosts'; pool: string; ready: number; notReady: Partial<Record<string, number>> }
  /** Not even empty would the hosts that are ready take it. */
  | { type: 'tooLarge'; pool: string }
  | {
      type: 'free';
      pool: string;
      host: string;
      open: boolean;
      /** Why it refused a run although it is ready. Absent: it did not. */
      refusing?: string;
      free: Resources;
      total: Resources;
      price: Resources;
      lacks: ('cpu' | 'memory')[];
    }
  /** Who has the room. */
  | { type: 'holder'; pool: string; execution: string; shards: number; takes: Resources }
  /** Shards on one host; `withdrawReason`: why they are asked back before they begin. */
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
  /** A relevant host that is not simply ready; `rejectedByPool`: why its pool does not take it. */
  | { type: 'host'; host: string; status: string; since: string | null; lostAt: string | null; rejectedByPool: string | null }
  /** So many of the same kind are not told. */
  | { type: 'andMore'; what: 'hosts' | 'holders' | 'shards'; count: number };

/** `lead` makes the sentence, in this order; `more` is what stands behind it. */
export interface Why {
  lead: Reason[];
  more: Reason[];
}

/** Things of one kind that are told one by one. */
export const SHOWN_MAX = 10;

export const iso = (at: number): string => new Date(at).toISOString();
export const isoOr = (at: number | null): string | null => (at === null ? null : iso(at));
export const quarantined = ({ address, quarantine }: ActorView): Reason[] =>
  quarantine ? [{ type: 'quarantined', who: address, since: iso(quarantine.at), reason: quarantine.reason }] : [];
