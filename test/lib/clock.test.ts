/** The clock of the system, as far as it goes beyond the timers of the platform, and pauses. */
import { describe, expect, test } from 'bun:test';
import { pause, systemClock } from '../../src/lib/clock.ts';
import { createManualClock } from '../support/manual-clock.ts';

describe('the system clock', () => {
  test('the system clock calls at once for a span of nothing or less, and not after it was disarmed', async () => {
    const called: string[] = [];
    const disarm = systemClock.after(0, () => called.push('disarmed'));
    disarm();
    disarm();
    await new Promise<void>(resolve =>
      systemClock.after(-5, () => {
        called.push('armed');
        resolve();
      }),
    );
    expect(called).toEqual(['armed']);
  });

  test('the system clock does not call early for a span that is longer than a timer of the platform', async () => {
    let called = false;
    const disarm = systemClock.after(2 ** 31 + 1_000, () => {
      called = true;
    });
    // The platform would fire a timer of that span after 1 ms, before this one.
    await new Promise<void>(resolve => systemClock.after(5, resolve));
    disarm();
    expect(called).toBe(false);
  });

  test('the system clock calls soon after the promises that are settled already', async () => {
    const order: string[] = [];
    const soon = new Promise<void>(resolve =>
      systemClock.soon(() => {
        order.push('soon');
        resolve();
      }),
    );
    await Promise.resolve().then(() => order.push('promise'));
    await soon;
    expect(order).toEqual(['promise', 'soon']);
  });

  test('the system clock never goes back by its monotonic time', () => {
    const first = systemClock.monotonic();
    expect(systemClock.monotonic()).toBeGreaterThanOrEqual(first);
  });
});

describe('a pause', () => {
  test('a pause ends after its span', async () => {
    const clock = createManualClock();
    let isOver = false;
    void pause(clock, 100).then(() => {
      isOver = true;
    });
    await clock.advance(99);
    expect(isOver).toBe(false);
    await clock.advance(1);
    expect(isOver).toBe(true);
  });

  test('a pause ends with its signal, and at once where that has aborted', async () => {
    const clock = createManualClock();
    const abort = new AbortController();
    const paused = pause(clock, 100, abort.signal);
    abort.abort();
    await paused;
    await pause(clock, 100, abort.signal);
    expect(clock.monotonic()).toBe(0);
  });
});
