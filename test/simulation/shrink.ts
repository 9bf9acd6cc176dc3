/**
 * The fewest faults with which a seed still fails: each is left out in turn, and stays out when the
 * same invariant breaks without it.
 */
import type { Fault } from './faults.ts';
import { runSeed, type SeedOptions, type SeedResult } from './seed.ts';

const invariantOf = (result: SeedResult): string | undefined => result.violations[0]?.split(':')[0];

export function shrink(failed: SeedResult, options: Omit<SeedOptions, 'seed' | 'faults' | 'trace'> = {}): SeedResult {
  let smallest = failed;
  let shrank = true;
  while (shrank) {
    shrank = false;
    for (let place = smallest.faults.length - 1; place >= 0; place--) {
      const fewer: Fault[] = smallest.faults.filter((_, other) => other !== place);
      const result = runSeed({ ...options, seed: failed.seed, faults: fewer });
      if (invariantOf(result) !== invariantOf(failed)) continue;
      smallest = result;
      shrank = true;
    }
  }
  return smallest;
}
