/**
 * A store for tests and the simulation: the same contract, deterministic, nothing but maps. It
 * outlives whoever uses it: `close` only says good-bye, and a new runtime given the same object
 * finds everything that was committed, as after a restart.
 */

import type { Store } from '../port.ts';
import { createMemoryActors } from './actors.ts';
import { createMemoryCredentials } from './credentials.ts';
import { createMemoryFacts } from './facts.ts';
import { createMemoryLedger } from './ledger.ts';
import { createMemoryOutput } from './output.ts';
import { createMemoryRetention } from './retention.ts';

export function createMemoryStore(): Store {
  const { append, kept: facts, ...feed } = createMemoryFacts();
  const { kept: actors, ...cast } = createMemoryActors({ append });
  const { kept: ledger, ...occurrences } = createMemoryLedger();
  const { kept: output, ...writing } = createMemoryOutput();
  return {
    ...cast,
    ...feed,
    ...occurrences,
    ...writing,
    ...createMemoryCredentials(),
    ...createMemoryRetention({ actors, facts, ledger, output }),
    async probe() {},
    async close() {},
  };
}
