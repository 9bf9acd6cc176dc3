/**
 * Records of dropped bytes among the pieces. Pieces are numbered from 1, so tallies use numbers
 * below 0: the pieces left out through piece t have -2t (stdout) and -2t-1 (stderr), with the bytes
 * as `leftOut` and the end of the head as the text. The latest tally is the first record of an
 * attempt, and sums over the records stay the bytes of the process.
 */
import type { OutputChunk, OutputStore } from '../../store/port.ts';
import type { Attempt, AttemptName } from './attempt.ts';

/** Before every record of an attempt. */
export const BEFORE_ALL = Number.MIN_SAFE_INTEGER;

export interface Tally {
  headEnd: number;
  /** Pieces headEnd+1 .. through are left out. */
  through: number;
  stdout: number;
  stderr: number;
  at: number;
}

export function tallyRecords({ execution, item, attempt, through, headEnd, dropped }: Attempt, at: number): OutputChunk[] {
  const base = { execution, item, attempt, at, text: String(headEnd), bytes: 0 };
  return [
    { ...base, seq: -2 * through, stream: 'stdout', leftOut: dropped.stdout },
    { ...base, seq: -2 * through - 1, stream: 'stderr', leftOut: dropped.stderr },
  ];
}

/** Numbers of all tallies before the one at `through`. */
export const olderTallies = (through: number) => ({ from: -2 * through + 1, to: -1 });

/** The latest tally among records of one attempt; undefined: there is none. */
export function tallyOf(records: Iterable<OutputChunk>): Tally | undefined {
  let tally: Tally | undefined;
  for (const { seq, stream, leftOut, text, at } of records) {
    if (seq >= 0) continue;
    const through = Math.floor(-seq / 2);
    if (tally && through < tally.through) continue;
    if (!tally || through > tally.through) tally = { headEnd: Number(text), through, stdout: 0, stderr: 0, at };
    tally[stream] = leftOut;
  }
  return tally;
}

/** The tally of an attempt; undefined when nothing was dropped. */
export async function readTally(store: Pick<OutputStore, 'output'>, { execution, item, attempt }: AttemptName): Promise<Tally | undefined> {
  const first = await store.output({ execution, item, after: { item, attempt, seq: BEFORE_ALL }, limit: 2 });
  return tallyOf(first.filter(record => record.attempt === attempt));
}
