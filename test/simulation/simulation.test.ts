/** The simulated cluster keeps its invariants; a seed repeats itself. */
import { describe, expect, test } from 'bun:test';
import { HOSTS } from './cluster.ts';
import type { Fault } from './faults.ts';
import { hashOf } from './random.ts';
import { faultsOf, runSeed, traceHash } from './seed.ts';
import { FULL, SMALL } from './workload.ts';

const SEEDS = 100;

describe('a simulated cluster', () => {
  test(`a simulated cluster keeps its invariants through ${SEEDS} seeds`, () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violations } = runSeed({ seed, size: SMALL });
      if (violations.length > 0) throw new Error(`seed ${seed} (small): ${violations.join('\n')}`);
    }
  }, 120_000);

  test('a simulated cluster keeps its invariants in its full size', () => {
    const seeds = [1, 2, 3, 4].map(seed => runSeed({ seed, size: FULL }));
    expect(seeds.flatMap(({ violations }) => violations)).toEqual([]);
    // The seeds did enough work.
    for (const { executions, processes } of seeds) expect(Math.min(executions, processes)).toBeGreaterThan(20);
  }, 60_000);

  test('a simulated cluster keeps its invariants while retention deletes old history', () => {
    const keep = {
      ...{ executionsMs: 15_000, executions: 40, executionsPerJob: 8, outputMs: 600_000, occurrencesMs: 20_000, occurrencesPerJob: 10 },
      ...{ postedLogsMs: 600_000, postedLogs: 100, postedLogsPerJob: 100 },
      ...{ factsMs: 10_000, facts: 500, tombstonesMs: 5_000, tombstones: 1 },
    };
    let executions = 0;
    for (let seed = 201; seed <= 212; seed++) {
      const { violations, deleted } = runSeed({ seed, size: SMALL, keep });
      if (violations.length > 0) throw new Error(`seed ${seed} (small, forgetful): ${violations.join('\n')}`);
      executions += deleted.executions;
    }
    expect(executions).toBeGreaterThan(50);
  }, 60_000);

  /** One fault the whole story long, everywhere at once. */
  const DIRECTIONS = ['toAgent', 'toCenter'] as const;
  const everywhere = <F>(fault: (host: string, direction: (typeof DIRECTIONS)[number]) => F): F[] =>
    HOSTS.flatMap(host => DIRECTIONS.map(direction => fault(host, direction)));
  const again = (everyMs: number, faults: (atMs: number) => Fault[]): Fault[] =>
    Array.from({ length: Math.floor(SMALL.storyMs / everyMs) - 1 }, (_, turn) => faults((turn + 1) * everyMs)).flat();
  const storms: [string, readonly Fault[]][] = [
    [
      'row 6: a cluster keeps its invariants while every command, report and acknowledgement arrives twice',
      everywhere((host, direction) => ({ atMs: 1, kind: 'repeat', host, direction, count: 1e9 })),
    ],
    [
      'row 7: a cluster keeps its invariants while commands, reports and acknowledgements overtake each other',
      again(150, atMs => everywhere((host, direction) => ({ atMs, kind: 'reorder', host, direction, ms: 40 + ((atMs * 7) % 900) }))),
    ],
    [
      'a cluster keeps its invariants while each host loses its connection every second, and one after the other loses its power',
      [
        ...again(1_000, atMs => HOSTS.map((host, nth) => ({ atMs: atMs + nth * 330, kind: 'cut', host }))),
        ...again(6_000, atMs => [{ atMs, kind: 'reboot', host: HOSTS[(atMs / 6_000) % 3] as string, backMs: 4_000 }]),
      ],
    ],
    [
      'row 15: a cluster keeps its invariants while every call to the store takes up to two seconds',
      [{ atMs: 1, kind: 'slowStore', ms: SMALL.storyMs, slowMs: 2_000 }],
    ],
    [
      'row 16: a cluster keeps its invariants while commits that were applied, lost or applied in part end with an error',
      again(400, atMs => [{ atMs, kind: 'unknownCommit', outcomes: ['applied', 'lost', 'partly'] }]),
    ],
  ];
  test.each(storms)(
    '%s',
    (_, faults) => {
      let processes = 0;
      for (let seed = 301; seed <= 308; seed++) {
        const result = runSeed({ seed, size: SMALL, faults });
        if (result.violations.length > 0) throw new Error(`seed ${seed} (small): ${result.violations.join('\n')}`);
        processes += result.processes;
      }
      expect(processes).toBeGreaterThan(80);
    },
    60_000,
  );

  test('a simulated cluster has every kind of fault in its seeds', () => {
    const kinds = new Set(Array.from({ length: SEEDS }, (_, at) => faultsOf(at + 1)).flatMap(faults => faults.map(({ kind }) => kind)));
    expect(kinds.size).toBe(14);
  });
});

describe('a seed', () => {
  test('a seed makes the same story twice', () => {
    for (const seed of [3, 14, 15]) expect(traceHash(seed, SMALL)).toBe(traceHash(seed, SMALL));
  }, 60_000);

  test('a seed makes the same story in another process too', async () => {
    const script = new URL('./simulate.ts', import.meta.url).pathname;
    const other = Bun.spawn([process.execPath, script, '--seed', '7', '--trace'], { stdout: 'pipe' });
    const lines = (await new Response(other.stdout).text()).trimEnd().split('\n').slice(0, -1);
    expect(lines.length).toBeGreaterThan(100);
    expect(lines.reduce((hash, line) => hashOf(line, hash), 0x811c9dc5)).toBe(traceHash(7));
  }, 60_000);
});
