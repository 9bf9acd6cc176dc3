/** News of runs on their way to the center: durable before they are sent, sent again after each welcome, in order, until the center says `reported`. */
import type { Journal } from './journal.ts';
import type { Report } from './protocol.ts';
import { runKey } from './protocol.ts';

export interface Reports {
  /** It is on the disk: it may leave. */
  add(report: Report): void;
  /** The link is up: everything that no center took leaves again. */
  resend(): void;
  /** The center has committed them. Repeats and unknown ids are fine. */
  reported(ids: number[]): void;
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
        if (record) journal.note([{ run: key, set: { unreported: record.unreported.filter(one => one.id !== id) } }]);
        parts.onReported(key);
      }
    },
    restore() {
      for (const record of journal.records.values()) for (const report of record.unreported) open.set(report.id, report);
    },
  };
}
