/** From the keeper's status of an ended run to its report. */
import type { EndedReport, RunVerdict } from '../../protocol/agent.ts';
import type { RunStatus } from '../../protocol/keeper.ts';
import type { RunRecord } from './records.ts';

const REASON_MAX = 2_000;

/** `now` serves where the status has no end, epoch ms. */
export function verdictOf(status: RunStatus, record: RunRecord, now: number): RunVerdict {
  const verdict: RunVerdict = {
    ...reasonedOutcome(status, record),
    at: Math.round(status.endedAt ?? now),
    output: { stdoutBytes: status.stdoutBytes, stderrBytes: status.stderrBytes },
  };
  // A stop ends all processes of a run. Only those that outlive its own exit are worth a note.
  if (status.cause === 'exit' && status.leftRunning !== undefined && status.leftRunning > 0) verdict.leftRunning = status.leftRunning;
  if (status.startedAt !== null) verdict.startedAt = Math.round(status.startedAt);
  if (status.exitCode !== null) verdict.exitCode = status.exitCode;
  if (status.signal !== null) verdict.signal = status.signal;
  return verdict;
}

function reasonedOutcome(status: RunStatus, record: RunRecord): Pick<RunVerdict, 'outcome' | 'reason' | 'hostFault'> {
  switch (status.cause) {
    case 'startFailed':
      return {
        outcome: 'failed',
        reason: status.reason ?? 'the process could not be started',
        ...(status.fault !== undefined && { hostFault: status.fault }),
      };
    case 'keeperDied':
      return { outcome: 'lost', reason: 'its keeper died' };
    case 'timeout':
      return { outcome: 'timedOut', reason: `it ran longer than ${record.spec?.timeoutMs ?? 0} ms` };
    case 'stop':
      return stopOutcome(record);
    default:
      return { outcome: status.exitCode === 0 ? 'succeeded' : 'failed' };
  }
}

/**
 * The outcome of a stopped run. A run that was stopped because no center was reachable has failed:
 * its retry policy decides.
 */
export function stopOutcome(record: RunRecord): Pick<RunVerdict, 'outcome' | 'reason'> {
  const { stop } = record;
  if (stop?.as === 'disconnected') return { outcome: 'failed', reason: stop.reason };
  if (stop?.as === 'superseded') return { outcome: 'cancelled', reason: `superseded: ${stop.reason}` };
  if (stop?.as === 'withdrawn') return { outcome: 'cancelled', reason: `given back before it began: ${stop.reason}` };
  return { outcome: 'cancelled', reason: stop?.reason ?? 'it was stopped on its host' };
}

export function endedReport(id: number, record: RunRecord, verdict: RunVerdict): EndedReport {
  const { leftRunning: left = 0 } = verdict;
  const leftovers = left > 0 ? `left ${left} ${left === 1 ? 'process' : 'processes'} running; ended` : undefined;
  const reason = [verdict.reason, leftovers, record.note].filter(Boolean).join('; ');
  return { type: 'report', id, run: record.run, state: 'ended', ...verdict, ...(reason ? { reason: reason.slice(0, REASON_MAX) } : {}) };
}
