/** Facts between their commit and their position in the feed, without a server. */
import { expect, test } from 'bun:test';
import type { Orm } from '../../src/store/mongo/connection.ts';
import { createFactPublisher } from '../../src/store/mongo/fact-publisher.ts';
import type { HistoryFact } from '../../src/store/port.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { aFact } from '../support/store-builders.ts';

test('a fact that a document holds is published also where an earlier commit of its actor still waits for its position', async () => {
  const published: number[] = [];
  let open = () => {};
  const gate = new Promise<void>(resolve => {
    open = resolve;
  });
  const append = async (facts: HistoryFact[]) => {
    await gate;
    published.push(...facts.map(({ rev }) => rev));
    return facts.map(fact => ({ ...fact, cursor: String(fact.rev) }));
  };
  const orm = { driver: { nativeUpdateMany: async () => {} } } as unknown as Orm;
  const publisher = createFactPublisher(orm, { append }, createManualClock());
  const own = publisher.publish([{ address: 'job/nightly', rev: 6, facts: [aFact({ rev: 6 })] }]);
  // The next one was written behind it, and its outcome is not known: it is read again.
  const texts = [6, 7].map(rev => JSON.stringify([aFact({ rev })]));
  const found = publisher.found({ _id: 'job/nightly', rev: 7, facts: texts });
  open();
  await Promise.all([own, found]);
  expect(new Set(published)).toEqual(new Set([6, 7]));
  expect(publisher.isPublished('job/nightly')).toBe(true);
});
