/**
 * A store for tests and the simulation: the same contract, deterministic, nothing but maps. It outlives whoever uses it: `close`
 * only says good-bye, and a new runtime given the same object finds everything that was committed, as after a restart.
 */

import { createActors } from './memory/actors.ts';
import { createCredentials } from './memory/credentials.ts';
import { createFacts } from './memory/facts.ts';
import { createLedger } from './memory/ledger.ts';
import { createOutput } from './memory/output.ts';
import type { Store } from './store.ts';

export function createMemoryStore(): Store {
  const { place, ...facts } = createFacts();
  return {
    ...createActors({ place }),
    ...facts,
    ...createLedger(),
    ...createOutput(),
    ...createCredentials(),
    async probe() {},
    async close() {},
  };
}
