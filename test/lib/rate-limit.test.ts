/** At most so many calls per key in any span of time. */
import { describe, expect, test } from 'bun:test';
import { createRateLimit } from '../../src/lib/rate-limit.ts';
import { createManualClock } from '../support/manual-clock.ts';

const aLimit = (most = 3) => {
  const clock = createManualClock();
  return { clock, limit: createRateLimit({ clock, most, windowMs: 1_000 }) };
};

describe('a rate limit', () => {
  test('a rate limit allows so many calls at once, and tells when the next one is', async () => {
    const { clock, limit } = aLimit();
    expect([1, 2, 3, 4].map(() => limit.take('a'))).toEqual([0, 0, 0, 1_000]);
    await clock.advance(400);
    expect(limit.take('a')).toBe(600);
    await clock.advance(600);
    expect([1, 2, 3, 4].map(() => limit.take('a'))).toEqual([0, 0, 0, 1_000]);
  });

  test('a rate limit holds in every span, not only from second to second', async () => {
    const { clock, limit } = aLimit();
    const allowed: number[] = [];
    for (let at = 0; at < 10_000; at += 70) {
      if (limit.take('a') === 0) allowed.push(clock.monotonic());
      await clock.advance(70);
    }
    const within = allowed.map(from => allowed.filter(at => at >= from && at < from + 1_000).length);
    expect(Math.max(...within)).toBe(3);
    expect(allowed.length).toBeGreaterThan(25);
  });

  test('a rate limit counts each key by itself, and refused calls not at all', async () => {
    const { clock, limit } = aLimit(1);
    expect([limit.take('a'), limit.take('b'), limit.take('a')]).toEqual([0, 0, 1_000]);
    await clock.advance(999);
    expect(limit.take('a')).toBe(1);
    await clock.advance(1);
    expect(limit.take('a')).toBe(0);
  });
});
