/** Batches: what arrives together leaves together, in order, and nothing twice. */
import { describe, expect, test } from 'bun:test';
import { createBatch, createCoalesced, createWriteQueue } from '../../src/lib/batch.ts';

const tick = () => new Promise<void>(resolve => setImmediate(resolve));

describe('coalesced work', () => {
  test('coalesced work runs once for all calls of a tick, and again for those of the next', async () => {
    let runs = 0;
    const plan = createCoalesced(queueMicrotask, () => (runs += 1));
    plan();
    plan();
    expect(runs).toBe(0);
    await tick();
    expect(runs).toBe(1);
    plan();
    await tick();
    expect(runs).toBe(2);
  });
});

describe('a batch', () => {
  const aBatch = () => {
    const sent: string[][] = [];
    return { sent, batch: createBatch<string>({ schedule: queueMicrotask, send: items => sent.push(items) }) };
  };

  test('a batch hands on the items of one tick together, in order', async () => {
    const { sent, batch } = aBatch();
    batch.add('a');
    batch.add('b');
    expect(sent).toEqual([]);
    await tick();
    batch.add('c');
    await tick();
    expect(sent).toEqual([['a', 'b'], ['c']]);
  });

  test('a batch hands on at once when it is flushed, and nothing when it is empty', async () => {
    const { sent, batch } = aBatch();
    batch.add('a');
    batch.flush();
    batch.flush();
    expect(sent).toEqual([['a']]);
    await tick();
    expect(sent).toEqual([['a']]);
  });

  test('a batch hands on what is added while it is handing on with the next', async () => {
    const sent: string[][] = [];
    const batch = createBatch<string>({
      schedule: queueMicrotask,
      send(items) {
        sent.push(items);
        if (items[0] === 'a') batch.add('b');
      },
    });
    batch.add('a');
    await tick();
    expect(sent).toEqual([['a'], ['b']]);
  });
});

describe('a write queue', () => {
  const aQueue = (max?: number) => {
    const writes: string[][] = [];
    const ends: (() => void)[] = [];
    const queue = createWriteQueue<string>({
      schedule: queueMicrotask,
      ...(max === undefined ? {} : { max }),
      write(items) {
        writes.push(items);
        return new Promise(resolve => ends.push(resolve));
      },
    });
    return { writes, queue, end: () => ends.shift()?.() };
  };

  test('a write queue writes what arrives during a write with the next one', async () => {
    const { writes, queue, end } = aQueue();
    queue.add('a');
    queue.add('b');
    await tick();
    queue.add('c');
    queue.add('d');
    await tick();
    expect(writes).toEqual([['a', 'b']]);
    end();
    await tick();
    expect(writes).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
  });

  test('a write queue writes no more than its limit at once', async () => {
    const { writes, queue, end } = aQueue(2);
    for (const each of ['a', 'b', 'c']) queue.add(each);
    await tick();
    end();
    await tick();
    expect(writes).toEqual([['a', 'b'], ['c']]);
  });

  test('a write queue is idle once the last write has ended', async () => {
    const { queue, end } = aQueue();
    await queue.idle();
    queue.add('a');
    let isIdle = false;
    void queue.idle().then(() => (isIdle = true));
    await tick();
    queue.add('b');
    end();
    await tick();
    expect(isIdle).toBe(false);
    end();
    await tick();
    expect(isIdle).toBe(true);
  });
});
