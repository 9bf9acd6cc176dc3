/** A crash before and after every call of every port; after a restart invariants hold. */
import { describe, expect, test } from 'bun:test';
import { type Point, runStory } from './story.ts';

const calm = runStory();

function walk(who: Point['who']): { points: number; problems: string[] } {
  const problems: string[] = [];
  let points = 0;
  for (let call = 1; call <= calm.calls[who]; call++) {
    for (const when of ['before', 'after'] as const) {
      const { reached, violations } = runStory({ who, call, when });
      if (!reached) problems.push(`${when} call ${call} of ${who} was not reached`);
      else points += 1;
      if (violations.length > 0) problems.push(`${when} call ${call} of ${who}: ${violations[0]}`);
    }
  }
  console.log(`crash walk of ${who}: ${points} points`);
  return { points, problems };
}

describe('a small story', () => {
  test('a small story holds without a crash', () => {
    expect(calm.violations).toEqual([]);
    expect(calm.executions).toBe(4);
  });

  test('row 1: a small story survives the death of the center at each of its calls to store and sockets', () => {
    const { points, problems } = walk('center');
    expect(problems).toEqual([]);
    expect(points).toBe(calm.calls.center * 2);
  }, 120_000);

  for (const host of ['h1', 'h2'] as const) {
    test(`row 3: a small story survives the death of the agent of ${host} at each of its calls to disk and keeper`, () => {
      const { points, problems } = walk(host);
      expect(problems).toEqual([]);
      expect(points).toBe(calm.calls[host] * 2);
    }, 120_000);
  }
});
