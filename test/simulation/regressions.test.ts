/** Faults found by the simulation, each with its seed and the fewest faults injected. */
import { describe, expect, test } from 'bun:test';
import type { Fault } from './faults.ts';
import { runSeed } from './seed.ts';
import { SMALL } from './workload.ts';

const REGRESSIONS: { name: string; seed: number; faults: Fault[] }[] = [
  {
    // The hello named only what had not ended: the center took a run for lost whose end was on its
    // way.
    name: 'a run that ended while its center was away keeps its verdict',
    seed: 1,
    faults: [{ atMs: 33_524, kind: 'centerCrash', call: 25, when: 'after', backMs: 2_000 }],
  },
  {
    // The center checked whether the host was retired before a command counted as sent; the host
    // was back sooner, and its lane stayed closed.
    name: 'commands reach a host that is back before the center sees it away',
    seed: 27,
    faults: [
      { atMs: 9_910, kind: 'reboot', host: 'h1', backMs: 6_000 },
      { atMs: 12_410, kind: 'unknownCommit', outcomes: ['partly', 'lost'] },
    ],
  },
  {
    // Two background trims side by side: the slower one overwrote the newer list of pending effects
    // with its older one.
    name: 'acknowledged effects stay acknowledged on a slow store',
    seed: 84,
    faults: [
      { atMs: 11_553, kind: 'keeperCrash', host: 'h2' },
      { atMs: 11_887, kind: 'repeat', host: 'h1', direction: 'toCenter', count: 9 },
      { atMs: 15_640, kind: 'unknownCommit', outcomes: ['partly', 'lost', 'partly'] },
      { atMs: 24_527, kind: 'unknownCommit', outcomes: ['lost', 'applied'] },
      { atMs: 24_533, kind: 'slowStore', ms: 8_763, slowMs: 1_539 },
    ],
  },
  {
    // The list of runs in a hello was judged after a run of that very session had begun, and its
    // report did not name its session.
    name: 'a run that began after the hello is not lost by it',
    seed: 83,
    faults: [
      { atMs: 6_779, kind: 'reboot', host: 'h1', backMs: 25_000 },
      { atMs: 31_196, kind: 'slowStore', ms: 8_946, slowMs: 630 },
    ],
  },
  {
    // An old start came once more, and its refusal counted for the run that it had begun.
    name: 'a run goes on when an old frame of its start is refused by its agent',
    seed: 14,
    faults: [
      { atMs: 6_317, kind: 'centerCrash', call: 40, when: 'before', backMs: 20 },
      { atMs: 10_303, kind: 'replay', host: 'h1', direction: 'toCenter', count: 13 },
      { atMs: 17_522, kind: 'replay', host: 'h1', direction: 'toAgent', count: 18 },
    ],
  },
];

describe('seeds that failed before', () => {
  for (const { name, seed, faults } of REGRESSIONS) {
    test(name, () => {
      expect(runSeed({ seed, faults, size: SMALL, files: false }).violations).toEqual([]);
    });
  }
});
