/** Logs as responses of Cloudtask: of executions that have ended, and as they were posted. */
import { createHash } from 'node:crypto';
import { decidingShard } from '../../../actors/execution/shard.ts';
import type { ExecutionContext } from '../../../actors/execution/types.ts';
import type { OutputEnd } from '../../services/output/ends.ts';
import type { PostedLog } from '../../store/posted-log-port.ts';
import { execErr } from './execerr.ts';
import { cmdOf, timeOf } from './job-json.ts';
import type { JobLog } from './log-answers.ts';
import type { LogBody } from './log-body.ts';

/** What an execution does not know of itself. */
interface Around {
  jobid: string;
  group: string;
  ipaddr: string;
  output: OutputEnd;
}

export const FAILED = ['failed', 'timedOut', 'lost'];
export const FINE = ['succeeded', 'cancelled'];

export function executionLog(execution: ExecutionContext, { jobid, group, ipaddr, output }: Around): JobLog {
  const { id, config, outcome, reason, startedAt, finishedAt } = execution;
  const execerr = execErr(outcome, execution);
  const endedAt = finishedAt ?? 0;
  return {
    jobid,
    msgid: id,
    event: outcome === 'cancelled' ? `cancelled: ${reason ?? 'no reason was given'}` : execerr,
    group,
    stat: FAILED.includes(outcome ?? '') ? -1 : 0,
    location: config.pool,
    command: cmdOf(config),
    workdir: decidingShard(execution)?.directory ?? '',
    ipaddr,
    stdout: output.stdout,
    errout: output.stderr,
    execerr,
    execat: timeOf(startedAt),
    exectimes: startedAt === null ? 0 : Math.max(0, endedAt - startedAt),
    createat: endedAt,
    truncated: !output.isWhole,
  };
}

export const postedJson = (log: PostedLog): JobLog => ({
  jobid: log.job,
  msgid: log.msgid,
  event: log.event,
  group: log.group,
  stat: log.stat === 0 ? 0 : -1,
  location: log.location,
  command: log.command,
  workdir: log.workdir,
  ipaddr: log.address,
  stdout: log.stdout,
  errout: log.stderr,
  execerr: log.error,
  execat: timeOf(log.startedAt),
  exectimes: log.durationMs,
  createat: log.at,
  truncated: isCut(log.stdout, log.stdoutBytes) || isCut(log.stderr, log.stderrBytes),
});

const isCut = (shown: string, bytes: number): boolean => Buffer.byteLength(shown) < bytes;

/** A log without `msgid` is known by what it says: sent again it is the same one. */
export function postedLog(body: LogBody, receivedAt: number): PostedLog {
  const { jobid: job, msgid, event, group, stat, location, command, workdir, stdout } = body;
  return {
    job,
    id: msgid === '' ? createHash('sha256').update(JSON.stringify(body)).digest('hex') : msgid,
    ...{ msgid, location, group, event, command, workdir },
    address: body.ipaddr,
    error: body.execerr,
    at: body.createat === 0 ? receivedAt : body.createat,
    receivedAt,
    stat,
    startedAt: body.execat,
    durationMs: Math.round(body.exectimes * 1_000),
    stdout,
    stderr: body.errout,
    stdoutBytes: Buffer.byteLength(stdout),
    stderrBytes: Buffer.byteLength(body.errout),
  };
}
