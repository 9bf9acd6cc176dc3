/**
 * Sums the metrics of all partition workers. The last counters of a worker outlive it: its
 * successor starts at 0.
 */
import type { Clock } from '../lib/clock.ts';
import { createPendingRequests } from '../lib/request-map.ts';
import { emptyMetrics, type RuntimeMetrics, sumCounters, sumMetrics } from './metrics.ts';
import type { PartitionWorker } from './workers/worker-supervisor.ts';

/** Time limit for a worker's answer, ms. After it the last known metrics are used. */
export const MEASURE_MS = 1_000;

export interface MetricsAggregator {
  measure(): Promise<RuntimeMetrics>;
  measured(worker: PartitionWorker, id: number, metrics: RuntimeMetrics): void;
  lost(worker: PartitionWorker): void;
}

export function createMetricsAggregator({ workers, clock }: { workers: readonly PartitionWorker[]; clock: Clock }): MetricsAggregator {
  const last = new Map<PartitionWorker, RuntimeMetrics>();
  const before = new Map<PartitionWorker, RuntimeMetrics>();
  const done = (id: number) => asked.resolve(id, undefined);
  const asked = createPendingRequests<void>({ clock, ms: MEASURE_MS, expired: done });

  const ask = (worker: PartitionWorker): Promise<void> =>
    asked.request(id => {
      if (!worker.post({ type: 'measure', id })) done(id);
    });

  return {
    async measure() {
      await Promise.all(workers.map(ask));
      return workers
        .flatMap(worker => [before.get(worker) ?? emptyMetrics(), last.get(worker) ?? emptyMetrics()])
        .reduce(sumMetrics, emptyMetrics());
    },
    measured(worker, id, metrics) {
      last.set(worker, metrics);
      done(id);
    },
    lost(worker) {
      const { counted, level } = before.get(worker) ?? emptyMetrics();
      before.set(worker, { counted: sumCounters(counted, last.get(worker)?.counted ?? emptyMetrics().counted), level });
      last.delete(worker);
    },
  };
}
