/**
 * `bun run rows`: the failures that a job scheduler must survive, and the tests of each. The row
 * stands in the name of a test: `row 12: …`, `rows 3, 19: …`. A row of a `describe` holds for all
 * of its tests.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** By number. `open`: what no test shows, and why. */
export const FAILURES: Readonly<Record<number, { fault: string; open?: string }>> = {
  1: { fault: 'the center is killed at any step' },
  2: { fault: 'a worker crashes or hangs' },
  3: { fault: 'an agent or a keeper is killed' },
  4: { fault: 'a host restarts or loses its power' },
  5: { fault: 'a half-open socket' },
  6: { fault: 'messages arrive twice' },
  7: { fault: 'messages overtake each other' },
  8: { fault: 'a late center', open: 'two real centers on one MongoDB: comes with the standby' },
  9: { fault: 'the clock jumps ahead' },
  10: { fault: 'the clock jumps back' },
  11: { fault: 'clocks change, zones change their rules', open: 'a new rule of a zone while the center runs: needs a restart' },
  12: { fault: 'the disk of the store is full' },
  13: { fault: 'the disk of an agent is full' },
  14: { fault: 'the store is away' },
  15: { fault: 'the store is slow', open: 'admission by the time that commits take: only their number is limited' },
  16: { fault: 'the store rolls back', open: 'a rollback of a real replica set' },
  17: { fault: 'all agents reconnect at once' },
  18: { fault: 'a job floods its output' },
  19: { fault: 'a job leaves daemons behind' },
  20: { fault: 'a job ignores TERM' },
  21: { fault: 'a job runs out of memory', open: 'comes with enforced limits' },
  22: { fault: 'a fork bomb, no more descriptors', open: 'pids.max and RLIMIT_NPROC: come with enforced limits' },
  23: { fault: 'a stored snapshot is damaged' },
  24: { fault: 'a stored snapshot is of a newer version' },
  25: { fault: 'huge or wrong input' },
  26: { fault: 'a watcher does not keep up' },
  27: { fault: 'a message that its actor cannot take' },
  28: { fault: 'a job that ends its agent' },
  29: { fault: 'two agents with one key' },
  30: { fault: 'center upgrade under load', open: 'comes with the standby' },
  31: { fault: 'the center stands still' },
  32: { fault: 'names, ports, certificates, archives, downloads fail' },
};

const NAMED = /(['"`])rows? (\d+(?:, \d+)*): ([^\n]*?)\1,/g;

/** Tests by row, as `path: name`. Throws where a name has a row that there is none of. */
export function testsByRow(top = import.meta.dir): Map<number, string[]> {
  const rows = new Map<number, string[]>(Object.keys(FAILURES).map(row => [Number(row), []]));
  for (const path of [...new Bun.Glob('**/*.test.ts').scanSync(top)].toSorted()) {
    for (const [, , numbers = '', name] of readFileSync(join(top, path), 'utf8').matchAll(NAMED)) {
      for (const row of numbers.split(', ')) {
        const tests = rows.get(Number(row));
        if (!tests) throw new Error(`test/${path} names row ${row}, and there is none`);
        tests.push(`test/${path}: ${name}`);
      }
    }
  }
  return rows;
}

if (import.meta.main) {
  for (const [row, tests] of testsByRow()) {
    const { fault, open } = FAILURES[row] ?? { fault: '' };
    console.log(`${String(row).padStart(2)}  ${fault}`);
    for (const test of tests) console.log(`      ${test}`);
    if (open !== undefined) console.log(`      open: ${open}`);
  }
}
