/**
 * News of runs on their way to the center: durable before they are sent, sent again after each
 * welcome, in order, until the center says `reported`.
 */

import type { EndedReport, Report, RunVerdict } from '../../protocol/agent.ts';
import { runKey } from '../../protocol/agent.ts';
import type { Journal } from '../journal.ts';
import type { Change } from './records.ts';

export interface Reports {
  /** It is on the disk: it may leave. */
  add(report: Report): void;
  /** The link is up: everything that no center took leaves again. */
  resend(): void;
  /** The center has committed them. Repeats and unknown ids are fine. */
  reported(ids: number[]): void;
  /**
   * The end of a run once more, for a center that does not know what an earlier state of it
   * confirmed; to be added once it is durable. Undefined where the run has not ended, or its end is
   * under way already.
   */
  repeat(run: string): { report: Report; change: Change } | undefined;
  /** Reports made before the agent started. */
  restore(): void;
}

export function createReports(parts: { journal: Journal; send(report: Report): boolean; onReported(run: string): void }): Reports {
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
    reported(ids) {
      for (const id of ids) {
        const report = open.get(id);
        if (!report) continue;
        open.delete(id);
        const key = runKey(report.run);
        const record = journal.records.get(key);
        const verdict = report.state === 'ended' ? { verdict: verdictOf(report) } : {};
        if (record) journal.note([{ run: key, set: { unreported: record.unreported.filter(one => one.id !== id), ...verdict } }]);
        parts.onReported(key);
      }
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

/** Nobody asks that center to have it ended: what was stopped for the lost state of it is lost. */
function repeated(verdict: RunVerdict): RunVerdict {
  if (verdict.outcome !== 'cancelled') return verdict;
  const reason = `a later state of this center, which is lost, had it ended${verdict.reason ? `: ${verdict.reason}` : ''}`;
  return { ...verdict, outcome: 'lost', reason: reason.slice(0, 2_000) };
}
