/** Work under one mutex never overlaps; work under different keys does. */
import { describe, expect, test } from 'bun:test';
import { createKeyedMutex, createMutex } from '../../src/lib/keyed-mutex.ts';

/** Work that ends when it is let, and a record of what began and ended. */
function aRecord() {
  const events: string[] = [];
  const held = (name: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const work = async () => {
      events.push(`${name} begins`);
      try {
        return await promise;
      } finally {
        events.push(`${name} ends`);
      }
    };
    return { work, resolve, reject };
  };
  return { events, held };
}

const settled = () => new Promise<void>(resolve => setImmediate(resolve));

describe('a mutex', () => {
  test('a mutex begins work after all earlier work, also after work that failed', async () => {
    const { events, held } = aRecord();
    const exclusive = createMutex();
    const [first, second] = [held('first'), held('second')];
    const results = Promise.allSettled([exclusive(first.work), exclusive(second.work)]);
    await settled();
    expect(events).toEqual(['first begins']);
    first.reject(new Error('failed'));
    second.resolve('done');
    expect(await results).toEqual([
      { status: 'rejected', reason: new Error('failed') },
      { status: 'fulfilled', value: 'done' },
    ]);
    expect(events).toEqual(['first begins', 'first ends', 'second begins', 'second ends']);
  });
});

describe('a keyed mutex', () => {
  test('a keyed mutex begins work of one key in turn, work of another at once', async () => {
    const { events, held } = aRecord();
    const inTurn = createKeyedMutex();
    const [first, second, other] = [held('first'), held('second'), held('other')];
    const results = Promise.all([inTurn('a', first.work), inTurn('a', second.work), inTurn('b', other.work)]);
    await settled();
    expect(events).toEqual(['first begins', 'other begins']);
    for (const each of [second, other, first]) each.resolve('done');
    expect(await results).toEqual(['done', 'done', 'done']);
    expect(events.indexOf('first ends')).toBeLessThan(events.indexOf('second begins'));
  });

  test('a keyed mutex begins work of a key after earlier work of it that failed', async () => {
    const inTurn = createKeyedMutex();
    const failed = inTurn('a', () => Promise.reject(new Error('failed')));
    const next = inTurn('a', async () => 'done');
    await expect(failed).rejects.toThrow('failed');
    expect(await next).toBe('done');
  });
});
