/**
 * A deterministic store for tests and the simulation, with the same contract. `close` does nothing:
 * a new runtime with the same object finds every commit, as after a restart.
 */

import { systemClock } from '../../lib/clock.ts';
import { createFileStore } from '../file-store.ts';
import type { Store } from '../port.ts';
import { createMemoryActors } from './actors.ts';
import { createMemoryCredentials } from './credentials.ts';
import { createMemoryFacts } from './facts.ts';
import { createMemoryBlobs, createMemoryFileRows } from './files.ts';
import { createMemoryLedger } from './ledger.ts';
import { createMemoryOutput } from './output.ts';
import { createMemoryPostedLogs } from './posted-logs.ts';
import { createMemoryRetention } from './retention.ts';

/** `now`: epoch ms, the age of uploads. Default: the clock of the machine. */
export function createMemoryStore({ now = systemClock.now }: { now?: () => number } = {}): Store {
  const { append, kept: facts, ...feed } = createMemoryFacts();
  const { kept: actors, ...cast } = createMemoryActors({ append });
  const { kept: ledger, ...occurrences } = createMemoryLedger();
  const { kept: output, ...writing } = createMemoryOutput();
  const fileRows = createMemoryFileRows();
  return {
    ...cast,
    ...feed,
    ...occurrences,
    ...writing,
    ...createMemoryCredentials(),
    ...fileRows,
    files: createFileStore({ rows: fileRows, blobs: createMemoryBlobs({ now }) }),
    ...createMemoryPostedLogs(),
    ...createMemoryRetention({ actors, facts, ledger, output }),
    async probe() {},
    async close() {},
  };
}
