/**
 * A deterministic store for tests and the simulation, with the same contract. `close` does nothing:
 * a new runtime with the same object finds every commit, as after a restart.
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
