/** Reports in memory, sorted by each query. */
import { splitTail } from '../../lib/text-tail.ts';
import { compareText } from '../order.ts';
import { reportId } from '../record-ids.ts';
import { REPORT_TAIL_BYTES, type Report, type ReportPosition, type ReportStore } from '../report-port.ts';
import { compareAge } from '../report-rows.ts';

export function createMemoryReports(): ReportStore {
  const kept = new Map<string, Report>();

  const wanted = ({ job, stat, from, to }: Parameters<ReportStore['countReports']>[0]) =>
    [...kept.values()].filter(
      report =>
        report.job === job &&
        (stat === undefined || report.stat === stat) &&
        report.at >= (from ?? Number.NEGATIVE_INFINITY) &&
        report.at < (to ?? Number.POSITIVE_INFINITY),
    );

  const deleteAll = (reports: Report[]): number => {
    for (const report of reports) kept.delete(reportId(report));
    return reports.length;
  };

  return {
    async keepReport(report) {
      const isNew = !kept.has(reportId(report));
      if (isNew) kept.set(reportId(report), { ...report });
      return isNew;
    },

    async reports({ after, offset = 0, limit, ...filter }) {
      return wanted(filter)
        .filter(report => !after || newestFirst(report, after) > 0)
        .sort(newestFirst)
        .slice(offset, offset + limit)
        .map(report => ({ ...report, stdout: shown(report.stdout), stderr: shown(report.stderr) }));
    },

    async countReports(filter) {
      return wanted(filter).length;
    },

    async report(job, id) {
      const found = kept.get(reportId({ job, id }));
      return found && { ...found };
    },

    async deleteReports({ before, keep, limit }) {
      const inAge = [...kept.values()].map(report => ({ ...report, since: sinceOf(report) })).sort(compareAge);
      const beyond = inAge.length - keep;
      return deleteAll(inAge.filter((report, index) => report.since < before || index < beyond).slice(0, limit));
    },

    async deleteReportsOverLimit({ keep, after = '', limit }) {
      const jobs = [...new Set([...kept.values()].map(({ job }) => job))].filter(job => compareText(job, after) > 0).sort(compareText);
      let deleted = 0;
      let behind = after;
      let looked = 0;
      for (const job of jobs) {
        looked += 1;
        if (looked + deleted > limit) return { deleted, next: behind };
        const room = limit - deleted;
        const removed = deleteAll(wanted({ job }).sort(newestFirst).slice(keep).slice(-room));
        deleted += removed;
        if (removed === room) return { deleted, next: behind };
        behind = job;
      }
      return { deleted, next: null };
    },
  };
}

const newestFirst = (a: ReportPosition, b: ReportPosition): number => b.at - a.at || compareText(b.id, a.id);
const sinceOf = ({ at, receivedAt }: Report): number => Math.min(at, receivedAt);
const shown = (text: string): string => splitTail(text, REPORT_TAIL_BYTES).tail;
