/** Watchers of the feed, and facts that arrive late or out of order. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { createFeed, FeedFull, type FeedLimits } from '../../src/feed/feed.ts';
import type { FeedFilter } from '../../src/feed/filter.ts';
import type { Watcher, WatchFrame } from '../../src/feed/watching.ts';
import { createMemoryFacts } from '../../src/store/memory/facts.ts';
import { BadCursor, type FactStore, type PublishedFact, StoreUnavailable } from '../../src/store/port.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { aFact } from '../support/store-builders.ts';

/** A feed over a store in memory; `happens` commits facts and returns them as published. */
function aFeed(limits: Partial<FeedLimits> = {}, shape: (store: FactStore) => FactStore = store => store) {
  const clock = createManualClock();
  const { append, ...store } = createMemoryFacts();
  const feed = createFeed({ store: shape(store), clock, limits });
  let rev = 0;
  const happens = (...changes: Partial<PublishedFact>[]): PublishedFact[] =>
    changes.map(change => append(aFact({ rev: ++rev, ...change })));
  const many = (count: number) => happens(...Array.from({ length: count }, () => ({})));
  return { clock, feed, happens, many, store };
}

function aWatcher(changes: Partial<Watcher> = {}) {
  const frames: WatchFrame[] = [];
  const seen: { isWritable: boolean; cut: { why: string; cursor: string } | undefined } = { isWritable: true, cut: undefined };
  const watcher: Watcher = {
    take: frame => frames.push(frame) > 0,
    hasRoom: () => seen.isWritable,
    cut: (why, cursor) => {
      seen.cut = { why, cursor };
    },
    ...changes,
  };
  const revs = () => frames.map(frame => ('rev' in frame ? frame.rev : frame.type));
  return { watcher, frames, seen, revs };
}

describe('a watcher', () => {
  test('a watcher without a cursor sees what happens from now on', async () => {
    const { feed, many } = aFeed();
    many(3);
    const { watcher, revs } = aWatcher();
    await feed.follow({}, watcher);
    feed.publish(many(2));
    expect(revs()).toEqual([4, 5]);
  });

  test('a watcher from a cursor sees the stored facts first, then live ones', async () => {
    const { feed, many, clock } = aFeed({ page: 2 });
    const old = many(5);
    const { watcher, revs } = aWatcher();
    await feed.follow({ after: old[1]?.cursor }, watcher);
    feed.publish(many(1));
    await clock.settle();
    feed.publish(many(1));
    expect(revs()).toEqual([3, 4, 5, 6, 7]);
  });

  test('a watcher is refused for a malformed cursor, and beyond the number of watchers', async () => {
    const { feed } = aFeed({ watchersMax: 1 });
    await expect(feed.follow({ after: 'nonsense' }, aWatcher().watcher)).rejects.toBeInstanceOf(BadCursor);
    const first = await feed.follow({}, aWatcher().watcher);
    await expect(feed.follow({}, aWatcher().watcher)).rejects.toBeInstanceOf(FeedFull);
    first.stop();
    await feed.follow({}, aWatcher().watcher);
    expect(feed.watchers()).toBe(1);
  });

  test('a watcher gets feed.truncated first when its cursor is older than the feed', async () => {
    const { feed, many, clock, store } = aFeed();
    const kept = many(5);
    store.kept.dropOldest(2);
    const { watcher, frames } = aWatcher();
    await feed.follow({ after: kept[0]?.cursor }, watcher);
    await clock.settle();
    const at = new Date(kept[2]?.at ?? 0).toISOString();
    expect(frames[0]).toEqual({ type: 'feed.truncated', data: { from: kept[2]?.cursor as string, at } });
    expect(frames.slice(1)).toEqual(kept.slice(2));
  });

  test('a watcher gets no notice when its cursor is at the last deleted fact', async () => {
    const { feed, many, clock, store } = aFeed();
    const kept = many(5);
    store.kept.dropOldest(2);
    const { watcher, frames } = aWatcher();
    await feed.follow({ after: kept[1]?.cursor }, watcher);
    await clock.settle();
    expect(frames).toEqual(kept.slice(2));
  });

  test('a watcher gets only what its filter takes', async () => {
    const facts = [
      { address: 'job/a', type: 'job.triggered', data: {} },
      { address: 'execution/a@1', type: 'shard.placed', data: { execution: 'a@1', job: 'a', host: 'h1', hostName: 'box' } },
      { address: 'execution/b@1', type: 'execution.finished', data: { execution: 'b@1', job: 'b' } },
      { address: 'host/h1', type: 'host.ready', data: { host: 'h1', name: 'box' } },
    ];
    const wants = async (filter: FeedFilter) => {
      const { feed, happens } = aFeed();
      const { watcher, revs } = aWatcher();
      await feed.follow({ filter }, watcher);
      feed.publish(happens(...facts));
      return revs();
    };
    expect(await wants({})).toEqual([1, 2, 3, 4]);
    expect(await wants({ kinds: ['job', 'host.ready'] })).toEqual([1, 4]);
    expect(await wants({ job: 'a' })).toEqual([1, 2]);
    expect(await wants({ host: 'h1' })).toEqual([2, 4]);
    expect(await wants({ host: 'box' })).toEqual([2, 4]);
    expect(await wants({ execution: 'b@1' })).toEqual([3]);
    expect(await wants({ job: 'a', kinds: ['execution'] })).toEqual([2]);
  });

  test('row 26: a slow watcher is cut with its last cursor and blocks nobody', async () => {
    const { feed, many } = aFeed({ backlogMax: 3 });
    const slow = aWatcher();
    const quick = aWatcher();
    await feed.follow({}, slow.watcher);
    await feed.follow({}, quick.watcher);
    const first = many(1);
    feed.publish(first);
    slow.seen.isWritable = false;
    feed.publish(many(4));
    expect(slow.seen.cut).toEqual({ why: 'slow', cursor: first[0]?.cursor ?? '' });
    expect(quick.revs()).toEqual([1, 2, 3, 4, 5]);
    expect(feed.watchers()).toBe(1);
    // It resumes from there.
    const again = aWatcher();
    await feed.follow({ after: slow.seen.cut?.cursor }, again.watcher);
    feed.publish(many(1));
    await Promise.resolve();
    expect([...slow.revs(), ...again.revs()].slice(0, 5)).toEqual([1, 2, 3, 4, 5]);
  });

  test('a watcher that makes room in time gets the waiting facts in order', async () => {
    const { feed, many, clock } = aFeed({ backlogMax: 10 });
    const { watcher, seen, revs } = aWatcher();
    await feed.follow({}, watcher);
    seen.isWritable = false;
    feed.publish(many(4));
    await clock.advance(1_000);
    expect(revs()).toEqual([]);
    seen.isWritable = true;
    await clock.advance(100);
    feed.publish(many(1));
    expect(revs()).toEqual([1, 2, 3, 4, 5]);
  });

  test('a watcher that stalls while it catches up is cut after a while', async () => {
    const { feed, many, clock } = aFeed();
    const old = many(2);
    const { watcher, seen } = aWatcher();
    seen.isWritable = false;
    await feed.follow({ after: old[0]?.cursor }, watcher);
    await clock.advance(29_000);
    expect(seen.cut).toBeUndefined();
    await clock.advance(2_000);
    expect(seen.cut).toEqual({ why: 'slow', cursor: old[0]?.cursor ?? '' });
  });

  test('a watcher is cut when the feed stops', async () => {
    const { feed } = aFeed();
    const { watcher, seen } = aWatcher();
    await feed.follow({}, watcher);
    feed.stop();
    feed.stop();
    expect(seen.cut?.why).toBe('stopping');
    await expect(feed.follow({}, watcher)).rejects.toBeInstanceOf(FeedFull);
  });
});

describe('published facts', () => {
  test('facts published out of step are completed from the store', async () => {
    const { feed, many, clock } = aFeed({ page: 2 });
    const { watcher, revs } = aWatcher();
    await feed.follow({}, watcher);
    feed.publish(many(1));
    many(5);
    feed.publish(many(2));
    feed.publish(many(1));
    await clock.settle();
    expect(revs()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('facts of other centers are found at the next look into the store', async () => {
    const { feed, many, clock } = aFeed({ page: 2 });
    const { watcher, revs } = aWatcher();
    await feed.follow({}, watcher);
    many(5);
    feed.look();
    await clock.settle();
    expect(revs()).toEqual([1, 2, 3, 4, 5]);
  });
});

test('no fact is missing and none comes twice, whatever is lost, repeated, slow or away (random cuts)', async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('publish' as const), count: fc.integer({ min: 1, max: 6 }) }),
    fc.record({ do: fc.constant('lose' as const), count: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ do: fc.constant('repeat' as const), count: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ do: fc.constant('follow' as const), count: fc.integer({ min: 0, max: 40 }) }),
    fc.record({ do: fc.constant('room' as const), count: fc.integer({ min: 0, max: 5 }) }),
    fc.record({ do: fc.constant('away' as const), count: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ do: fc.constant('time' as const), count: fc.integer({ min: 1, max: 3_000 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async steps => {
      let failures = 0;
      const world = aFeed({ page: 3, backlogMax: 4, incomingMax: 12, stallMs: 5_000 }, store => ({
        ...store,
        facts: query => (failures-- > 0 ? Promise.reject(new StoreUnavailable('away')) : store.facts(query)),
      }));
      const { clock, feed, many } = world;
      const published: PublishedFact[] = [];
      const runs: { after: string | undefined; from: number; watchers: ReturnType<typeof aWatcher>[]; joined: boolean }[] = [];
      let total = 0;
      const enter = async (run: (typeof runs)[number]) => {
        const cursor = run.watchers.at(-1)?.seen.cut?.cursor ?? run.after;
        const next = aWatcher();
        try {
          await feed.follow({ after: cursor }, next.watcher);
          run.watchers.push(next);
        } catch (problem) {
          if (!(problem instanceof StoreUnavailable)) throw problem;
        }
      };
      for (const one of steps) {
        if (one.do === 'publish') {
          const facts = many(one.count);
          total += one.count;
          published.push(...facts);
          feed.publish(facts);
        } else if (one.do === 'lose') {
          published.push(...many(one.count));
          total += one.count;
        } else if (one.do === 'repeat') feed.publish(published.slice(-one.count));
        else if (one.do === 'follow') {
          const place = Math.min(one.count, published.length - 1);
          const run = { after: published[place]?.cursor, from: place < 0 ? total : place + 1, watchers: [], joined: false };
          if (run.after !== undefined) {
            runs.push(run);
            await enter(run);
          }
        } else if (one.do === 'room') {
          const watcher = runs[one.count]?.watchers.at(-1);
          if (watcher) watcher.seen.isWritable = !watcher.seen.isWritable;
        } else if (one.do === 'away') failures = one.count;
        else await clock.advance(one.count);
        for (const run of runs) if (run.watchers.length === 0 || run.watchers.at(-1)?.seen.cut) await enter(run);
      }
      failures = 0;
      // Each watcher gets buffer and time; a watcher that was cut connects again.
      for (let round = 0; round < 4; round++) {
        for (const run of runs) {
          if (run.watchers.length === 0 || run.watchers.at(-1)?.seen.cut) await enter(run);
          for (const watcher of run.watchers) watcher.seen.isWritable = true;
        }
        feed.look();
        await clock.advance(6_000);
      }
      for (const run of runs) {
        const seen = run.watchers.flatMap(watcher => watcher.revs());
        expect(seen).toEqual(Array.from({ length: total - run.from }, (_, index) => run.from + index + 1));
      }
      feed.stop();
    }),
    { numRuns: 60 },
  );
});
