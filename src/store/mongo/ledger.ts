/** The occurrence ledger: one document per due time, or per range of due times. */

import type { FilterQuery } from '@mikro-orm/core';
import { OccurrenceEntity } from '../entities.ts';
import { isResolved, type Ledger, type Occurrence, type Verdict } from '../port.ts';
import { DUE_TIMES_MAX, readableOccurrence, sumOf } from '../readable.ts';
import { occurrenceId } from '../record-ids.ts';
import { managerOf, type Orm } from './connection.ts';
import { asked, asStoreError, DUPLICATE_KEY, refusedWrites, repeated } from './errors.ts';
import { insertNew } from './insert-new.ts';
import type { Plain } from './rows.ts';

type OccurrenceRow = Plain<typeof OccurrenceEntity>;

const EVER = Number.MAX_SAFE_INTEGER;

export function createLedger(orm: Orm): Omit<Ledger, 'keptAfter'> {
  /**
   * Entries that overlap from..to begin inside it, or are ranges that began before. One query for
   * both would read the whole ledger of a job. Ranges are few and have their own index.
   */
  const inside = (job: string, from: number, to: number) => ({ job, from: { $gte: from, $lte: to } });
  const overlappingStart = (job: string, from: number) => ({ isRange: true, job, to: { $gte: from }, from: { $lt: from } });

  const found = async (filter: object, verdict: Verdict | undefined, direction: 1 | -1, limit: number): Promise<Occurrence[]> => {
    if (limit <= 0) return [];
    const where = { $and: [filter, verdict === undefined ? {} : { verdict }] } as FilterQuery<OccurrenceRow>;
    const orderBy = { from: direction === 1 ? 'asc' : 'desc' } as const;
    const rows = await asked(() => managerOf(orm).find(OccurrenceEntity, where, { orderBy, limit }));
    return rows.map(readableOccurrence);
  };

  /**
   * Gives waiting entries their final verdict, or inserts it. A stored entry that does not wait is
   * a duplicate key of the upsert, and stays.
   */
  const resolveWaiting = async (rows: OccurrenceRow[]): Promise<void> => {
    const wheres = rows.map(({ _id, execution }) => ({ _id, verdict: 'waiting', execution }));
    const changes = rows.map(({ _id, verdict, reason, decidedAt, execution, ...rest }) => ({
      verdict,
      reason,
      decidedAt,
      $setOnInsert: rest,
    }));
    try {
      await repeated(() => orm.driver.nativeUpdateMany(OccurrenceEntity, wheres, changes, { upsert: true }));
    } catch (error) {
      if (!refusedWrites(error)?.refused.every(({ code }) => code === DUPLICATE_KEY)) throw asStoreError(error);
    }
  };

  return {
    async record(entries) {
      const others = entries.filter(entry => !isResolved(entry));
      const resolved = entries.filter(isResolved);
      await insertNew(orm, OccurrenceEntity, others.map(asRow));
      if (resolved.length > 0) await resolveWaiting(resolved.map(asRow));
    },

    async occurrences({ job, from = -EVER, to = EVER, verdict, after, limit, order = 'oldest' }) {
      if (order === 'oldest') {
        const past = after ?? -EVER;
        const early = await found({ $and: [overlappingStart(job, from), { from: { $gt: past } }] }, verdict, 1, limit);
        const late = await found(inside(job, Math.max(from, past + 1), to), verdict, 1, limit - early.length);
        return [...early, ...late];
      }
      const before = after ?? EVER;
      const late = await found(inside(job, from, Math.min(to, before - 1)), verdict, -1, limit);
      const early = await found({ $and: [overlappingStart(job, from), { from: { $lt: before } }] }, verdict, -1, limit - late.length);
      return [...late, ...early];
    },

    async summary({ job, from = -EVER, to = EVER }) {
      const sums: { verdict: unknown; count: unknown }[] = [];
      for (const filter of [inside(job, from, to), overlappingStart(job, from)]) {
        const match = { $and: [filter, { count: { $gte: 1, $lte: DUE_TIMES_MAX } }] };
        const steps = [{ $match: match }, { $group: { _id: '$verdict', count: { $sum: '$count' } } }];
        const counted: { _id: Verdict; count: number }[] = await asked(() => managerOf(orm).aggregate(OccurrenceEntity, steps));
        sums.push(...counted.map(({ _id, count }) => ({ verdict: _id, count })));
      }
      return sumOf(sums);
    },
  };
}

function asRow({ job, from, to, count, verdict, execution, reason, decidedAt, rule }: Occurrence): OccurrenceRow {
  const kept = rule === undefined ? null : JSON.stringify(rule);
  return { _id: occurrenceId(job, from), job, from, to, count, verdict, execution, reason, decidedAt, isRange: from !== to, rule: kept };
}
