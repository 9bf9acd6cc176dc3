/**
 * Positions in the output of shards as text. The `seq` of a line increases within its shard over
 * all attempts, so one number is a position: attempt 1 begins at 1, attempt 2 at 1000000001. The
 * positions of several shards are a list, `0:17,3:1000000004`; other shards begin at their start.
 */

import { Problem } from '../../../http/errors.ts';
import type { OutputPosition } from '../../../services/output/read.ts';

/** Above the number of pieces of any attempt. */
const ATTEMPT = 1_000_000_000;

export const seqOf = (attempt: number, seq: number): number => (attempt - 1) * ATTEMPT + seq;

const START: OutputPosition = { attempt: 0, seq: 0 };

/** Throws Problem `invalid`. */
export function readAfter(after: string | undefined, items: readonly number[], isOneShard: boolean): Map<number, OutputPosition> {
  const positions = new Map(items.map(item => [item, START]));
  if (after === undefined || after === '') return positions;
  if (isOneShard && /^\d{1,15}$/.test(after)) return positions.set(items[0] ?? 0, positionOf(Number(after)));
  for (const entry of after.split(',')) {
    const [, item, seq] = /^(\d{1,4}):(\d{1,15})$/.exec(entry) ?? [];
    if (item === undefined || seq === undefined || !positions.has(Number(item)))
      throw new Problem('invalid', expected(entry, isOneShard), FIELD);
    positions.set(Number(item), positionOf(Number(seq)));
  }
  return positions;
}

const FIELD = { field: 'after' };

const positionOf = (seq: number): OutputPosition =>
  seq === 0 ? START : { attempt: Math.floor((seq - 1) / ATTEMPT) + 1, seq: ((seq - 1) % ATTEMPT) + 1 };

function expected(entry: string, isOneShard: boolean): string {
  const wanted = isOneShard ? 'the seq of a line' : 'shard:seq of lines, separated by commas';
  return `after has "${entry.slice(0, 40)}", but must be ${wanted}.`;
}
