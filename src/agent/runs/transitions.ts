/** Starts and ends of runs: durable in the journal first, then reported. */
import { type Clock, pause } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { RunVerdict, StartedReport } from '../../protocol/agent.ts';
import type { RunStatus } from '../../protocol/keeper.ts';
import type { Journal } from '../journal.ts';
import type { AgentSpans } from '../limits.ts';
import type { RunCleanup } from './cleanup.ts';
import type { LiveRuns } from './live-runs.ts';
import { endedReport } from './outcome.ts';
import type { OutputSender, SpooledOutput } from './output.ts';
import type { Change, RunRecord } from './records.ts';
import type { Reports } from './reports.ts';

export interface Transitions {
  /** Idempotent. */
  started(status: RunStatus, record: RunRecord): Promise<void>;
  /** `output`: the keeper's spool of the run; none if the run never started. Idempotent. */
  finish(key: string, verdict: RunVerdict, output: SpooledOutput | 'none' | 'unknown'): Promise<void>;
  lose(key: string, reason: string): Promise<void>;
}

export function createTransitions(parts: {
  clock: Clock;
  log: Log;
  spans: AgentSpans;
  journal: Journal;
  reports: Reports;
  output: OutputSender;
  cleanup: RunCleanup;
  live: LiveRuns;
  signal: AbortSignal;
}): Transitions {
  const { clock, log, journal, reports, output, cleanup, live } = parts;

  /**
   * Retries until the changes are on the disk. Never resolves when the agent stops meanwhile:
   * nothing may be reported then.
   */
  const writeDurably = async (changes: Change[]): Promise<void> => {
    for (let left = changes; ; left = []) {
      try {
        return await journal.write(left, { reserve: true });
      } catch (problem) {
        log.error('the journal cannot be written, the agent retries', { problem: String(problem), inMs: parts.spans.journalRetryMs });
        await pause(clock, parts.spans.journalRetryMs, parts.signal);
        if (parts.signal.aborted) return new Promise(() => undefined);
      }
    }
  };

  const finish: Transitions['finish'] = async (key, verdict, spooled) => {
    const record = journal.records.get(key);
    if (!record || record.endedAt !== null) return;
    const report = endedReport(journal.nextId(), record, verdict);
    live.remove(key, record);
    // A busy host ends a thousand runs a second: successes are for the debug level.
    const write = verdict.outcome === 'succeeded' ? log.debug : log.info;
    write(`${key}: ended, ${verdict.outcome}`, { exitCode: verdict.exitCode, signal: verdict.signal, reason: report.reason });
    await writeDurably([{ run: key, set: { endedAt: verdict.at, spec: null, unreported: [...record.unreported, report] } }]);
    reports.add(report);
    const { execution } = record.run;
    await cleanup.removeDirectories(key, live.hasExecution(execution) ? undefined : execution);
    if (spooled === 'none') cleanup.close(key);
    else if (spooled !== 'unknown') output.ended(record.run, record.outputAcknowledged, spooled);
  };

  return {
    finish,
    lose: (key, reason) => finish(key, { outcome: 'lost', at: Math.round(clock.now()), reason }, 'unknown'),
    async started(status, record) {
      if (record.started || record.endedAt !== null) return;
      const one = live.get(status.run);
      if (one) one.phase = 'started';
      const at = Math.round(status.startedAt ?? clock.now());
      const { run, directory } = record;
      const began = { type: 'report', id: journal.nextId(), run, state: 'started', at, pid: status.pid ?? 0 } as const;
      const report: StartedReport = { ...began, ...(directory !== null && { directory }) };
      log.debug(`${status.run}: started`, { pid: status.pid });
      await writeDurably([{ run: status.run, set: { started: true, startedAt: at, unreported: [...record.unreported, report] } }]);
      reports.add(report);
    },
  };
}
