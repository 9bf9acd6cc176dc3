/** One thread of `simulate`: runs the seeds it is given, shrinks those that fail. */
import { runSeed, type SeedResult } from './seed.ts';
import { shrink } from './shrink.ts';

declare const self: Worker;

export interface SeedReport {
  result: SeedResult;
  /** The same failure with the fewest faults. */
  smallest: SeedResult | undefined;
}

self.onmessage = ({ data: seed }: MessageEvent<number>) => {
  const result = runSeed({ seed });
  const smallest = result.violations.length > 0 ? shrink(result) : undefined;
  self.postMessage({ result, smallest } satisfies SeedReport);
};
