/** Posted logs: one document each, found by the index of their job. */
import type { FilterQuery } from '@mikro-orm/core';
import { PostedLogEntity } from '../entities.ts';
import type { PostedLogPosition, PostedLogStore } from '../posted-log-port.ts';
import { compareAge, postedLogRow } from '../posted-log-rows.ts';
import { readablePostedLog } from '../readable.ts';
import { postedLogId } from '../record-ids.ts';
import { managerOf, type Orm } from './connection.ts';
import { cursorPass } from './cursor-pass.ts';
import { deleteMatching } from './delete-matching.ts';
import { asked, asStoreError, isDuplicate } from './errors.ts';
import type { Plain } from './rows.ts';

type PostedLogRow = Plain<typeof PostedLogEntity>;
type Where = FilterQuery<PostedLogRow>;

const LISTED = [
  ...(['job', 'id', 'at', 'receivedAt', 'stat', 'startedAt', 'durationMs'] as const),
  ...(['stdoutBytes', 'stderrBytes', 'details', 'stdout', 'stderr'] as const),
];

export function createPostedLogs(orm: Orm): PostedLogStore {
  const find = (where: object, options: object) => asked(() => managerOf(orm).find(PostedLogEntity, where as Where, options));
  const remove = async (ids: string[]): Promise<number> => {
    if (ids.length > 0) await deleteMatching(orm, PostedLogEntity, { _id: { $in: ids } });
    return ids.length;
  };

  return {
    async keepPostedLog(log) {
      const row = postedLogRow(log);
      try {
        await orm.driver.nativeInsert(PostedLogEntity, row as never);
        return true;
      } catch (error) {
        if (isDuplicate(error)) return false;
        throw asStoreError(error);
      }
    },

    async postedLogs({ after, offset = 0, limit, ...filter }) {
      if (limit <= 0) return [];
      const options = { orderBy: { at: 'desc', id: 'desc' }, limit, offset, fields: LISTED };
      const found = await find(after ? behind(filter, after) : wanted(filter), options);
      return found.map(row => readablePostedLog({ ...row, stdoutBefore: undefined, stderrBefore: undefined }));
    },

    countPostedLogs: filter => asked(() => managerOf(orm).count(PostedLogEntity, wanted(filter) as Where)),

    async postedLog(job, id) {
      const row = await asked(() => managerOf(orm).findOne(PostedLogEntity, { _id: postedLogId({ job, id }) }));
      return row ? readablePostedLog(row) : undefined;
    },

    async deletePostedLogs({ before, keep, limit }) {
      if (limit <= 0) return 0;
      const fields = ['since', 'job', 'id'];
      const [last] = await find({}, { orderBy: { since: 'desc', job: 'desc', id: 'desc' }, offset: keep, limit: 1, fields });
      const oldest = await find({}, { orderBy: { since: 'asc', job: 'asc', id: 'asc' }, limit, fields });
      const stays = oldest.findIndex(row => row.since >= before && !(last && compareAge(row, last) <= 0));
      return remove((stays < 0 ? oldest : oldest.slice(0, stays)).map(({ _id }) => _id));
    },

    deletePostedLogsOverLimit({ keep, after = '', limit }) {
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

function wanted({ job, stat, from, to }: Parameters<PostedLogStore['countPostedLogs']>[0]) {
  const at = { ...(from !== undefined && { $gte: from }), ...(to !== undefined && { $lt: to }) };
  return { job, ...(stat !== undefined && { stat }), ...(Object.keys(at).length > 0 ? { at } : {}) };
}

/** Two spans of the same index one behind the other, which the server merges. */
function behind(filter: Parameters<PostedLogStore['countPostedLogs']>[0], { at, id }: PostedLogPosition) {
  const span = wanted(filter);
  return {
    $or: [
      { ...span, at: { ...span.at, $lt: Math.min(at, filter.to ?? at) } },
      { ...span, at: { ...span.at, $eq: at }, id: { $lt: id } },
    ],
  };
}
