/**
 * A store of a million documents in a minute: the store's own rows, inserted at once, without log
 * and `fsync`. Indexes and the tables of triggers are built afterwards from all rows, as the schema
 * declares. The indexes are packed more tightly than after years of use.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Write } from '../../src/store/port.ts';
import { actorWrites } from '../../src/store/sqlite/actors.ts';
import { openWriting } from '../../src/store/sqlite/connections.ts';
import { fileIn } from '../../src/store/sqlite/database-file.ts';
import { factWrites } from '../../src/store/sqlite/facts.ts';
import { createSqliteStore } from '../../src/store/sqlite/index.ts';
import { outputWrites } from '../../src/store/sqlite/output.ts';
import { postedLogWrites } from '../../src/store/sqlite/posted-logs.ts';

/** Puts in what the triggers would have, for rows that were written without them. */
const PLACED_BEFORE = [
  `insert or ignore into placements select value, at, actors._id, actors.parent from actors, json_each(hosts) where hosts <> '[]' and json_valid(hosts) order by 1, 2, 3`,
  `insert or ignore into failed_placements select value, outcome, at, actors._id, actors.parent from actors, json_each(hosts)
     where outcome <> 'succeeded' and hosts <> '[]' and json_valid(hosts) order by 1, 2, 3, 4`,
];

const BATCH = 2_000;
/** The index of the primary key stays, and is written in no order: it should fit. */
const CACHE_KIB = 512 * 2 ** 10;

/** Inserts the rows that `write` makes for each index from 0 on. They must not exist yet. */
export type Fill = (count: number, write: (place: number) => Write) => void;

/** Writes beside actors. */
type Beside = Pick<ReturnType<typeof outputWrites>, 'keepOutput'> & Pick<ReturnType<typeof postedLogWrites>, 'keepPostedLog'>;

/** Of a center that is not running; a crash leaves nothing to be used. */
export async function fillStore(directory: string, work: (fill: Fill, beside: Beside) => void): Promise<void> {
  // It makes the tables.
  await (await createSqliteStore({ directory })).close();
  const writing = openWriting(fileIn(directory), { look: () => {}, committed: () => {} });
  const { writer } = writing;
  writer.exec(`pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -${CACHE_KIB}`);
  const rebuild = strip(writer);
  const { commit } = actorWrites({ ...writing, insertFact: factWrites(writing).insert });
  work(
    (count, write) => {
      for (let from = 0; from < count; from += BATCH) {
        const batch = Array.from({ length: Math.min(BATCH, count - from) }, (_, place) => write(from + place));
        if (!commit(batch).every(({ committed }) => committed)) throw new Error('the store has some of these already');
      }
    },
    { ...outputWrites(writing), ...postedLogWrites(writing) },
  );
  rebuild();
  writer.exec('pragma journal_mode = wal');
  writing.close();
}

/** Takes away what is kept beside the rows, and gives back how to make it anew. */
function strip(writer: DatabaseSync): () => void {
  const made = writer
    .prepare(`select type, name, sql from sqlite_master where sql is not null and type in ('index', 'trigger')`)
    .all() as unknown as { type: string; name: string; sql: string }[];
  for (const { type, name } of made) writer.exec(`drop ${type} ${name}`);
  return () => {
    for (const sql of [...PLACED_BEFORE, ...made.map(each => each.sql)]) writer.exec(sql);
  };
}
