/** Restarts that are limited within a window. */
import { describe, expect, test } from 'bun:test';
import { createRestartPolicy } from '../../src/lib/restart-policy.ts';
import { createManualClock } from '../support/manual-clock.ts';

const limits = { restarts: 3, windowMs: 10_000, delay: { baseMs: 200, capMs: 500 } };
const aPolicy = () => {
  const clock = createManualClock();
  return { clock, policy: createRestartPolicy(clock, limits) };
};

describe('a restart policy', () => {
  test('a restart policy allows its number of restarts, each after a longer delay up to the cap, then none', () => {
    const { policy } = aPolicy();
    expect([policy.failed(), policy.failed(), policy.failed(), policy.failed()]).toEqual([200, 400, 500, null]);
  });

  test('a restart policy does not count a failure as old as the window', async () => {
    const { clock, policy } = aPolicy();
    policy.failed();
    await clock.advance(9_999);
    expect(policy.failed()).toBe(400);
    await clock.advance(1);
    expect(policy.failed()).toBe(400);
    expect(policy.failed()).toBe(500);
  });

  test('a restart policy restarts forever what fails less often than its limit', async () => {
    const { clock, policy } = aPolicy();
    for (let failure = 0; failure < 20; failure++) {
      expect(policy.failed()).not.toBeNull();
      await clock.advance(4_000);
    }
  });
});
