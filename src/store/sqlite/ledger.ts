/** The occurrence ledger: one row per due time, or per range of due times. */
import { RESOLVED_VERDICTS } from '../../../actors/job/occurrence.ts';
import type { Ledger, Occurrence } from '../port.ts';
import { DUE_TIMES_MAX, type Raw, readableOccurrence, sumOf } from '../readable.ts';
import { occurrenceId } from '../record-ids.ts';
import type { Sync } from '../sync.ts';
import { booleanColumn, type ReadConnection, rows, type WriteConnection } from './connections.ts';

const COLUMNS = 'job, "from", "to", count, verdict, execution, reason, decided_at as decidedAt, rule';
const EVER = Number.MAX_SAFE_INTEGER;

const stored = (...asked: Parameters<typeof rows>): Occurrence[] => rows<Raw<Occurrence>>(...asked).map(readableOccurrence);

export function ledgerWrites({ writer, transact }: WriteConnection): Sync<Pick<Ledger, 'record'>> {
  const insertion = writer.prepare(
    `insert into occurrences (_id, job, "from", "to", count, verdict, execution, reason, decided_at, is_range, rule)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     on conflict (_id) do update set verdict = excluded.verdict, reason = excluded.reason, decided_at = excluded.decided_at
     where occurrences.verdict = 'waiting' and excluded.verdict in (${RESOLVED_VERDICTS.map(verdict => `'${verdict}'`).join(', ')})
       and occurrences.execution is excluded.execution`,
  );
  return {
    record(entries) {
      if (entries.length === 0) return;
      transact(() => {
        for (const { job, from, to, count, verdict, execution, reason, decidedAt, rule } of entries) {
          const kept = rule === undefined ? null : JSON.stringify(rule);
          insertion.run(
            occurrenceId(job, from),
            job,
            from,
            to,
            count,
            verdict,
            execution,
            reason,
            decidedAt,
            booleanColumn(from !== to),
            kept,
          );
        }
      });
    },
  };
}

export function ledgerReads({ reader, read }: ReadConnection): Omit<Ledger, 'record' | 'keptAfter'> {
  /**
   * Entries that overlap from..to begin inside it, or are ranges that began before. One query for
   * both would read the whole ledger of a job. Ranges are few and have their own index, whose
   * condition `is_range = true` is repeated literally. The plus sign excludes the other index.
   */
  const inside = 'job = ? and "from" between ? and ?';
  const overlappingStart = 'is_range = true and job = ? and "to" >= ? and +"from" < ?';
  const ordered = (where: string, direction: 'asc' | 'desc') =>
    reader.prepare(`select ${COLUMNS} from occurrences where ${where} and (? is null or verdict = ?) order by "from" ${direction} limit ?`);
  const insideOldest = ordered(inside, 'asc');
  const insideNewest = ordered(inside, 'desc');
  const overlappingStartOldest = ordered(`${overlappingStart} and +"from" > ?`, 'asc');
  const overlappingStartNewest = ordered(`${overlappingStart} and +"from" < ?`, 'desc');
  const sums = reader.prepare(
    // A damaged count would overflow the sum.
    `select verdict, sum(case when count between 1 and ${DUE_TIMES_MAX} then count else 0 end) as count from
       (select verdict, count from occurrences where ${inside} union all select verdict, count from occurrences where ${overlappingStart})
     group by verdict`,
  );

  return {
    async occurrences({ job, from = -EVER, to = EVER, verdict, after, limit, order = 'oldest' }) {
      const wanted = verdict ?? null;
      return read(() => {
        if (order === 'oldest') {
          const past = after ?? -EVER;
          const early = stored(overlappingStartOldest, job, from, from, past, wanted, wanted, limit);
          const late = stored(insideOldest, job, Math.max(from, past + 1), to, wanted, wanted, limit - early.length);
          return [...early, ...late];
        }
        const before = after ?? EVER;
        const late = stored(insideNewest, job, from, Math.min(to, before - 1), wanted, wanted, limit);
        const early = stored(overlappingStartNewest, job, from, from, before, wanted, wanted, limit - late.length);
        return [...late, ...early];
      });
    },

    async summary({ job, from = -EVER, to = EVER }) {
      return sumOf(read(() => rows<{ verdict: unknown; count: unknown }>(sums, job, from, to, job, from, from)));
    },
  };
}
