/**
 * Finds old records by index and deletes them in short transactions. Nothing is counted: facts are
 * numbered, and an index finds the first record over a limit by its offset. The file keeps its free
 * pages and reuses them, so it stops growing but does not shrink. An incremental vacuum would move
 * pages while turns wait, and must be chosen when the file is created.
 */

import type { ActorStore, CreationPosition, Ledger, Retention } from '../port.ts';
import { floorOf, keptAfterOf } from '../record-ids.ts';
import type { Sync } from '../sync.ts';
import { syncCursorPass } from '../sync-cursor-pass.ts';
import { ACTOR_COLUMNS, documentOfRow, type StoredActor } from './actor-rows.ts';
import { type ReadConnection, rows, type WriteConnection } from './connections.ts';

type Read = 'endedExecutions' | 'countExecutions' | 'jobsOverLimit';
type Reads = Pick<Retention, Read> & Pick<ActorStore, 'floor'> & Pick<Ledger, 'keptAfter'>;

export function retentionWrites(writing: WriteConnection): Sync<Omit<Retention, Read>> {
  return { ...executionWrites(writing), ...outputWrites(writing), ...otherWrites(writing) };
}

/** Before the first execution. */
const START: CreationPosition = { at: Number.MIN_SAFE_INTEGER, address: '' };

export function retentionReads({ reader, read }: ReadConnection): Reads {
  const ended = (whose: string) =>
    reader.prepare(
      `select ${ACTOR_COLUMNS} from actors where kind = 'execution' and ${whose} and life = 'done' and has_pending = false and quarantined = false
       and (at, _id) > (?, ?) and (at, _id) <= (?, ?) order by at, _id limit ?`,
    );
  const endedOfAll = ended('? is null');
  const endedOfOne = ended(`parent = ?`);
  const counted = reader.prepare(
    `select at, _id as address from actors where kind = 'execution' and (at, _id) > (?, ?) order by at, _id limit ?`,
  );
  const nextJob = reader.prepare(
    `select parent as job from actors indexed by executions_parent where kind = 'execution' and parent > ? order by parent limit 1`,
  );
  const beyond = reader.prepare(
    `select at, _id as address from actors where kind = 'execution' and parent = ? order by at desc, _id desc limit 1 offset ?`,
  );
  const number = reader.prepare('select value from meta where _id = ?');
  const meta = (name: string) => {
    const value = rows<{ value: unknown }>(number, name)[0]?.value;
    return Number.isSafeInteger(value) ? (value as number) : undefined;
  };

  return {
    async endedExecutions({ until, after = START, job, limit }) {
      const statement = job === undefined ? endedOfAll : endedOfOne;
      return read(() => rows<StoredActor>(statement, job ?? null, after.at, after.address, until.at, until.address, limit)).map(
        documentOfRow,
      );
    },

    async countExecutions({ after = START, limit }) {
      const positions = read(() => rows<CreationPosition>(counted, after.at, after.address, limit));
      const last = positions.at(-1);
      return { count: positions.length, ...(last && { last: { ...last } }) };
    },

    async jobsOverLimit({ keep, after = '', limit }) {
      return read(() => {
        const jobs: { job: string; until: CreationPosition }[] = [];
        let at = after;
        for (let looked = 0; looked < limit; looked++) {
          const job = rows<{ job: string }>(nextJob, at)[0]?.job;
          if (job === undefined) return { jobs, next: null };
          const [until] = rows<CreationPosition>(beyond, job, keep);
          if (until) jobs.push({ job, until: { ...until } });
          at = job;
        }
        return { jobs, next: at };
      });
    },

    async floor(partition) {
      return read(() => meta(floorOf(partition)) ?? 0);
    },

    async keptAfter(job) {
      return read(() => meta(keptAfterOf(job)) ?? null);
    },
  };
}

function executionWrites({ writer, transact }: WriteConnection): Sync<Pick<Retention, 'deleteExecutions'>> {
  const may = writer.prepare(
    `select 1 from actors where _id = ? and kind = 'execution' and life = 'done' and has_pending = false and quarantined = false`,
  );
  const output = writer.prepare('delete from output where rowid in (select rowid from output where execution = ? limit ?)');
  const document = writer.prepare('delete from actors where _id = ?');

  return {
    deleteExecutions({ addresses, limit }) {
      return transact(() => {
        const gone: string[] = [];
        let deleted = 0;
        for (const address of addresses) {
          if (deleted >= limit) break;
          if (!may.get(address)) continue;
          deleted += Number(output.run(address.slice('execution/'.length), limit - deleted).changes);
          // At the limit more output may be left: the execution then stays until the next step.
          if (deleted >= limit) break;
          deleted += Number(document.run(address).changes);
          gone.push(address);
        }
        return { gone, deleted };
      });
    },
  };
}

function outputWrites({ writer, transact }: WriteConnection): Sync<Pick<Retention, 'deleteOutput'>> {
  const nextExecution = writer.prepare('select execution from output where execution > ? order by execution limit 1');
  const executionAfter = (behind: string) => nextExecution.get(behind)?.execution as string | undefined;
  const stillWanted = writer.prepare(`select 1 from actors where _id = ? and (life <> 'done' or at >= ?)`);
  const wroteSince = writer.prepare('select 1 from output where execution = ? and at >= ? limit 1');
  const removal = writer.prepare('delete from output where rowid in (select rowid from output where execution = ? limit ?)');

  return {
    deleteOutput({ before, after = '', limit }) {
      return transact(() =>
        syncCursorPass(executionAfter, after, limit, (execution, room) => {
          if (stillWanted.get(`execution/${execution}`, before) || wroteSince.get(execution, before)) return 0;
          return Number(removal.run(execution, room).changes);
        }),
      );
    },
  };
}

function otherWrites({
  writer,
  transact,
}: WriteConnection): Sync<Pick<Retention, 'deleteFacts' | 'deleteOccurrences' | 'deleteTombstones'>> {
  const oldestFacts = writer.prepare('select _id as sequence, at from facts order by _id limit ?');
  const newestFact = writer.prepare('select max(_id) as sequence from facts');
  const factsThrough = writer.prepare('delete from facts where _id <= ?');

  const nextJob = writer.prepare('select job from occurrences where job > ? order by job limit 1');
  const jobAfter = (behind: string) => nextJob.get(behind)?.job as string | undefined;
  const beyondEntry = writer.prepare('select "from" from occurrences where job = ? order by "from" desc limit 1 offset ?');
  const oldestEntries = writer.prepare('select "from", "to" from occurrences where job = ? order by "from" limit ?');
  const entriesThrough = writer.prepare('delete from occurrences where job = ? and "from" <= ?');
  const hasEntries = writer.prepare('select 1 from occurrences where job = ? limit 1');
  const isThere = writer.prepare('select 1 from actors where _id = ?');

  const beyondTombstone = writer.prepare(
    `select at, _id as address from actors where life = 'tombstone' order by at desc, _id desc limit 1 offset ?`,
  );
  // Repeats `life = 'tombstone'` of the index literally.
  const oldestTombstones = writer.prepare(
    `select _id as address, partition, rev, at from actors where life = 'tombstone' and has_pending = false
     and ((at, _id) < (?, '') or (at, _id) <= (?, ?)) order by at, _id limit ?`,
  );
  const document = writer.prepare('delete from actors where _id = ?');

  const raise = writer.prepare(
    'insert into meta (_id, value) values (?, ?) on conflict (_id) do update set value = max(value, excluded.value)',
  );
  const removeMeta = writer.prepare('delete from meta where _id = ?');

  return {
    deleteFacts({ before, keep, limit }) {
      return transact(() => {
        const newest = Number(newestFact.get()?.sequence ?? 0);
        const beyond = newest - Math.max(1, keep);
        let through = 0;
        let deleted = 0;
        for (const { sequence, at } of rows<{ sequence: number; at: number }>(oldestFacts, limit)) {
          if (sequence === newest || (at >= before && sequence > beyond)) break;
          through = sequence;
          deleted += 1;
        }
        if (deleted > 0) factsThrough.run(through);
        return deleted;
      });
    },

    deleteOccurrences({ before, keep, after = '', limit }) {
      return transact(() =>
        syncCursorPass(jobAfter, after, limit, (job, room) => {
          const beyond =
            (keep === undefined ? undefined : rows<{ from: number }>(beyondEntry, job, keep)[0]?.from) ?? Number.MIN_SAFE_INTEGER;
          const leaving: { from: number; to: number }[] = [];
          for (const entry of rows<{ from: number; to: number }>(oldestEntries, job, room)) {
            if (entry.to >= before && entry.from > beyond) break;
            leaving.push(entry);
          }
          const last = leaving.at(-1);
          if (!last) return 0;
          entriesThrough.run(job, last.from);
          // A job that is gone needs no `keptAfter`.
          if (hasEntries.get(job) || isThere.get(`job/${job}`)) raise.run(keptAfterOf(job), last.to);
          else removeMeta.run(keptAfterOf(job));
          return leaving.length;
        }),
      );
    },

    deleteTombstones({ before, keep, limit }) {
      return transact(() => {
        const beyond = rows<CreationPosition>(beyondTombstone, keep)[0] ?? START;
        const leaving = rows<{ address: string; partition: number; rev: number }>(
          oldestTombstones,
          before,
          beyond.at,
          beyond.address,
          limit,
        );
        for (const { address, partition, rev } of leaving) {
          raise.run(floorOf(partition), rev);
          document.run(address);
          const job = address.startsWith('job/') ? address.slice('job/'.length) : undefined;
          if (job !== undefined && !hasEntries.get(job)) removeMeta.run(keptAfterOf(job));
        }
        return leaving.length;
      });
    },
  };
}
