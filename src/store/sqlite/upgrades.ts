/** What the rows of an older version need beside new columns and indexes. Each step may run again after a crash in the middle. */

/** By the version they lead to, oldest first. */
export const UPGRADES: Record<number, string[]> = {
  2: [
    ...['actors_parent', 'actors_status', 'actors_outcome'].map(index => `drop index if exists ${index}`),
    `update actors set pool = json_extract(state, '$.snapshot.context.config.pool') where kind = 'job' and life <> 'tombstone' and json_valid(state)`,
    `update actors set status = 'quarantined' where kind = 'job' and life <> 'tombstone' and quarantined = true`,
    'insert or ignore into placements select value, at, actors._id from actors, json_each(hosts) where json_valid(hosts)',
  ],
};
