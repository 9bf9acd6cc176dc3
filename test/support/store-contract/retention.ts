/** Store contract: deletion of executions, output, facts, occurrences. */
import { describe, expect, test } from 'bun:test';
import { aChunk, aFact, anOccurrence, aWrite } from '../store-builders.ts';
import type { StoreUnderTest } from '../store-contract.ts';

type Changes = Parameters<typeof aWrite>[0];

export function retentionContract(underTest: StoreUnderTest): void {
  const anEnded = (id: string, at: number, { index, ...changes }: NonNullable<Changes> = {}) =>
    aWrite({ address: `execution/${id}`, life: 'done', ...changes, index: { parent: 'nightly', status: 'done', at, ...index } });
  const EVER = { at: Number.MAX_SAFE_INTEGER, address: '' };
  const addresses = async (query: Partial<Parameters<typeof underTest.store.endedExecutions>[0]> = {}) =>
    (await underTest.store.endedExecutions({ until: EVER, limit: 100, ...query })).map(({ address }) => address.slice('execution/'.length));
  const seqs = async (execution: string) => (await underTest.store.output({ execution, limit: 100 })).map(({ seq }) => seq);

  describe('ended executions', () => {
    test('ended executions come in the order of their creation, page by page, without those that must stay', async () => {
      await underTest.store.commit([
        anEnded('b', 20),
        anEnded('a', 20),
        anEnded('z', 10),
        anEnded('late', 30),
        anEnded('other', 15, { index: { parent: 'hourly' } }),
        anEnded('quarantined', 5, { quarantined: true }),
        anEnded('owing', 5, { pendingEffects: '[1]' }),
        aWrite({ address: 'execution/running', index: { parent: 'nightly', status: 'running', at: 5 } }),
        aWrite({ address: 'host/gone', life: 'done', index: { status: 'done', at: 5 } }),
      ]);
      expect(await addresses()).toEqual(['z', 'other', 'a', 'b', 'late']);
      expect(await addresses({ limit: 2 })).toEqual(['z', 'other']);
      expect(await addresses({ after: { at: 20, address: 'execution/a' } })).toEqual(['b', 'late']);
      expect(await addresses({ until: { at: 20, address: 'execution/a' } })).toEqual(['z', 'other', 'a']);
      expect(await addresses({ until: { at: 20, address: '' } })).toEqual(['z', 'other']);
      expect(await addresses({ job: 'nightly', limit: 2, after: { at: 10, address: 'execution/z' } })).toEqual(['a', 'b']);
    });

    test('ended executions are counted, whatever their state, from where the last count ended', async () => {
      expect(await underTest.store.countExecutions({ limit: 9 })).toEqual({ count: 0 });
      await underTest.store.commit([
        anEnded('a', 20),
        anEnded('b', 20),
        aWrite({ address: 'execution/c', index: { parent: 'x', status: 'running', at: 5 } }),
        aWrite(),
      ]);
      expect(await underTest.store.countExecutions({ limit: 2 })).toEqual({ count: 2, last: { at: 20, address: 'execution/a' } });
      const rest = await underTest.store.countExecutions({ limit: 2, after: { at: 20, address: 'execution/a' } });
      expect(rest).toEqual({ count: 1, last: { at: 20, address: 'execution/b' } });
    });

    test('ended executions of a job beyond its newest n are returned with the newest of them, job by job', async () => {
      for (const job of ['a', 'b', 'c']) {
        const count = job === 'b' ? 2 : 4;
        await underTest.store.commit(
          Array.from({ length: count }, (_, i) => anEnded(`${job}${i}`, 10 * i, { index: { parent: job, status: 'done', at: 10 * i } })),
        );
      }
      const first = await underTest.store.jobsOverLimit({ keep: 2, limit: 2 });
      expect(first).toEqual({ jobs: [{ job: 'a', until: { at: 10, address: 'execution/a1' } }], next: 'b' });
      const second = await underTest.store.jobsOverLimit({ keep: 2, limit: 2, after: 'b' });
      expect(second).toEqual({ jobs: [{ job: 'c', until: { at: 10, address: 'execution/c1' } }], next: null });
      expect(await underTest.store.jobsOverLimit({ keep: 4, limit: 9 })).toEqual({ jobs: [], next: null });
    });

    test('ended executions are deleted with their output, and stay while some of that is there', async () => {
      await underTest.store.commit([anEnded('a', 1), anEnded('b', 2), anEnded('c', 3)]);
      await underTest.store.keepOutput([1, 2, 3, 4].map(seq => aChunk({ execution: 'a', seq })));
      await underTest.store.keepOutput([aChunk({ execution: 'c' })]);
      const all = ['a', 'b', 'c'].map(id => `execution/${id}`);
      expect(await underTest.store.deleteExecutions({ addresses: all, limit: 3 })).toEqual({ gone: [], deleted: 3 });
      expect(await addresses()).toEqual(['a', 'b', 'c']);
      expect(await seqs('a')).toHaveLength(1);
      const { gone, deleted } = await underTest.store.deleteExecutions({ addresses: all.slice(0, 2), limit: 10 });
      expect({ gone, deleted }).toEqual({ gone: all.slice(0, 2), deleted: 3 });
      await underTest.reopen();
      expect(await underTest.store.load('execution/a')).toBeUndefined();
      expect(await addresses()).toEqual(['c']);
      expect([await seqs('a'), await seqs('c')]).toEqual([[], [1]]);
      expect((await underTest.store.list({ kind: 'execution', limit: 9 })).items).toHaveLength(1);
    });

    test('documents stay when they run, have pending effects, are in quarantine, or are no executions', async () => {
      const writes = [
        anEnded('quarantined', 5, { quarantined: true }),
        anEnded('owing', 5, { pendingEffects: '[1]' }),
        aWrite({ address: 'execution/running', index: { status: 'running' } }),
        aWrite({ address: 'host/gone', life: 'done' }),
      ];
      await underTest.store.commit(writes);
      await underTest.store.keepOutput([aChunk({ execution: 'running' })]);
      const all = writes.map(({ document }) => document.address);
      expect(await underTest.store.deleteExecutions({ addresses: [...all, 'execution/nobody'], limit: 9 })).toEqual({
        gone: [],
        deleted: 0,
      });
      for (const address of all) expect(await underTest.store.load(address)).toBeDefined();
      expect(await seqs('running')).toEqual([1]);
    });

    test('ended executions that were deleted are unknown to a late write', async () => {
      await underTest.store.commit([anEnded('a', 1)]);
      await underTest.store.deleteExecutions({ addresses: ['execution/a'], limit: 9 });
      expect((await underTest.store.commit([anEnded('a', 1, { rev: 2, nextDue: 3 })]))[0]?.committed).toBe(false);
      expect(await underTest.store.load('execution/a')).toBeUndefined();
    });
  });

  describe('forgetting output', () => {
    test('the expiry of output takes that of ended executions that wrote nothing since, and that of unknown ones', async () => {
      await underTest.store.commit([
        anEnded('old', 10),
        anEnded('long', 10),
        anEnded('young', 100),
        aWrite({ address: 'execution/running', index: { status: 'running', at: 10 } }),
      ]);
      for (const execution of ['old', 'running', 'orphan']) await underTest.store.keepOutput([aChunk({ execution, at: 20 })]);
      await underTest.store.keepOutput([aChunk({ execution: 'long', at: 20 }), aChunk({ execution: 'long', seq: 2, at: 60 })]);
      await underTest.store.keepOutput([aChunk({ execution: 'young', at: 20 }), aChunk({ execution: 'freshOrphan', at: 60 })]);
      expect(await underTest.store.deleteOutput({ before: 50, limit: 100 })).toEqual({ deleted: 2, next: null });
      for (const execution of ['old', 'orphan']) expect(await seqs(execution)).toEqual([]);
      for (const execution of ['running', 'young', 'freshOrphan']) expect(await seqs(execution)).toEqual([1]);
      expect(await seqs('long')).toEqual([1, 2]);
    });

    test('the expiry of output goes from name to name in steps', async () => {
      for (const execution of ['a', 'b', 'c']) {
        await underTest.store.keepOutput([1, 2, 3].map(seq => aChunk({ execution, seq, at: 1 })));
      }
      let next: string | null = '';
      const steps: number[] = [];
      for (let turn = 0; next !== null && turn < 20; turn++) {
        const step: { deleted: number; next: string | null } = await underTest.store.deleteOutput({ before: 50, after: next, limit: 2 });
        steps.push(step.deleted);
        next = step.next;
      }
      expect(next).toBeNull();
      expect(Math.max(...steps)).toBe(2);
      for (const execution of ['a', 'b', 'c']) expect(await seqs(execution)).toEqual([]);
    });
  });

  describe('forgetting facts', () => {
    const commitFacts = async (ats: number[], rev = 1) => {
      const [result] = await underTest.store.commit([aWrite({ rev, facts: ats.map((at, position) => aFact({ rev, position, at })) })]);
      return result?.committed ? result.facts.map(({ cursor }) => cursor) : [];
    };

    test('the expiry of facts takes the oldest by age, in steps, and returns where the feed goes on', async () => {
      const beginning = await underTest.store.headCursor();
      const cursors = await commitFacts([10, 20, 30, 5, 40]);
      expect(await underTest.store.deleteFacts({ before: 30, keep: 100, limit: 1 })).toBe(1);
      expect(await underTest.store.deleteFacts({ before: 30, keep: 100, limit: 9 })).toBe(1);
      expect(await underTest.store.deleteFacts({ before: 30, keep: 100, limit: 9 })).toBe(0);
      await underTest.reopen();
      const { facts, truncatedFrom } = await underTest.store.facts({ after: beginning });
      expect(facts.map(({ at }) => at)).toEqual([30, 5, 40]);
      expect(truncatedFrom).toBe(cursors[2] as string);
      expect(await underTest.store.facts({ after: cursors[0] as string })).toMatchObject({ truncatedFrom: cursors[2] });
      expect(await underTest.store.facts({ after: cursors[1] as string })).not.toHaveProperty('truncatedFrom');
      expect((await underTest.store.facts({})).facts).toHaveLength(3);
      expect((await underTest.store.history({ address: 'job/nightly', limit: 9 })).map(({ position }) => position)).toEqual([2, 3, 4]);
    });

    test('the expiry of facts takes those beyond the newest n, but never the newest', async () => {
      const cursors = await commitFacts([10, 20, 30, 40]);
      expect(await underTest.store.deleteFacts({ before: 0, keep: 3, limit: 9 })).toBe(1);
      expect(await underTest.store.deleteFacts({ before: 99, keep: 0, limit: 9 })).toBe(2);
      expect(await underTest.store.deleteFacts({ before: 99, keep: 0, limit: 9 })).toBe(0);
      expect(await underTest.store.headCursor()).toBe(cursors[3] as string);
      const [next] = await commitFacts([50], 2);
      const { facts, truncatedFrom } = await underTest.store.facts({ after: cursors[3] as string });
      expect(facts.map(({ cursor }) => cursor)).toEqual([next as string]);
      expect(truncatedFrom).toBeUndefined();
    });
  });

  describe('forgetting occurrences', () => {
    const froms = async (job: string) => (await underTest.store.occurrences({ job, limit: 100 })).map(({ from }) => from);

    test('the expiry of occurrences takes what ended before, remembers up to where, and leaves a range that sticks out whole', async () => {
      await underTest.store.commit([aWrite({ address: 'job/a' }), aWrite({ address: 'job/b' })]);
      await underTest.store.record([
        ...[10, 20].map(from => anOccurrence({ job: 'a', from })),
        anOccurrence({ job: 'a', from: 30, to: 60, count: 4, verdict: 'missedDown' }),
        anOccurrence({ job: 'a', from: 70 }),
        anOccurrence({ job: 'b', from: 5, to: 15, count: 3, verdict: 'disabled' }),
        anOccurrence({ job: 'c', from: 60 }),
      ]);
      expect(await underTest.store.keptAfter('a')).toBeNull();
      expect(await underTest.store.deleteOccurrences({ before: 50, limit: 100 })).toEqual({ deleted: 3, next: null });
      await underTest.reopen();
      expect(await froms('a')).toEqual([30, 70]);
      expect(await froms('b')).toEqual([]);
      expect(await Promise.all(['a', 'b', 'c'].map(job => underTest.store.keptAfter(job)))).toEqual([20, 15, null]);
    });

    test('the expiry of occurrences takes what is beyond the newest n of each job, in steps', async () => {
      await underTest.store.record(['a', 'b'].flatMap(job => [1, 2, 3, 4, 5].map(from => anOccurrence({ job, from }))));
      let next: string | null = '';
      for (let turn = 0; next !== null && turn < 20; turn++) {
        const step: { deleted: number; next: string | null } = await underTest.store.deleteOccurrences({
          before: 0,
          keep: 2,
          after: next,
          limit: 2,
        });
        expect(step.deleted).toBeLessThanOrEqual(2);
        next = step.next;
      }
      expect(next).toBeNull();
      expect([await froms('a'), await froms('b')]).toEqual([
        [4, 5],
        [4, 5],
      ]);
      expect(await underTest.store.keptAfter('b')).toBe(3);
    });

    test('the expiry of occurrences of a job that is gone leaves nothing in the end', async () => {
      await underTest.store.record([1, 2].map(from => anOccurrence({ job: 'gone', from })));
      await underTest.store.deleteOccurrences({ before: 2, limit: 9 });
      expect(await underTest.store.keptAfter('gone')).toBe(1);
      await underTest.store.deleteOccurrences({ before: 9, limit: 9 });
      expect(await underTest.store.keptAfter('gone')).toBeNull();
    });
  });

  describe('forgetting tombstones', () => {
    const aTombstone = (name: string, at: number, changes: NonNullable<Changes> = {}) =>
      aWrite({ address: `job/${name}`, life: 'tombstone', ...changes, index: { status: 'deleted', at } });

    test('the expiry of tombstones takes the oldest by age and beyond the newest n, without those with pending effects', async () => {
      await underTest.store.commit([
        aTombstone('a', 10),
        aTombstone('b', 20),
        aTombstone('c', 30),
        aTombstone('d', 40),
        aTombstone('owing', 5, { pendingEffects: '[1]' }),
        aWrite({ address: 'job/live', index: { at: 1 } }),
      ]);
      expect(await underTest.store.deleteTombstones({ before: 30, keep: 100, limit: 1 })).toBe(1);
      expect(await underTest.store.deleteTombstones({ before: 30, keep: 100, limit: 9 })).toBe(1);
      expect(await underTest.store.deleteTombstones({ before: 0, keep: 1, limit: 9 })).toBe(1);
      expect(await underTest.store.deleteTombstones({ before: 0, keep: 1, limit: 9 })).toBe(0);
      for (const name of ['a', 'b', 'c']) expect(await underTest.store.load(`job/${name}`)).toBeUndefined();
      for (const name of ['d', 'owing', 'live']) expect(await underTest.store.load(`job/${name}`)).toBeDefined();
    });

    test('the expiry of tombstones remembers their highest rev per partition, and a creation begins behind it', async () => {
      expect(await underTest.store.floor(7)).toBe(0);
      await underTest.store.commit([aTombstone('a', 1), aTombstone('b', 1), aTombstone('far', 1, { partition: 8 })]);
      for (const rev of [2, 3, 4]) await underTest.store.commit([aTombstone('a', 1, { rev })]);
      expect(await underTest.store.deleteTombstones({ before: 9, keep: 100, limit: 9 })).toBe(3);
      await underTest.reopen();
      expect([await underTest.store.floor(7), await underTest.store.floor(8), await underTest.store.floor(9)]).toEqual([4, 1, 0]);

      // A write of the former actor is not taken for a creation, nor a creation for a write.
      expect((await underTest.store.commit([aTombstone('a', 1, { rev: 5 })]))[0]?.committed).toBe(false);
      const birth = { ...aWrite({ address: 'job/a', rev: 5 }), follows: 0 };
      expect((await underTest.store.commit([birth]))[0]?.committed).toBe(true);
      expect((await underTest.store.commit([birth]))[0]?.committed).toBe(false);
      expect((await underTest.store.commit([aWrite({ address: 'job/a', rev: 6 })]))[0]?.committed).toBe(true);
      expect((await underTest.store.load('job/a'))?.rev).toBe(6);
    });

    test('the expiry of tombstones takes the mark of a ledger that is empty by then', async () => {
      await underTest.store.commit([aTombstone('a', 1), aTombstone('b', 1)]);
      await underTest.store.record([anOccurrence({ job: 'a', from: 5 }), ...[5, 50].map(from => anOccurrence({ job: 'b', from }))]);
      await underTest.store.deleteOccurrences({ before: 9, limit: 9 });
      expect([await underTest.store.keptAfter('a'), await underTest.store.keptAfter('b')]).toEqual([5, 5]);
      await underTest.store.deleteTombstones({ before: 9, keep: 9, limit: 9 });
      expect([await underTest.store.keptAfter('a'), await underTest.store.keptAfter('b')]).toEqual([null, 5]);
    });
  });
}
