/** Converts a report to a row. */
import { splitTail } from '../lib/text-tail.ts';
import { compareText } from './order.ts';
import { reportId } from './record-ids.ts';
import { REPORT_TAIL_BYTES, type Report } from './report-port.ts';

/** A row as both databases write it. */
export function reportRow(report: Report) {
  const { job, id, at, receivedAt, stat, startedAt, durationMs, stdoutBytes, stderrBytes } = report;
  const { msgid, location, group, event, command, workdir, address, error } = report;
  const [stdout, stderr] = [splitTail(report.stdout, REPORT_TAIL_BYTES), splitTail(report.stderr, REPORT_TAIL_BYTES)];
  return {
    _id: reportId(report),
    ...{ job, id, at, receivedAt },
    since: Math.min(at, receivedAt),
    ...{ stat, startedAt, durationMs, stdoutBytes, stderrBytes },
    details: JSON.stringify({ msgid, location, group, event, command, workdir, address, error }),
    stdout: JSON.stringify(stdout.tail),
    stderr: JSON.stringify(stderr.tail),
    stdoutBefore: JSON.stringify(stdout.before),
    stderrBefore: JSON.stringify(stderr.before),
  };
}

/** Columns that retention orders by. */
export interface ReportAge {
  since: number;
  job: string;
  id: string;
}

export const compareAge = (a: ReportAge, b: ReportAge): number => a.since - b.since || compareText(a.job, b.job) || compareText(a.id, b.id);
