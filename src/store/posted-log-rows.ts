/** Converts a log to a row. */
import { splitTail } from '../lib/text-tail.ts';
import { compareText } from './order.ts';
import { LOG_TAIL_BYTES, type PostedLog } from './posted-log-port.ts';
import { postedLogId } from './record-ids.ts';

/** A row as both databases write it. */
export function postedLogRow(log: PostedLog) {
  const { job, id, at, receivedAt, stat, startedAt, durationMs, stdoutBytes, stderrBytes } = log;
  const { msgid, location, group, event, command, workdir, address, error } = log;
  const [stdout, stderr] = [splitTail(log.stdout, LOG_TAIL_BYTES), splitTail(log.stderr, LOG_TAIL_BYTES)];
  return {
    _id: postedLogId(log),
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
export interface PostedLogAge {
  since: number;
  job: string;
  id: string;
}

export const compareAge = (a: PostedLogAge, b: PostedLogAge): number =>
  a.since - b.since || compareText(a.job, b.job) || compareText(a.id, b.id);
