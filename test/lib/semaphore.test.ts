/** A semaphore: never more than its number at once, the others in the order they came. */
import { describe, expect, test } from 'bun:test';
import { createSemaphore } from '../../src/lib/semaphore.ts';

const settled = () => new Promise<void>(resolve => setImmediate(resolve));

describe('a semaphore', () => {
  test('a semaphore begins work at once where there is room, and the rest in the order it came', async () => {
    const semaphore = createSemaphore(2);
    const begun: number[] = [];
    const ends = [0, 1, 2, 3].map(() => Promise.withResolvers<void>());
    const results = ends.map((end, index) =>
      semaphore.run(async () => {
        begun.push(index);
        await end.promise;
        return index;
      }),
    );
    expect(begun).toEqual([0, 1]);
    expect(semaphore.waiting).toBe(2);
    ends[1]?.resolve();
    await settled();
    expect(begun).toEqual([0, 1, 2]);
    for (const end of ends) end.resolve();
    expect(await Promise.all(results)).toEqual([0, 1, 2, 3]);
    expect(semaphore.waiting).toBe(0);
  });

  test('a semaphore makes room for the next after work that fails', async () => {
    const semaphore = createSemaphore(1);
    const failed = semaphore.run(() => Promise.reject(new Error('failed')));
    const next = semaphore.run(async () => 'done');
    await expect(failed).rejects.toThrow('failed');
    expect(await next).toBe('done');
  });

  test('a semaphore makes room once however often it is released', async () => {
    const semaphore = createSemaphore(1);
    const release = await semaphore.acquire();
    const entered: string[] = [];
    const second = semaphore.acquire().then(() => entered.push('second'));
    void semaphore.acquire().then(() => entered.push('third'));
    release();
    release();
    await second;
    await settled();
    expect(entered).toEqual(['second']);
  });

  test('a semaphore serves a queue of thousands in order, never more than its number at once', async () => {
    const semaphore = createSemaphore(3);
    const begun: number[] = [];
    let active = 0;
    let most = 0;
    const all = Array.from({ length: 5_000 }, (_, index) =>
      semaphore.run(async () => {
        begun.push(index);
        active += 1;
        most = Math.max(most, active);
        await Promise.resolve();
        active -= 1;
      }),
    );
    await Promise.all(all);
    expect(most).toBe(3);
    expect(begun).toEqual(Array.from({ length: 5_000 }, (_, index) => index));
    expect(semaphore.waiting).toBe(0);
  });
});
