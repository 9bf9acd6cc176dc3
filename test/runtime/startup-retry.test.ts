/** A start while the store is away. */
import { describe, expect, test } from 'bun:test';
import { Unavailable } from '../../src/runtime/errors.ts';
import { createStartupRetry, STARTUP_RETRY_MS } from '../../src/runtime/startup-retry.ts';
import { StoreUnavailable } from '../../src/store/port.ts';
import { createManualClock } from '../support/manual-clock.ts';

const clock = createManualClock();
const aStartupRetry = (signal?: AbortSignal) => {
  const problems: string[] = [];
  return { problems, retrying: createStartupRetry({ clock, signal, waits: problem => problems.push(problem) }) };
};
const away = () => Promise.reject(new StoreUnavailable('nobody there'));

describe('a start', () => {
  test.each([
    ['a store', new StoreUnavailable('no primary')],
    ['a turn', new Unavailable('no primary')],
  ])('a start is repeated where %s without a database refused it', async (_, error) => {
    const { retrying, problems } = aStartupRetry();
    let times = 0;
    const done = retrying(async () => {
      if (++times < 3) throw error;
      return 'done';
    });
    await clock.advance(1_000);
    expect(await done).toBe('done');
    expect(problems).toEqual(['no primary', 'no primary']);
  });

  test('a start gives up when the store stays away, with the reason', async () => {
    const { retrying, problems } = aStartupRetry();
    const ended = retrying(away).catch((error: unknown) => error);
    await clock.advance(STARTUP_RETRY_MS);
    expect(await ended).toEqual(new StoreUnavailable('nobody there'));
    expect(problems.length).toBeGreaterThan(5);
  });

  test('a start waits without a limit for a store where none is set, and for nothing else', async () => {
    const problems: string[] = [];
    const retrying = createStartupRetry({ clock, limitMs: null, waits: problem => problems.push(problem) });
    let isFull = true;
    const done = retrying(async () => (isFull ? away() : 'done'));
    await clock.advance(100 * STARTUP_RETRY_MS);
    expect(problems.length).toBeGreaterThan(900);
    isFull = false;
    await clock.advance(3_000);
    expect(await done).toBe('done');
    await expect(retrying(() => Promise.reject(new Unavailable('a worker ended')))).rejects.toThrow('a worker ended');
  });

  test('a start waits no longer once it is called off', async () => {
    const ending = new AbortController();
    const { retrying } = aStartupRetry(ending.signal);
    const ended = retrying(away).catch((error: unknown) => error);
    await clock.advance(100);
    ending.abort();
    expect(await ended).toBeInstanceOf(StoreUnavailable);
  });

  test('a start does nothing twice that failed for another reason', async () => {
    const { retrying } = aStartupRetry();
    let times = 0;
    const work = async () => {
      times += 1;
      throw new Error('newer schema');
    };
    await expect(retrying(work)).rejects.toThrow('newer schema');
    expect(times).toBe(1);
  });
});
