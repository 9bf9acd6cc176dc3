/**
 * What the rows of an older version need beside new columns and indexes. Each step may run again
 * after a crash in the middle.
 */
import { PLACED_BEFORE, PLACEMENTS } from './placements.ts';

/** By the version they lead to, oldest first. */
export const UPGRADES: Record<number, string[]> = {
  2: [
    ...['actors_parent', 'actors_status', 'actors_outcome'].map(index => `drop index if exists ${index}`),
    `update actors set pool = json_extract(state, '$.snapshot.context.config.pool') where kind = 'job' and life <> 'tombstone' and json_valid(state)`,
    `update actors set status = 'quarantined' where kind = 'job' and life <> 'tombstone' and quarantined = true`,
  ],
  4: [
    ...['placements_born', 'placements_moved', 'placements_gone'].map(trigger => `drop trigger if exists ${trigger}`),
    'drop table if exists placements',
    ...PLACEMENTS,
    ...PLACED_BEFORE,
  ],
  5: ['drop index if exists output_order'],
};
