/** The overlap policy and the delay before a retry. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { shardRetryDelay as backoff } from '../../actors/execution/retry.ts';
import { onDue, onTrigger, waitsBehind } from '../../actors/job/overlap.ts';
import type { OpenExecution, Overlap } from '../../actors/job/types.ts';

const running: OpenExecution = { id: 'r', blocked: null };
const waiting: OpenExecution = { id: 'w', blocked: 'turn' };
const forApp: OpenExecution = { id: 'a', blocked: 'app' };

type Row = [Overlap, number, OpenExecution[], onDue: string, onTrigger: string];
const rows: Row[] = [
  ['skip', 1, [], 'start', 'start'],
  ['skip', 1, [running], 'skip', 'wait'],
  ['skip', 1, [running, waiting], 'skip', 'join w'],
  ['skip', 1, [forApp], 'skip', 'join a'],
  ['queue', 1, [], 'start', 'start'],
  ['queue', 1, [running], 'wait', 'wait'],
  ['queue', 1, [running, waiting], 'join w', 'join w'],
  ['queue', 2, [running, waiting], 'wait', 'join w'],
  ['allow', 2, [], 'start', 'start'],
  ['allow', 2, [running], 'start', 'start'],
  ['allow', 2, [running, running], 'refuse', 'refuse'],
  ['replace', 1, [], 'start', 'start'],
  ['replace', 1, [running], 'replace', 'replace'],
  ['replace', 1, [running, waiting], 'replace', 'replace'],
];

const worded = (verdict: ReturnType<typeof onDue>): string => (verdict.do === 'join' ? `join ${verdict.execution}` : verdict.do);

describe('overlap', () => {
  test.each(rows)('overlap %s (limit %i) with %j open: a due time %s, a trigger %s', (overlap, limit, open, due, trigger) => {
    expect(worded(onDue(overlap, limit, open))).toBe(due);
    expect(worded(onTrigger(overlap, limit, open))).toBe(trigger);
  });
});

describe('a blocked execution', () => {
  test.each([
    ['queue', 1, 1, 'waits until e1 is done'],
    ['queue', 2, 2, 'waits until e1 and e2 are done'],
    ['queue', 5, 4, 'waits until e1 and 3 executions behind it are done'],
    ['replace', 1, 1, 'waits until e1 is done'],
    ['allow', 1, 1, 'waits until e1 is done'],
    ['allow', 3, 3, 'waits until 1 of the 3 executions before it is done'],
    ['allow', 3, 5, 'waits until 3 of the 5 executions before it are done'],
  ] as const)('a blocked execution (%s, limit %i) behind %i others %s', (overlap, limit, count, says) => {
    expect(
      waitsBehind(
        overlap,
        limit,
        Array.from({ length: count }, (_, place) => ({ id: `e${place + 1}` })),
      ),
    ).toBe(says);
  });
});

describe('the delay before another attempt', () => {
  const retry = { attempts: 9, backoffMs: 1_000, maxBackoffMs: 300_000, jitter: 'equal' as const };

  test('the delay before another attempt doubles up to its bound', () => {
    expect([1, 2, 3, 4, 9, 10, 99].map(tries => backoff(retry, tries, 1))).toEqual([1_000, 2_000, 4_000, 8_000, 256_000, 300_000, 300_000]);
  });

  test('the delay before another attempt lies anywhere between zero and that bound with full jitter', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 200 }), fc.double({ min: 0, max: 1, noNaN: true }), (tries, chance) => {
        const wait = backoff(retry, tries, chance);
        expect(Number.isInteger(wait)).toBe(true);
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(backoff(retry, tries, 1));
      }),
    );
  });
});
