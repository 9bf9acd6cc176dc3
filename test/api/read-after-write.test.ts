/** A read behind a write waits until the actor is visible. */
import { describe, expect, test } from 'bun:test';
import { createWaitUntilVisible } from '../../src/api/commands/read-after-write.ts';
import type { Views } from '../../src/runtime/views.ts';
import type { PublishedFact } from '../../src/store/port.ts';
import { createManualClock } from '../support/manual-clock.ts';

/** A waiter for `execution/e1`, which is there from this instant on. */
function awaited(thereFrom: number, about?: { isNew: boolean }) {
  const clock = createManualClock();
  let looks = 0;
  const get = async () => {
    looks += 1;
    return clock.monotonic() >= thereFrom ? ({} as never) : undefined;
  };
  let tell: (facts: PublishedFact[]) => void = () => {};
  const waitUntilVisible = createWaitUntilVisible({
    clock,
    views: { get } as Pick<Views, 'get'>,
    runtime: {
      onFacts(listener) {
        tell = listener;
      },
    },
  });
  let isThere = false;
  const wait = () =>
    void waitUntilVisible('execution/e1', about).then(() => {
      isThere = true;
    });
  if (!about) wait();
  const fact = (address: string) => tell([{ address, rev: 1, position: 0, at: 0, type: 'execution.created', data: {}, cursor: 'c' }]);
  return { clock, fact, wait, isThere: () => isThere, looks: () => looks };
}

describe('an actor that is waited for', () => {
  test('an awaited actor is visible with its first fact, and with no fact of another', async () => {
    const { clock, fact, isThere } = awaited(Number.POSITIVE_INFINITY);
    fact('execution/e2');
    await clock.settle();
    expect(isThere()).toBe(false);
    fact('execution/e1');
    await clock.settle();
    expect(isThere()).toBe(true);
  });

  test('an awaited actor is visible when the store shows it, where its fact is never published', async () => {
    const { clock, isThere } = awaited(300);
    await clock.advance(299);
    expect(isThere()).toBe(false);
    await clock.advance(1);
    expect(isThere()).toBe(true);
  });

  test('a new actor announces itself, before or after the wait, and the store is not asked', async () => {
    for (const isTold of ['before', 'after']) {
      const { clock, fact, wait, isThere, looks } = awaited(0, { isNew: true });
      if (isTold === 'before') fact('execution/e1');
      wait();
      if (isTold === 'after') fact('execution/e1');
      await clock.settle();
      expect([isThere(), looks()]).toEqual([true, 0]);
    }
  });

  test('a new actor that is not announced is looked up in the store a moment later', async () => {
    const { clock, wait, isThere } = awaited(0, { isNew: true });
    wait();
    await clock.advance(99);
    expect(isThere()).toBe(false);
    await clock.advance(1);
    expect(isThere()).toBe(true);
  });

  test('the wait for an actor ends after two seconds', async () => {
    const { clock, isThere } = awaited(Number.POSITIVE_INFINITY);
    await clock.advance(1_999);
    expect(isThere()).toBe(false);
    await clock.advance(1);
    expect(isThere()).toBe(true);
  });
});
