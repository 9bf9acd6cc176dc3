/** Reports: one document each, found by the index of their job. */
import type { FilterQuery } from '@mikro-orm/core';
import { ReportEntity } from '../entities.ts';
import { readableReport } from '../readable.ts';
import { reportId } from '../record-ids.ts';
import type { ReportPosition, ReportStore } from '../report-port.ts';
import { compareAge, reportRow } from '../report-rows.ts';
import { managerOf, type Orm } from './connection.ts';
import { cursorPass } from './cursor-pass.ts';
import { deleteMatching } from './delete-matching.ts';
import { asked, asStoreError, isDuplicate } from './errors.ts';
import type { Plain } from './rows.ts';

type ReportRow = Plain<typeof ReportEntity>;
type Where = FilterQuery<ReportRow>;

const LISTED = [
  ...(['job', 'id', 'at', 'receivedAt', 'stat', 'startedAt', 'durationMs'] as const),
  ...(['stdoutBytes', 'stderrBytes', 'details', 'stdout', 'stderr'] as const),
];

export function createReports(orm: Orm): ReportStore {
  const find = (where: object, options: object) => asked(() => managerOf(orm).find(ReportEntity, where as Where, options));
  const remove = async (ids: string[]): Promise<number> => {
    if (ids.length > 0) await deleteMatching(orm, ReportEntity, { _id: { $in: ids } });
    return ids.length;
  };

  return {
    async keepReport(report) {
      const row = reportRow(report);
      try {
        await orm.driver.nativeInsert(ReportEntity, row as never);
        return true;
      } catch (error) {
        if (isDuplicate(error)) return false;
        throw asStoreError(error);
      }
    },

    async reports({ after, offset = 0, limit, ...filter }) {
      if (limit <= 0) return [];
      const options = { orderBy: { at: 'desc', id: 'desc' }, limit, offset, fields: LISTED };
      const found = await find(after ? behind(filter, after) : wanted(filter), options);
      return found.map(row => readableReport({ ...row, stdoutBefore: undefined, stderrBefore: undefined }));
    },

    countReports: filter => asked(() => managerOf(orm).count(ReportEntity, wanted(filter) as Where)),

    async report(job, id) {
      const row = await asked(() => managerOf(orm).findOne(ReportEntity, { _id: reportId({ job, id }) }));
      return row ? readableReport(row) : undefined;
    },

    async deleteReports({ before, keep, limit }) {
      if (limit <= 0) return 0;
      const fields = ['since', 'job', 'id'];
      const [last] = await find({}, { orderBy: { since: 'desc', job: 'desc', id: 'desc' }, offset: keep, limit: 1, fields });
      const oldest = await find({}, { orderBy: { since: 'asc', job: 'asc', id: 'asc' }, limit, fields });
      const stays = oldest.findIndex(row => row.since >= before && !(last && compareAge(row, last) <= 0));
      return remove((stays < 0 ? oldest : oldest.slice(0, stays)).map(({ _id }) => _id));
    },

    deleteReportsOverLimit({ keep, after = '', limit }) {
      const nextJob = async (name: string) =>
        (await find({ job: { $gt: name } }, { orderBy: { job: 'asc' }, limit: 1, fields: ['job'] }))[0]?.job;
      return cursorPass(nextJob, after, limit, async (job, room) => {
        const fields = ['at', 'id'];
        const [first] = await find({ job }, { orderBy: { at: 'desc', id: 'desc' }, offset: keep, limit: 1, fields });
        if (!first || room <= 0) return 0;
        const upTo = [
          { job, at: { $lt: first.at } },
          { job, at: first.at, id: { $lte: first.id } },
        ];
        const leaving = await find({ $or: upTo }, { orderBy: { at: 'asc', id: 'asc' }, limit: room, fields });
        return remove(leaving.map(({ _id }) => _id));
      });
    },
  };
}

function wanted({ job, stat, from, to }: Parameters<ReportStore['countReports']>[0]) {
  const at = { ...(from !== undefined && { $gte: from }), ...(to !== undefined && { $lt: to }) };
  return { job, ...(stat !== undefined && { stat }), ...(Object.keys(at).length > 0 ? { at } : {}) };
}

/** Two spans of the same index one behind the other, which the server merges. */
function behind(filter: Parameters<ReportStore['countReports']>[0], { at, id }: ReportPosition) {
  const span = wanted(filter);
  return {
    $or: [
      { ...span, at: { ...span.at, $lt: Math.min(at, filter.to ?? at) } },
      { ...span, at: { ...span.at, $eq: at }, id: { $lt: id } },
    ],
  };
}
