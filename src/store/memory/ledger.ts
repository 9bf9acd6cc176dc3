/** The occurrence ledger in memory: entries of a job by their `from`. */

import { type Ledger, type Occurrence, resolves } from '../port.ts';
import { readableOccurrence, sumOf } from '../readable.ts';

export interface KeptLedger {
  jobs: Map<string, Map<number, Occurrence>>;
  /** By job, see `Ledger.keptAfter`. */
  marks: Map<string, number>;
}

export function createMemoryLedger(): Ledger & { kept: KeptLedger } {
  const jobs: KeptLedger['jobs'] = new Map();
  const marks: KeptLedger['marks'] = new Map();

  const touching = ({ job, from, to }: { job: string; from?: number; to?: number }) =>
    [...(jobs.get(job)?.values() ?? [])].filter(
      entry => entry.to >= (from ?? Number.NEGATIVE_INFINITY) && entry.from <= (to ?? Number.POSITIVE_INFINITY),
    );

  return {
    kept: { jobs, marks },

    async keptAfter(job) {
      return marks.get(job) ?? null;
    },

    async record(entries) {
      for (const entry of entries) {
        const ledger = jobs.get(entry.job) ?? new Map<number, Occurrence>();
        jobs.set(entry.job, ledger);
        const before = ledger.get(entry.from);
        if (!before) ledger.set(entry.from, { ...entry });
        else if (resolves(before, entry)) {
          const { verdict, reason, decidedAt } = entry;
          ledger.set(entry.from, { ...before, verdict, reason, decidedAt });
        }
      }
    },

    async occurrences({ verdict, after, limit, order = 'oldest', ...range }) {
      const direction = order === 'oldest' ? 1 : -1;
      return touching(range)
        .filter(entry => verdict === undefined || entry.verdict === verdict)
        .filter(entry => after === undefined || (entry.from - after) * direction > 0)
        .sort((a, b) => (a.from - b.from) * direction)
        .slice(0, limit)
        .map(readableOccurrence);
    },

    async summary(range) {
      return sumOf(touching(range));
    },
  };
}
