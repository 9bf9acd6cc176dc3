/**
 * The figures of all sets as one. What a set had counted when it was last asked outlives it: its
 * successor begins at nothing.
 */
import type { Clock } from '../lib/clock.ts';
import { createPendingRequests } from '../lib/request-map.ts';
import { emptyMetrics, type RuntimeMetrics, sumCounters, sumMetrics } from './metrics.ts';
import type { PartitionWorker } from './workers/worker-supervisor.ts';

/** How long a set may take to tell its figures; the last it told stand in for it. */
export const MEASURE_MS = 1_000;

export interface MetricsAggregator {
  measure(): Promise<RuntimeMetrics>;
  measured(set: PartitionWorker, id: number, figures: RuntimeMetrics): void;
  lost(set: PartitionWorker): void;
}

export function createMetricsAggregator({ sets, clock }: { sets: readonly PartitionWorker[]; clock: Clock }): MetricsAggregator {
  const last = new Map<PartitionWorker, RuntimeMetrics>();
  const before = new Map<PartitionWorker, RuntimeMetrics>();
  const done = (id: number) => asked.resolve(id, undefined);
  const asked = createPendingRequests<void>({ clock, ms: MEASURE_MS, expired: done });

  const ask = (set: PartitionWorker): Promise<void> =>
    asked.request(id => {
      if (!set.post({ type: 'measure', id })) done(id);
    });

  return {
    async measure() {
      await Promise.all(sets.map(ask));
      return sets.flatMap(set => [before.get(set) ?? emptyMetrics(), last.get(set) ?? emptyMetrics()]).reduce(sumMetrics, emptyMetrics());
    },
    measured(set, id, figures) {
      last.set(set, figures);
      done(id);
    },
    lost(set) {
      const { counted, level } = before.get(set) ?? emptyMetrics();
      before.set(set, { counted: sumCounters(counted, last.get(set)?.counted ?? emptyMetrics().counted), level });
      last.delete(set);
    },
  };
}
