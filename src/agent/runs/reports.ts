/**
 * Reports to the center: written to the journal before they are sent, sent again in order after
 * each welcome until the center acknowledges them.
 */
import { type EndedReport, keyOfRun, type Report, type RunVerdict } from '../../protocol/agent.ts';
import type { Journal } from '../journal.ts';
import type { Change } from './records.ts';

export interface Reports {
  /** Sends a report that is in the journal. */
  add(report: Report): void;
  /** Sends all unacknowledged reports again. */
  resend(): void;
  /** The runs of the reports that these ids acknowledge. Ignores unknown ids. Idempotent. */
  acknowledged(ids: number[]): string[];
  /**
   * The acknowledged end of a run as a new report, for a center that has lost it; to be added once
   * it is durable. Undefined when the run has not ended, or its end is not acknowledged.
   */
  repeat(run: string): { report: Report; change: Change } | undefined;
  /** Reads the unacknowledged reports from the journal. */
  restore(): void;
}

const REASON_MAX = 2_000;

export function createReports(parts: { journal: Journal; send(report: Report): boolean }): Reports {
  const { journal, send } = parts;
  const open = new Map<number, Report>();

  return {
    add(report) {
      open.set(report.id, report);
      send(report);
    },
    resend() {
      for (const id of [...open.keys()].sort((a, b) => a - b)) {
        const report = open.get(id);
        if (report) send(report);
      }
    },
    acknowledged(ids) {
      const runs: string[] = [];
      for (const id of ids) {
        const report = open.get(id);
        if (!report) continue;
        open.delete(id);
        const key = keyOfRun(report.run);
        const record = journal.records.get(key);
        const verdict = report.state === 'ended' ? { verdict: verdictOf(report) } : {};
        if (record) journal.note([{ run: key, set: { unreported: record.unreported.filter(one => one.id !== id), ...verdict } }]);
        runs.push(key);
      }
      return runs;
    },
    repeat(run) {
      const record = journal.records.get(run);
      if (!record?.verdict || record.unreported.length > 0) return undefined;
      const report: Report = { type: 'report', id: journal.nextId(), run: record.run, state: 'ended', ...repeated(record.verdict) };
      return { report, change: { run, set: { unreported: [report] } } };
    },
    restore() {
      for (const record of journal.records.values()) for (const report of record.unreported) open.set(report.id, report);
    },
  };
}

function verdictOf({ type: _type, id: _id, run: _run, state: _state, ...verdict }: EndedReport): RunVerdict {
  return verdict;
}

/** The restored center has not cancelled the run, so a run that was cancelled is lost. */
function repeated(verdict: RunVerdict): RunVerdict {
  if (verdict.outcome !== 'cancelled') return verdict;
  const reason = `a later state of this center, which is lost, had it ended${verdict.reason ? `: ${verdict.reason}` : ''}`;
  return { ...verdict, outcome: 'lost', reason: reason.slice(0, REASON_MAX) };
}
