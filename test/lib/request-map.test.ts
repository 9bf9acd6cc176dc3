/** Requests by number: each settled once, by its response, its timeout or the end of all. */
import { describe, expect, test } from 'bun:test';
import { createPendingRequests, createRequestMap } from '../../src/lib/request-map.ts';
import { createManualClock } from '../support/manual-clock.ts';

describe('a request map', () => {
  test('a request map gives each request a number of its own and takes it once', () => {
    const requests = createRequestMap<string>();
    const [first, second] = [requests.add('a'), requests.add('b')];
    expect([first, second]).toEqual([1, 2]);
    expect(requests.take(second)).toBe('b');
    expect(requests.take(second)).toBeUndefined();
    expect(requests.take(99)).toBeUndefined();
    expect(requests.add('c')).toBe(3);
    expect(requests.size).toBe(2);
  });

  test('a request map takes the requests that match, oldest first, and keeps the others', () => {
    const requests = createRequestMap<string>();
    for (const each of ['a1', 'b1', 'a2']) requests.add(each);
    expect(requests.takeAll(each => each.startsWith('a'))).toEqual(['a1', 'a2']);
    expect(requests.takeAll()).toEqual(['b1']);
    expect(requests.size).toBe(0);
  });
});

describe('a pending request', () => {
  const sent: number[] = [];
  const send = (id: number) => void sent.push(id);

  test('a pending request settles with its own response, whatever the order of the responses', async () => {
    const requests = createPendingRequests<string>();
    const responses = Promise.allSettled([requests.request(send), requests.request(send)]);
    requests.reject(2, new Error('no'));
    requests.resolve(1, 'yes');
    expect(await responses).toEqual([
      { status: 'fulfilled', value: 'yes' },
      { status: 'rejected', reason: new Error('no') },
    ]);
    expect(requests.size).toBe(0);
  });

  test('a pending request ignores a response that comes late, twice or for no request', async () => {
    const requests = createPendingRequests<string>();
    const response = requests.request(send);
    requests.resolve(1, 'first');
    requests.resolve(1, 'second');
    requests.reject(1, new Error('late'));
    requests.resolve(7, 'unknown');
    expect(await response).toBe('first');
  });

  test('a pending request rejects with what its sending throws, and is removed', async () => {
    const requests = createPendingRequests<string>();
    const response = requests.request(() => {
      throw new Error('cannot be sent');
    });
    await expect(response).rejects.toThrow('cannot be sent');
    expect(requests.size).toBe(0);
  });

  test('a pending request rejects with an error of its own when all are ended', async () => {
    const requests = createPendingRequests<string>();
    const responses = Promise.allSettled([requests.request(send), requests.request(send)]);
    requests.rejectAll(() => new Error('gone'));
    const reasons = (await responses).map(each => (each.status === 'rejected' ? each.reason : undefined));
    expect(reasons).toEqual([new Error('gone'), new Error('gone')]);
    expect(reasons[0]).not.toBe(reasons[1]);
  });

  test('a pending request expires after its timeout, and not once it is settled', async () => {
    const clock = createManualClock();
    const expired: number[] = [];
    const requests = createPendingRequests<string>({
      clock,
      ms: 100,
      expired(id) {
        expired.push(id);
        requests.resolve(id, 'nothing came');
      },
    });
    const [settled, late] = [requests.request(send), requests.request(send)];
    requests.resolve(1, 'came');
    await clock.advance(99);
    expect(expired).toEqual([]);
    await clock.advance(1);
    expect(expired).toEqual([2]);
    expect([await settled, await late]).toEqual(['came', 'nothing came']);
  });
});
