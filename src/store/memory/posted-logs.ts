/** Posted logs in memory, sorted by each query. */
import { splitTail } from '../../lib/text-tail.ts';
import { compareText } from '../order.ts';
import { LOG_TAIL_BYTES, type PostedLog, type PostedLogPosition, type PostedLogStore } from '../posted-log-port.ts';
import { compareAge } from '../posted-log-rows.ts';
import { postedLogId } from '../record-ids.ts';
import { syncCursorPass } from '../sync-cursor-pass.ts';
import { namesAfter } from './names-after.ts';

export function createMemoryPostedLogs(): PostedLogStore {
  const kept = new Map<string, PostedLog>();

  const wanted = ({ job, stat, from, to }: Parameters<PostedLogStore['countPostedLogs']>[0]) =>
    [...kept.values()].filter(
      log =>
        log.job === job &&
        (stat === undefined || log.stat === stat) &&
        log.at >= (from ?? Number.NEGATIVE_INFINITY) &&
        log.at < (to ?? Number.POSITIVE_INFINITY),
    );

  const deleteAll = (logs: PostedLog[]): number => {
    for (const log of logs) kept.delete(postedLogId(log));
    return logs.length;
  };

  return {
    async keepPostedLog(log) {
      const isNew = !kept.has(postedLogId(log));
      if (isNew) kept.set(postedLogId(log), { ...log });
      return isNew;
    },

    async postedLogs({ after, offset = 0, limit, ...filter }) {
      return wanted(filter)
        .filter(log => !after || newestFirst(log, after) > 0)
        .sort(newestFirst)
        .slice(offset, offset + limit)
        .map(log => ({ ...log, stdout: shown(log.stdout), stderr: shown(log.stderr) }));
    },

    async countPostedLogs(filter) {
      return wanted(filter).length;
    },

    async postedLog(job, id) {
      const found = kept.get(postedLogId({ job, id }));
      return found && { ...found };
    },

    async deletePostedLogs({ before, keep, limit }) {
      const inAge = [...kept.values()].map(log => ({ ...log, since: sinceOf(log) })).sort(compareAge);
      const beyond = inAge.length - keep;
      return deleteAll(inAge.filter((log, index) => log.since < before || index < beyond).slice(0, limit));
    },

    async deletePostedLogsOverLimit({ keep, after = '', limit }) {
      const jobs = new Set([...kept.values()].map(({ job }) => job));
      return syncCursorPass(namesAfter(jobs, after), after, limit, (job, room) =>
        deleteAll(wanted({ job }).sort(newestFirst).slice(keep).slice(-room)),
      );
    },
  };
}

const newestFirst = (a: PostedLogPosition, b: PostedLogPosition): number => b.at - a.at || compareText(b.id, a.id);
const sinceOf = ({ at, receivedAt }: PostedLog): number => Math.min(at, receivedAt);
const shown = (text: string): string => splitTail(text, LOG_TAIL_BYTES).tail;
