/** Posted logs: written one by one, read by the index of their job. */
import type { StatementSync } from 'node:sqlite';
import type { PostedLogStore } from '../posted-log-port.ts';
import { compareAge, type PostedLogAge, postedLogRow } from '../posted-log-rows.ts';
import { readablePostedLog } from '../readable.ts';
import type { Sync } from '../sync.ts';
import { syncCursorPass } from '../sync-cursor-pass.ts';
import { type ReadConnection, rows, type WriteConnection } from './connections.ts';

type Written = 'keepPostedLog' | 'deletePostedLogs' | 'deletePostedLogsOverLimit';
type Raw = Parameters<typeof readablePostedLog>[0];

export function postedLogWrites({ writer, transact }: WriteConnection): Sync<Pick<PostedLogStore, Written>> {
  // In the order of `postedLogRow`.
  const insertion = writer.prepare(
    `insert into posted_logs (_id, job, id, at, received_at, since, stat, started_at, duration_ms, stdout_bytes, stderr_bytes, details,
       stdout, stderr, stdout_before, stderr_before)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (_id) do nothing`,
  );
  const firstToStay = writer.prepare('select since, job, id from posted_logs order by since desc, job desc, id desc limit 1 offset ?');
  const oldest = writer.prepare('select rowid, since, job, id from posted_logs order by since, job, id limit ?');
  const nextJob = writer.prepare('select job from posted_logs where job > ? order by job limit 1');
  const jobAfter = (behind: string) => nextJob.get(behind)?.job as string | undefined;
  const beyond = writer.prepare('select at, id from posted_logs where job = ? order by at desc, id desc limit 1 offset ?');
  const removalOfOne = writer.prepare('delete from posted_logs where rowid = ?');
  const removalOfJob = writer.prepare(
    `delete from posted_logs where rowid in
       (select rowid from posted_logs where job = ? and (at, id) <= (?, ?) order by at, id limit ?)`,
  );

  return {
    keepPostedLog(log) {
      return transact(() => insertion.run(...Object.values(postedLogRow(log))).changes === 1);
    },

    deletePostedLogs({ before, keep, limit }) {
      return transact(() => {
        const [last] = rows<PostedLogAge>(firstToStay, keep);
        let deleted = 0;
        for (const log of rows<PostedLogAge & { rowid: number }>(oldest, limit)) {
          if (log.since >= before && !(last && compareAge(log, last) <= 0)) break;
          deleted += Number(removalOfOne.run(log.rowid).changes);
        }
        return deleted;
      });
    },

    deletePostedLogsOverLimit({ keep, after = '', limit }) {
      return transact(() =>
        syncCursorPass(jobAfter, after, limit, (job, room) => {
          const [first] = rows<{ at: number; id: string }>(beyond, job, keep);
          return first ? Number(removalOfJob.run(job, first.at, first.id, room).changes) : 0;
        }),
      );
    },
  };
}

export function postedLogReads({ reader, read }: ReadConnection): Pick<PostedLogStore, Exclude<keyof PostedLogStore, Written>> {
  const LISTED = `job, id, at, received_at as receivedAt, stat, started_at as startedAt, duration_ms as durationMs, stdout_bytes as stdoutBytes,
    stderr_bytes as stderrBytes, details, stdout, stderr`;
  const whole = reader.prepare(
    `select ${LISTED}, stdout_before as stdoutBefore, stderr_before as stderrBefore from posted_logs where job = ? and id = ?`,
  );
  /** Keyed by their text: one per combination of filters. */
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string) => {
    const known = statements.get(sql) ?? reader.prepare(sql);
    statements.set(sql, known);
    return known;
  };

  return {
    async postedLogs({ after, offset = 0, limit, ...filter }) {
      const { where, values } = matching(filter, after);
      const sql = `select ${LISTED} from posted_logs ${where} order by at desc, id desc limit ? offset ?`;
      return read(() => rows<Raw>(prepared(sql), ...values, limit, offset)).map(readablePostedLog);
    },

    async countPostedLogs(filter) {
      const { where, values } = matching(filter);
      return read(() => rows<{ count: number }>(prepared(`select count(*) as count from posted_logs ${where}`), ...values))[0]?.count ?? 0;
    },

    async postedLog(job, id) {
      const [row] = read(() => rows<Raw>(whole, job, id));
      return row && readablePostedLog(row);
    },
  };
}

function matching(
  { job, stat, from, to }: Parameters<PostedLogStore['countPostedLogs']>[0],
  after?: { at: number; id: string },
): { where: string; values: (string | number)[] } {
  const conditions = ['job = ?'];
  const values: (string | number)[] = [job];
  const add = (condition: string, ...bound: (string | number)[]) => {
    conditions.push(condition);
    values.push(...bound);
  };
  if (stat !== undefined) add('stat = ?', stat);
  if (from !== undefined) add('at >= ?', from);
  // Of two upper bounds the index would use the first, which may be the wider one.
  if (to !== undefined && !(after && after.at < to)) add('at < ?', to);
  if (after) add('(at, id) < (?, ?)', after.at, after.id);
  return { where: `indexed by posted_logs_time where ${conditions.join(' and ')}`, values };
}
