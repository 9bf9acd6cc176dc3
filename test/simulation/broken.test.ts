/**
 * The checks detect each missing part: every planted break is found, and the same seed holds
 * without it.
 */
import { describe, expect, test } from 'bun:test';
import { BROKEN } from './broken.ts';
import { runSeed, type SeedResult } from './seed.ts';
import { SMALL } from './workload.ts';

const SEEDS = 100;

describe('the simulation', () => {
  for (const [name, { breakage, bearable, shows, kinds, ignores, from = 1 }] of Object.entries(BROKEN)) {
    test(`the simulation detects that the ${name} is gone`, () => {
      const options = { size: SMALL, ...(kinds ? { kinds } : {}), ...(ignores ? { ignores } : {}) };
      let found: SeedResult | undefined;
      for (let seed = from; seed < from + SEEDS && !found; seed++) {
        const result = runSeed({ ...options, seed, breakage });
        if (result.violations.length > 0) found = result;
      }
      console.log(`without the ${name}: seed ${found?.seed}, ${found?.violations[0]}`);
      expect(shows).toContain(found?.violations[0]?.split(':')[0] ?? 'nothing');
      expect(runSeed({ ...options, seed: found?.seed ?? 0, ...(bearable ? { breakage: bearable } : {}) }).violations).toEqual([]);
    }, 120_000);
  }
});
