/** Work that concurrent callers share: begun once, aborted when the last caller gives up. */
import { describe, expect, test } from 'bun:test';
import { createSingleFlight } from '../../src/lib/single-flight.ts';

/** Work that ends when it is let; `signals` has the signal of each time it was begun. */
function someWork() {
  const signals: AbortSignal[] = [];
  const ends: PromiseWithResolvers<string>[] = [];
  const work = (signal: AbortSignal) => {
    signals.push(signal);
    const end = Promise.withResolvers<string>();
    ends.push(end);
    return end.promise;
  };
  return { work, signals, ends };
}

describe('a single flight', () => {
  test('a single flight begins work once for all who join, and anew once it is over', async () => {
    const flights = createSingleFlight<string>();
    const { work, signals, ends } = someWork();
    const both = Promise.all([flights.join('a', work), flights.join('a', work)]);
    expect(signals.length).toBe(1);
    ends[0]?.resolve('done');
    expect(await both).toEqual(['done', 'done']);
    void flights.join('a', work);
    expect(signals.length).toBe(2);
  });

  test('a single flight shares a failure, and keeps none', async () => {
    const flights = createSingleFlight<string>();
    const { work, signals, ends } = someWork();
    const both = Promise.allSettled([flights.join('a', work), flights.join('a', work)]);
    ends[0]?.reject(new Error('failed'));
    expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    void flights.join('a', work);
    expect(signals.length).toBe(2);
  });

  test('a single flight begins work of another key by itself', () => {
    const flights = createSingleFlight<string>();
    const { work, signals } = someWork();
    void flights.join('a', work);
    void flights.join('b', work);
    expect(signals.length).toBe(2);
  });

  test('a single flight goes on while one caller waits, and is aborted with the last', async () => {
    const flights = createSingleFlight<string>();
    const { work, signals } = someWork();
    const [first, last] = [new AbortController(), new AbortController()];
    const both = Promise.allSettled([flights.join('a', work, first.signal), flights.join('a', work, last.signal)]);
    first.abort(new Error('first gave up'));
    await Promise.resolve();
    expect(signals[0]?.aborted).toBe(false);
    last.abort(new Error('last gave up'));
    expect((await both).map(each => each.status === 'rejected' && each.reason.message)).toEqual(['first gave up', 'last gave up']);
    expect(signals[0]?.aborted).toBe(true);
  });

  test('a single flight is not aborted while a caller waits who cannot give up', async () => {
    const flights = createSingleFlight<string>();
    const { work, signals, ends } = someWork();
    const abort = new AbortController();
    const patient = flights.join('a', work);
    const impatient = flights.join('a', work, abort.signal);
    abort.abort(new Error('gave up'));
    await expect(impatient).rejects.toThrow('gave up');
    expect(signals[0]?.aborted).toBe(false);
    ends[0]?.resolve('done');
    expect(await patient).toBe('done');
  });

  test('a single flight is not joined after every caller gave up', async () => {
    const flights = createSingleFlight<string>();
    const { work, signals } = someWork();
    const abort = new AbortController();
    const given = flights.join('a', work, abort.signal);
    abort.abort(new Error('gave up'));
    await expect(given).rejects.toThrow('gave up');
    void flights.join('a', work);
    expect(signals.length).toBe(2);
  });

  test('a single flight is not begun for a signal that has aborted', async () => {
    const flights = createSingleFlight<string>();
    const { work, signals } = someWork();
    await expect(flights.join('a', work, AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
    expect(signals.length).toBe(0);
  });

  test('a single flight is not joined once it is detached, and its end leaves the next one alone', async () => {
    const flights = createSingleFlight<string>();
    const { work, signals, ends } = someWork();
    const first = flights.join('a', work);
    flights.detach('a');
    const second = flights.join('a', work);
    expect(signals.length).toBe(2);
    ends[0]?.resolve('old');
    expect(await first).toBe('old');
    const third = flights.join('a', work);
    ends[1]?.resolve('new');
    expect(await Promise.all([second, third])).toEqual(['new', 'new']);
    expect(signals.length).toBe(2);
  });
});
