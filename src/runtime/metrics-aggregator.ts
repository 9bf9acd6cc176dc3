/**
 * The figures of all sets as one. What a set had counted when it was last asked outlives it: its
 * successor begins at nothing.
 */
import type { Clock } from '../lib/clock.ts';
import { createPendingRequests } from '../lib/request-map.ts';
import { countedTogether, type Figures, noFigures, together } from './metrics.ts';
import type { PartitionSet } from './workers/worker-supervisor.ts';

/** How long a set may take to tell its figures; the last it told stand in for it. */
export const MEASURE_MS = 1_000;

export interface Measuring {
  measure(): Promise<Figures>;
  measured(set: PartitionSet, id: number, figures: Figures): void;
  lost(set: PartitionSet): void;
}

export function createMeasuring({ sets, clock }: { sets: readonly PartitionSet[]; clock: Clock }): Measuring {
  const last = new Map<PartitionSet, Figures>();
  const before = new Map<PartitionSet, Figures>();
  const done = (id: number) => asked.resolve(id, undefined);
  const asked = createPendingRequests<void>({ clock, ms: MEASURE_MS, expired: done });

  const ask = (set: PartitionSet): Promise<void> =>
    asked.request(id => {
      if (!set.post({ type: 'measure', id })) done(id);
    });

  return {
    async measure() {
      await Promise.all(sets.map(ask));
      return sets.flatMap(set => [before.get(set) ?? noFigures(), last.get(set) ?? noFigures()]).reduce(together, noFigures());
    },
    measured(set, id, figures) {
      last.set(set, figures);
      done(id);
    },
    lost(set) {
      const { counted, level } = before.get(set) ?? noFigures();
      before.set(set, { counted: countedTogether(counted, last.get(set)?.counted ?? noFigures().counted), level });
      last.delete(set);
    },
  };
}
