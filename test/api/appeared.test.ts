import { describe, expect, test } from 'bun:test';
import { appeared } from '../../src/api/lookup.ts';
import type { Views } from '../../src/runtime/views.ts';
import { createManualClock } from '../support/manual-clock.ts';

/** An execution that is there from this instant on. */
function promised(thereFrom: number) {
  const clock = createManualClock();
  let looks = 0;
  const get = async () => {
    looks += 1;
    return clock.monotonic() >= thereFrom ? ({} as never) : undefined;
  };
  let told: unknown;
  const answer = appeared({ clock, views: { get } as Pick<Views, 'get'> }, { execution: 'e1' }).then(value => {
    told = value;
  });
  return { clock, answer, told: () => told, looks: () => looks };
}

describe('the name of an execution that a job has promised', () => {
  test('is told once the execution is there, however many looks that takes', async () => {
    const { clock, answer, told, looks } = promised(300);
    await clock.advance(295);
    expect(told()).toBeUndefined();
    await clock.advance(5);
    await answer;
    expect(told()).toEqual({ execution: 'e1' });
    expect(looks()).toBeLessThan(600);
  });

  test('is told all the same after two seconds', async () => {
    const { clock, answer, told } = promised(Number.POSITIVE_INFINITY);
    await clock.advance(1_999);
    expect(told()).toBeUndefined();
    await clock.advance(10);
    await answer;
    expect(told()).toEqual({ execution: 'e1' });
  });
});
