/** The agent's record of a run, and the changes of its journal. */
import type { Fence, ProcessSpec, Report, Run, RunVerdict } from '../../protocol/agent.ts';

export interface RunRecord {
  run: Run;
  fence: Fence;
  /** Null of a tombstone, and after the end. */
  spec: ProcessSpec | null;
  bootId: string;
  /** The data directory in which its start was recorded; null where it has no id. */
  dataDirId: string | null;
  /** Preparations begun, counted before each; a graceful stop subtracts its own. */
  preparations: number;
  /** The keeper has confirmed the start. */
  started: boolean;
  /** A sentence for the report of the end. */
  note: string | null;
  /** The directory of its job, where it runs in that. */
  directory: string | null;
  /** `withdrawn` ends only a run that has not started. */
  stop: { as: 'cancelled' | 'superseded' | 'withdrawn' | 'disconnected'; reason: string } | null;
  /** Epoch ms; of the first durable record and of the end. */
  at: number;
  startedAt: number | null;
  endedAt: number | null;
  /** In order; removed once the center has acknowledged them. */
  unreported: Report[];
  /** The acknowledged end, to be reported again to a restored center. */
  verdict: RunVerdict | null;
  /** The center has stored the output through this `seq`. */
  outputAcknowledged: number;
  /** The record serves only to recognise repeated commands. */
  closed: boolean;
}

/** Whether its process must end. */
export const mustEnd = ({ stop }: Pick<RunRecord, 'stop'>): boolean => stop !== null && stop.as !== 'withdrawn';

export type Change =
  | { run: string; set: Partial<RunRecord> }
  | { epoch: [partition: number, epoch: number] }
  /** A center has welcomed this agent: the join token is used. */
  | { joined: true }
  /** Fingerprint of the trusted installation's key. */
  | { centerKey: string }
  | { nextId: number };

export const blankRecord: Omit<RunRecord, 'run' | 'fence' | 'bootId' | 'at'> = {
  spec: null,
  dataDirId: null,
  preparations: 0,
  started: false,
  note: null,
  directory: null,
  stop: null,
  startedAt: null,
  endedAt: null,
  unreported: [],
  verdict: null,
  outputAcknowledged: 0,
  closed: false,
};

/** The fields of the first change of a run. */
export type NewRecord = Pick<RunRecord, 'run' | 'fence' | 'bootId' | 'at'> & Partial<RunRecord>;
