/** Due times and their verdicts, as the occurrence ledger records them. */
import type { JobSchedule } from '../schedule/index.ts';

/**
 * `waiting`: its execution has started no process yet. It becomes `ran` when a process starts,
 * `notStarted` when the execution ends without one, `unknown` when it ends and a lost host may
 * have started one. All other verdicts are final.
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
/** The verdicts that replace `waiting`, once. */
export const RESOLVED_VERDICTS: readonly Verdict[] = ['ran', 'notStarted', 'unknown'];

/** A due time (`from === to`), or a range of `count` due times, with its verdict. Epoch ms. */
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
   * Of a range: the schedules that counted it. They list its due times one by one after the job
   * has changed.
   */
  rule?: { schedules: JobSchedule[]; timeZone: string };
}
