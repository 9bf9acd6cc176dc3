/** Store contract: lists, filters, order. */
import { describe, expect, test } from 'bun:test';
import { BadCursor, type ListQuery } from '../../../src/store/port.ts';
import { aDocument, aWrite } from '../store-builders.ts';
import type { StoreUnderTest } from '../store-contract.ts';

export function listContract(underTest: StoreUnderTest): void {
  const names = async (query: Partial<ListQuery>) => {
    const { items } = await underTest.store.list({ kind: 'execution', limit: 100, ...query });
    return items.map(item => item.address.slice('execution/'.length));
  };

  /** Every page of a list, `limit` at a time. */
  const pages = async (query: ListQuery) => {
    const found: string[][] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof underTest.store.list>> = await underTest.store.list({ ...query, ...(cursor && { cursor }) });
      found.push(page.items.map(item => item.address));
      cursor = page.next;
    } while (cursor !== null);
    return found;
  };

  describe('list', () => {
    test('list gives whole documents of one kind, newest first, ties by address backwards', async () => {
      await underTest.store.commit([
        aWrite({ address: 'execution/a', index: { at: 10 } }),
        aWrite({ address: 'execution/b', index: { at: 20 } }),
        aWrite({ address: 'execution/c', index: { at: 10, hosts: ['h1'], outcome: 'x', parent: 'p' }, pendingEffects: '[1]' }),
        aWrite({ address: 'job/a', index: { at: 15 } }),
      ]);
      expect(await names({})).toEqual(['b', 'c', 'a']);
      expect((await underTest.store.list({ kind: 'execution', limit: 9 })).items[1]).toEqual(
        aDocument({ address: 'execution/c', index: { at: 10, hosts: ['h1'], outcome: 'x', parent: 'p' }, pendingEffects: '[1]' }),
      );
    });

    test('list orders by name when asked to, by code point', async () => {
      const inOrder = ['A', 'a', 'a-b', 'aa', 'b', 'é', '\uff5e', '🚀'];
      await underTest.store.commit(inOrder.toReversed().map((name, at) => aWrite({ address: `execution/${name}`, index: { at: at % 3 } })));
      expect(await names({ order: 'name' })).toEqual(inOrder);
      expect((await pages({ kind: 'execution', order: 'name', limit: 3 })).flat()).toEqual(inOrder.map(name => `execution/${name}`));
    });

    test('list pages without gap or repeat and ends with no next cursor', async () => {
      const addresses = Array.from({ length: 10 }, (_, i) => `execution/${i}`);
      await underTest.store.commit(addresses.map((address, i) => aWrite({ address, index: { at: Math.floor(i / 4) } })));
      const found = await pages({ kind: 'execution', limit: 5 });
      expect(found.map(page => page.length)).toEqual([5, 5]);
      expect(found.flat()).toEqual(addresses.toReversed());
      expect((await pages({ kind: 'execution', limit: 4, status: ['idle', 'running'] })).flat()).toEqual(addresses.toReversed());
    });

    test('list goes on where it was when newer ones arrive between two pages', async () => {
      await underTest.store.commit([1, 2, 3].map(at => aWrite({ address: `execution/${at}`, index: { at } })));
      const first = await underTest.store.list({ kind: 'execution', limit: 2 });
      await underTest.store.commit([aWrite({ address: 'execution/4', index: { at: 4 } })]);
      expect(await names({ cursor: first.next ?? '' })).toEqual(['1']);
    });

    test('list leaves out tombstones, not the quarantined nor the done', async () => {
      await underTest.store.commit([
        aWrite({ address: 'execution/t', life: 'tombstone' }),
        aWrite({ address: 'execution/q', quarantined: true }),
        aWrite({ address: 'execution/d', life: 'done' }),
      ]);
      expect(await names({ order: 'name' })).toEqual(['d', 'q']);
    });

    test('list filters by parent, status, outcome, host and time, alone and together', async () => {
      await underTest.store.commit([
        aWrite({ address: 'execution/1', index: { at: 1, parent: 'p', status: 'done', outcome: 'succeeded', hosts: ['h1', 'h2'] } }),
        aWrite({ address: 'execution/2', index: { at: 2, parent: 'p', status: 'done', outcome: 'failed', hosts: ['h2'] } }),
        aWrite({ address: 'execution/3', index: { at: 3, parent: 'q', status: 'running', hosts: ['h11'] } }),
        aWrite({ address: 'execution/4', index: { at: 4, status: 'pending' } }),
      ]);
      expect(await names({ parent: 'p' })).toEqual(['2', '1']);
      expect(await names({ status: ['running'] })).toEqual(['3']);
      expect(await names({ status: ['running', 'done', 'running'] })).toEqual(['3', '2', '1']);
      expect(await names({ status: [] })).toEqual([]);
      expect(await names({ outcome: ['succeeded', 'failed'] })).toEqual(['2', '1']);
      expect(await names({ outcome: ['failed'] })).toEqual(['2']);
      expect(await names({ outcome: [] })).toEqual([]);
      expect(await names({ host: 'h1' })).toEqual(['1']);
      expect(await names({ host: 'h2' })).toEqual(['2', '1']);
      expect(await names({ host: 'h' })).toEqual([]);
      expect(await names({ host: '%' })).toEqual([]);
      expect(await names({ from: 2, to: 4 })).toEqual(['3', '2']);
      expect(await names({ parent: 'p', status: ['done'], outcome: ['succeeded', 'failed'], host: 'h2', to: 2 })).toEqual(['1']);
      expect(await names({ parent: 'p', order: 'name' })).toEqual(['1', '2']);
    });

    test('list filters by pool and by how the name begins, page by page', async () => {
      const inPool = (name: string, pool: string | null) =>
        aWrite({ address: `job/${name}`, index: { pool, status: 'idle', parent: 'a' } });
      await underTest.store.commit([
        inPool('a', 'fast'),
        inPool('n', 'fast'),
        inPool('n.1', 'slow'),
        inPool('n.2', 'fast'),
        inPool('o', null),
        aWrite({ address: 'execution/n' }),
      ]);
      const jobs = async (query: Partial<ListQuery>) =>
        (await pages({ kind: 'job', order: 'name', limit: 1, ...query })).flat().map(address => address.slice('job/'.length));
      expect(await jobs({ pool: 'fast' })).toEqual(['a', 'n', 'n.2']);
      expect(await jobs({ prefix: 'n' })).toEqual(['n', 'n.1', 'n.2']);
      expect(await jobs({ prefix: 'n.', pool: 'fast' })).toEqual(['n.2']);
      expect(await jobs({ prefix: 'n', status: ['idle', 'running'], parent: 'a' })).toEqual(['n', 'n.1', 'n.2']);
      expect(await jobs({ prefix: '%' })).toEqual([]);
      expect(await jobs({ prefix: 'n', order: 'newest', pool: 'slow' })).toEqual(['n.1']);
      expect(await names({ kind: 'execution', prefix: 'n' })).toEqual(['n']);
    });

    /** Jobs of two pools and groups, with a name that is a tombstone. */
    const someJobs = () => {
      const aJob = (name: string, index: object, life: 'live' | 'tombstone' = 'live') =>
        aWrite({ address: `job/${name}`, life, index: { pool: 'p', group: null, alias: `id-${name}`, status: 'idle', ...index } });
      return underTest.store.commit([
        aJob('Nightly', { group: 'g', outcome: 'succeeded' }),
        aJob('my.nightly', { group: 'g', status: 'running', outcome: 'failed' }),
        aJob('night_1', { group: 'h', status: 'disabled' }),
        aJob('night11', { pool: 'q', group: 'g', outcome: 'failed' }),
        aJob('weekly', { status: 'quarantined', outcome: 'succeeded' }),
        aJob('nightly-gone', { group: 'g', status: 'idle' }, 'tombstone'),
        aWrite({ address: 'execution/nightly', index: { parent: 'nightly' } }),
      ]);
    };
    const listed = async (query: Partial<ListQuery>) => {
      const page = await underTest.store.list({ kind: 'job', order: 'name', limit: 100, total: true, ...query });
      return { names: page.items.map(item => item.address.slice('job/'.length)), total: page.total, next: page.next };
    };
    const NONE = { names: [], total: 0, next: null };

    test('list finds a job by its alias and jobs by their group, and gives both back', async () => {
      await someJobs();
      expect(await listed({ alias: 'id-night_1' })).toEqual({ names: ['night_1'], total: 1, next: null });
      expect(await listed({ alias: 'ID-night_1' })).toEqual(NONE);
      expect(await listed({ alias: 'id-nightly-gone' })).toEqual(NONE);
      expect((await listed({ group: 'g' })).names).toEqual(['Nightly', 'my.nightly', 'night11']);
      expect((await listed({ group: 'g', pool: 'q' })).names).toEqual(['night11']);
      expect(await listed({ group: '' })).toEqual(NONE);
      const [found] = (await underTest.store.list({ kind: 'job', limit: 1, alias: 'id-night11' })).items;
      expect(found?.index).toMatchObject({ alias: 'id-night11', group: 'g' });
    });

    test('list follows the group of a job', async () => {
      await someJobs();
      const index = { pool: 'p', alias: 'id-night_1', status: 'disabled' };
      await underTest.store.commit([aWrite({ address: 'job/night_1', rev: 2, index: { ...index, group: 'g' } })]);
      expect((await listed({ group: 'h' })).total).toBe(0);
      expect((await listed({ group: 'g' })).names).toContain('night_1');
    });

    test('list finds a part of a name in any case, alone and with every other filter', async () => {
      await someJobs();
      expect((await listed({ text: 'NIGHT' })).names).toEqual(['Nightly', 'my.nightly', 'night11', 'night_1']);
      expect((await listed({ text: 'Nightly', group: 'g', pool: 'p', status: ['running'] })).names).toEqual(['my.nightly']);
      expect((await listed({ text: 'night', prefix: 'n' })).names).toEqual(['night11', 'night_1']);
      expect((await listed({ text: 'ly', order: 'newest' })).total).toBe(3);
      expect((await listed({ kind: 'execution', text: 'ght' })).total).toBe(1);
      // The kind is no part of the name, and no character of the text is syntax.
      for (const text of ['job', 'job/', '/', '%', 'night%', '.*', '^', '[a-z]', "'", '\\', 'É'])
        expect(await listed({ text })).toEqual(NONE);
      expect((await listed({ text: 'night_1' })).names).toEqual(['night_1']);
      expect((await listed({ text: 'y.n' })).names).toEqual(['my.nightly']);
      expect((await listed({ text: '' })).total).toBe(5);
    });

    test('list finds letters beyond ASCII in their own case', async () => {
      await underTest.store.commit([aWrite({ address: 'job/É' }), aWrite({ address: 'job/é' })]);
      expect((await listed({ text: 'é' })).names).toEqual(['é']);
    });

    test('list takes statuses that each have outcomes of their own', async () => {
      await someJobs();
      const fine = [
        { status: 'idle', outcome: ['succeeded', null] },
        { status: 'disabled', outcome: ['succeeded', null] },
      ];
      expect((await listed({ states: fine })).names).toEqual(['Nightly', 'night_1']);
      const wrong = [
        { status: 'quarantined' },
        { status: 'idle', outcome: ['failed', 'lost'] },
        { status: 'disabled', outcome: ['failed'] },
      ];
      expect(await listed({ states: wrong })).toEqual({ names: ['night11', 'weekly'], total: 2, next: null });
      expect((await listed({ states: wrong, group: 'g', text: '1', pool: 'q' })).names).toEqual(['night11']);
      expect((await listed({ states: wrong, outcome: ['succeeded'] })).names).toEqual(['weekly']);
      expect((await listed({ states: wrong, status: ['idle'] })).names).toEqual(['night11']);
      expect((await listed({ states: wrong, order: 'newest' })).total).toBe(2);
      expect((await listed({ kind: 'execution', states: [{ status: 'idle', outcome: [null] }], order: 'newest' })).total).toBe(1);
      expect(await listed({ states: [] })).toEqual(NONE);
    });

    test('list leaves out the items of an offset, and counts all that match', async () => {
      await underTest.store.commit(
        Array.from({ length: 30 }, (_, nth) => {
          const status = ['idle', 'running', 'disabled'][nth % 3] as string;
          return aWrite({ address: `job/j${String(nth).padStart(2, '0')}`, index: { at: nth, status, pool: nth < 20 ? 'p' : 'q' } });
        }),
      );
      await underTest.store.commit([aWrite({ address: 'job/j99', life: 'tombstone', index: { pool: 'p' } })]);
      const filters: [Partial<ListQuery>, number][] = [
        [{}, 30],
        [{ pool: 'p' }, 20],
        [{ status: ['idle', 'running'] }, 20],
        [{ status: ['idle', 'disabled'], pool: 'q', text: 'J2' }, 7],
        [{ states: [{ status: 'idle', outcome: [null] }, { status: 'running' }] }, 20],
      ];
      for (const [query, total] of filters) {
        for (const order of ['name', 'newest'] as const) {
          const all = (await listed({ ...query, order })).names;
          expect(all).toHaveLength(total);
          for (const offset of [0, 1, 5, total - 1, total, total + 5]) {
            const page = await listed({ ...query, order, offset, limit: 4 });
            expect([page.names, page.total]).toEqual([all.slice(offset, offset + 4), total]);
            expect(page.next === null).toBe(offset + 4 >= total);
            const next = page.next && (await listed({ ...query, order, cursor: page.next, offset: 1, limit: 2 }));
            if (next) expect([next.names, next.total]).toEqual([all.slice(offset + 5, offset + 7), total]);
          }
        }
      }
      expect(await underTest.store.list({ kind: 'job', limit: 1 })).not.toHaveProperty('total');
    });

    test('list follows what an actor is listed by', async () => {
      const at = (rev: number, index: object) => underTest.store.commit([aWrite({ address: 'execution/1', rev, index })]);
      await at(1, { hosts: [], status: 'pending' });
      await at(2, { hosts: ['h1', 'h2'], status: 'running' });
      expect([await names({ host: 'h1' }), await names({ host: 'h2', status: ['running'] })]).toEqual([['1'], ['1']]);
      await at(3, { hosts: ['h2', 'h3'], status: 'done', outcome: 'failed' });
      expect([await names({ host: 'h1' }), await names({ host: 'h3', outcome: ['failed'] })]).toEqual([[], ['1']]);
    });

    test('list has the ended executions of a job by their end, whenever they began, page by page, with a total', async () => {
      const ended = (name: string, at: number, endedAt: number | null, index: object = {}) =>
        aWrite({
          address: `execution/${name}`,
          life: 'done',
          index: { parent: 'j', outcome: 'succeeded', status: 'done', at, endedAt, ...index },
        });
      await underTest.store.commit([
        ended('long', 1, 90),
        ended('short', 50, 60, { outcome: 'failed' }),
        ended('twin', 40, 60),
        ended('early', 2, 3, { outcome: 'lost' }),
        ended('runs', 70, null, { outcome: null, status: 'running' }),
        ended('other', 5, 70, { parent: 'k' }),
      ]);
      const byEnd = async (query: Partial<ListQuery> = {}) => {
        const page = await underTest.store.list({ kind: 'execution', parent: 'j', order: 'ended', limit: 9, total: true, ...query });
        return [page.items.map(({ address }) => address.slice('execution/'.length)).join(), page.total, page.next];
      };
      expect(await byEnd()).toEqual(['long,twin,short,early', 4, null]);
      expect(await byEnd({ outcome: ['failed', 'lost'] })).toEqual(['short,early', 2, null]);
      expect(await byEnd({ from: 60, to: 90 })).toEqual(['twin,short', 2, null]);
      expect(await byEnd({ offset: 1, limit: 2 })).toEqual(['twin,short', 4, expect.any(String)]);
      const first = await underTest.store.list({ kind: 'execution', parent: 'j', order: 'ended', limit: 2 });
      expect((await byEnd({ cursor: first.next ?? '' }))[0]).toBe('short,early');
      expect((await byEnd({ cursor: first.next ?? '', from: 4, to: 91 }))[0]).toBe('short');
      expect((await byEnd({ parent: 'nobody' }))[0]).toBe('');
      expect((await byEnd({ parent: undefined as never }))[0]).toBe('long,other,twin,short,early');
      expect(first.items[0]?.index.endedAt).toBe(90);
      await expect(names({ cursor: first.next ?? '' })).rejects.toBeInstanceOf(BadCursor);
    });

    test('list follows the end of an execution', async () => {
      const at = (rev: number, index: object) =>
        underTest.store.commit([aWrite({ address: 'execution/1', rev, index: { parent: 'j', ...index } })]);
      const byEnd = async () =>
        (await underTest.store.list({ kind: 'execution', parent: 'j', order: 'ended', limit: 9, total: true })).total;
      await at(1, { status: 'running' });
      expect(await byEnd()).toBe(0);
      await at(2, { status: 'done', outcome: 'failed', endedAt: null });
      expect(await byEnd()).toBe(0);
      await at(3, { status: 'done', outcome: 'failed', endedAt: 5 });
      await at(4, { status: 'done', outcome: 'failed', endedAt: 5 });
      expect(await byEnd()).toBe(1);
    });

    test('list takes no quotes of a filter for syntax', async () => {
      const odd = `h"1'\\`;
      await underTest.store.commit([aWrite({ address: 'execution/1', index: { parent: odd, hosts: [odd] } })]);
      expect(await names({ host: odd, parent: odd })).toEqual(['1']);
      expect(await names({ parent: `' or 1=1 --` })).toEqual([]);
    });

    test('list refuses cursors that are not its own or of another order', async () => {
      await underTest.store.commit([aWrite({ address: 'execution/1' }), aWrite({ address: 'execution/2' })]);
      const { next } = await underTest.store.list({ kind: 'execution', limit: 1 });
      const bad = ['', 'x', 'null', Buffer.from('[1]').toString('base64url'), Buffer.from('null').toString('base64url'), `${next}=`];
      for (const cursor of bad) await expect(names({ cursor })).rejects.toBeInstanceOf(BadCursor);
      await expect(names({ cursor: next ?? '', order: 'name' })).rejects.toBeInstanceOf(BadCursor);
    });
  });
}
