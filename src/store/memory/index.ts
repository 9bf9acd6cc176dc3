/**
 * A store for tests and the simulation: the same contract, deterministic, nothing but maps. It
 * outlives whoever uses it: `close` only says good-bye, and a new runtime given the same object
 * finds everything that was committed, as after a restart.
 */

import type { Store } from '../port.ts';
import { createActors } from './actors.ts';
import { createCredentials } from './credentials.ts';
import { createFacts } from './facts.ts';
import { createLedger } from './ledger.ts';
import { createOutput } from './output.ts';
import { createRetention } from './retention.ts';

export function createMemoryStore(): Store {
  const { place, kept: facts, ...feed } = createFacts();
  const { kept: actors, ...cast } = createActors({ place });
  const { kept: ledger, ...occurrences } = createLedger();
  const { kept: output, ...writing } = createOutput();
  return {
    ...cast,
    ...feed,
    ...occurrences,
    ...writing,
    ...createCredentials(),
    ...createRetention({ actors, facts, ledger, output }),
    async probe() {},
    async close() {},
  };
}
