/**
 * A center reduced to its store, for tests that kill one: `bun store-writer.ts <directory> [hold]`.
 * Prints `open`, then commits rev after rev of the same few actors and prints each rev once it is
 * committed. With `hold` it only keeps the directory, without a reference to the store.
 */
import { writeSync } from 'node:fs';
import { createSqliteStore } from '../../src/store/sqlite/index.ts';
import { aFact, aWrite } from './store-builders.ts';

export const WRITTEN = Array.from({ length: 20 }, (_, i) => `job/j${i}`);

if (import.meta.main) {
  const [directory = '', hold] = process.argv.slice(2);
  const say = (line: string) => writeSync(1, `${line}\n`);
  if (hold) {
    await createSqliteStore({ directory });
    // Twice with a rest: what the first stack still shows is collected the second time.
    for (let each = 0; each < 2; each++) await new Promise<void>(resolve => setImmediate(() => resolve(Bun.gc(true))));
    say('open');
    process.stdin.resume();
  } else {
    const store = await createSqliteStore({ directory });
    say('open');
    const first = await store.load('job/j0');
    for (let rev = (first?.rev ?? 0) + 1; ; rev++) {
      const state = JSON.stringify({ rev, pad: 'x'.repeat(2_000) });
      const results = await store.commit(
        WRITTEN.map(address => aWrite({ address, rev, state, pendingEffects: `[${rev}]`, nextDue: rev, facts: [aFact({ address, rev })] })),
      );
      if (results.every(result => result.committed)) say(String(rev));
    }
  }
}
