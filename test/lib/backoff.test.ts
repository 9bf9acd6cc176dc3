/** Delays that double up to a cap. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { backoffDelay, createGrowingDelay } from '../../src/lib/backoff.ts';

const backoff = { baseMs: 100, capMs: 5_000 };

describe('a back-off', () => {
  test('a back-off begins with its base, doubles with each failure and ends at its cap', () => {
    const delays = [0, 1, 2, 3, 6, 7, 100_000].map(failures => backoffDelay(backoff, failures));
    expect(delays).toEqual([100, 100, 200, 400, 3_200, 5_000, 5_000]);
  });

  test('a back-off draws the whole delay with full jitter', () => {
    expect(backoffDelay(backoff, 3, 0)).toBe(0);
    expect(backoffDelay(backoff, 3, 0.5)).toBe(200);
    expect(backoffDelay(backoff, 100_000, 0.5)).toBe(2_500);
  });

  test('a back-off never exceeds the cap, never shrinks with another failure', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.nat(1_000_000), fc.nat(5_000), (baseMs, capMs, failures) => {
        const one = backoffDelay({ baseMs, capMs }, failures);
        expect(one).toBeLessThanOrEqual(capMs);
        expect(backoffDelay({ baseMs, capMs }, failures + 1)).toBeGreaterThanOrEqual(one);
      }),
    );
  });
});

describe('a growing delay', () => {
  test('a growing delay grows with each call until it is reset', () => {
    const delay = createGrowingDelay(backoff);
    expect([delay.next(), delay.next(), delay.next()]).toEqual([100, 200, 400]);
    delay.reset();
    expect([delay.next(), delay.next()]).toEqual([100, 200]);
  });
});
