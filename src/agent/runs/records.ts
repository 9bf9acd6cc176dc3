/** What the agent remembers of a run, and the changes of its memory. */
import type { Fence, ProcessSpec, Report, Run, RunVerdict } from '../../protocol/agent.ts';

export interface RunRecord {
  run: Run;
  fence: Fence;
  /** Null for a tombstone, and once the run is over. */
  spec: ProcessSpec | null;
  bootId: string;
  /** The data directory in which its start was promised; null where that was not written down. */
  place: string | null;
  /** Preparations begun, counted before each; a graceful stop gives its one back. */
  preparations: number;
  /** The keeper said that it has the run. */
  kept: boolean;
  /** A sentence worth showing with the run, whatever its end. */
  note: string | null;
  /** `withdrawn` ends only what has not begun. */
  stop: { as: 'cancelled' | 'superseded' | 'withdrawn' | 'disconnected'; reason: string } | null;
  /** Epoch ms; of the first durable note and of the end. */
  at: number;
  startedAt: number | null;
  endedAt: number | null;
  /** In the order they happened; gone once the center said `reported`. */
  unreported: Report[];
  /** How it ended, once the center has confirmed that; reported again to a restored center. */
  verdict: RunVerdict | null;
  /** Output that the center has kept, through this `seq`. */
  outputKept: number;
  /** Nothing is left to do but to know a repeat. */
  settled: boolean;
}

/** Whether its process must end. */
export const mustEnd = ({ stop }: Pick<RunRecord, 'stop'>): boolean => stop !== null && stop.as !== 'withdrawn';

export type Change =
  | { run: string; set: Partial<RunRecord> }
  | { epoch: [partition: number, epoch: number] }
  /** The center welcomed this agent once: the join token is spent. */
  | { joined: true }
  /** Fingerprint of the key of the installation that this agent obeys. */
  | { centerKey: string }
  | { nextId: number };

export const blankRecord: Omit<RunRecord, 'run' | 'fence' | 'bootId' | 'at'> = {
  spec: null,
  place: null,
  preparations: 0,
  kept: false,
  note: null,
  stop: null,
  startedAt: null,
  endedAt: null,
  unreported: [],
  verdict: null,
  outputKept: 0,
  settled: false,
};

/** The least a record begins with. */
export type NewRecord = Pick<RunRecord, 'run' | 'fence' | 'bootId' | 'at'> & Partial<RunRecord>;
