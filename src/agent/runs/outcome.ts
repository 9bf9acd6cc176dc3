/** From what the keeper saw to what the center is told. */

import type { EndedReport } from '../../protocol/agent.ts';
import type { RunStatus } from '../../protocol/keeper.ts';
import type { RunRecord } from './records.ts';

/** The end of a run, but for its number. */
export type Ending = Omit<EndedReport, 'type' | 'id' | 'run' | 'state'>;

const REASON_MAX = 2_000;

/** The end of a process. `at` serves when the keeper has no instant of the end. */
export function endingOf(kept: RunStatus, record: RunRecord, at: number): Ending {
  const ending: Ending = {
    ...verdictOf(kept, record),
    at: Math.round(kept.endedAt ?? at),
    output: { stdoutBytes: kept.stdoutBytes, stderrBytes: kept.stderrBytes },
  };
  // A run that was stopped was ended with all its processes; only what outlives an end of its own
  // is worth a word.
  if (kept.cause === 'exit' && kept.leftRunning !== undefined && kept.leftRunning > 0) ending.leftRunning = kept.leftRunning;
  if (kept.startedAt !== null) ending.startedAt = Math.round(kept.startedAt);
  if (kept.exitCode !== null) ending.exitCode = kept.exitCode;
  if (kept.signal !== null) ending.signal = kept.signal;
  return ending;
}

function verdictOf(kept: RunStatus, record: RunRecord): Pick<Ending, 'outcome' | 'reason' | 'hostFault'> {
  switch (kept.cause) {
    case 'startFailed':
      return {
        outcome: 'failed',
        reason: kept.reason ?? 'the process could not be started',
        ...(kept.fault !== undefined && { hostFault: kept.fault }),
      };
    case 'keeperDied':
      return { outcome: 'lost', reason: 'its keeper died' };
    case 'timeout':
      return { outcome: 'timedOut', reason: `it ran longer than ${record.spec?.timeoutMs ?? 0} ms` };
    case 'stop':
      return stoppedAs(record);
    default:
      return { outcome: kept.exitCode === 0 ? 'succeeded' : 'failed' };
  }
}

/**
 * The end of a run that was told to stop. A run that was stopped because no center could be reached
 * has failed: its retry policy decides what is next.
 */
export function stoppedAs(record: RunRecord): Pick<Ending, 'outcome' | 'reason'> {
  const { stop } = record;
  if (stop?.as === 'disconnected') return { outcome: 'failed', reason: stop.reason };
  if (stop?.as === 'superseded') return { outcome: 'cancelled', reason: `superseded: ${stop.reason}` };
  if (stop?.as === 'withdrawn') return { outcome: 'cancelled', reason: `given back before it began: ${stop.reason}` };
  return { outcome: 'cancelled', reason: stop?.reason ?? 'it was stopped on its host' };
}

export function endedReport(id: number, record: RunRecord, ending: Ending): EndedReport {
  const { leftRunning: left = 0 } = ending;
  const leftovers = left > 0 ? `left ${left} ${left === 1 ? 'process' : 'processes'} running; ended` : undefined;
  const reason = [ending.reason, leftovers, record.note].filter(Boolean).join('; ');
  return { type: 'report', id, run: record.run, state: 'ended', ...ending, ...(reason ? { reason: reason.slice(0, REASON_MAX) } : {}) };
}
