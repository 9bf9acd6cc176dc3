/** The answers of a store for a row that no store wrote, damaged by a person or the disk. */
import { describe, expect, test } from 'bun:test';
import type { Store } from '../../../src/store/port.ts';
import { DAMAGED_FACT } from '../../../src/store/readable.ts';
import { credentialId, occurrenceId, outputId, postedLogId } from '../../../src/store/record-ids.ts';
import { aChunk, aCredential, aFact, anOccurrence, aPostedLog, aWrite } from '../store-builders.ts';
import type { StoreUnderTest } from '../store-contract.ts';

/** Every type that a database can hold, and texts that other programs stumble over. */
const VALUES: unknown[] = ['', 'x', 'null', '5', '[]', '{}', '{"a":', -1, 5, 1.5, 2 ** 60, 8_640_000_000_000_001, new Uint8Array([255, 0])];

const AT = Date.UTC(2026, 10, 22, 8);
const EVER = { from: AT - 1_000, to: AT + 60_000 };

interface Table {
  /** Writes the records 1 to 3, of which the second is damaged. */
  write(store: Store): Promise<unknown>;
  /** `_id` of the second. */
  id: string | { sqlite: number; mongodb: string };
  /** Damaged one after the other. */
  columns: string[];
  /** All reads that meet the second; gives out the names of the whole ones. */
  read(store: Store): Promise<unknown[]>;
}

const three = [1, 2, 3];
const jobs = three.map(each => `job/j${each}`);

export const DAMAGED_TABLES: Record<string, Table> = {
  actors: {
    write: store =>
      store.commit(jobs.map((address, nth) => aWrite({ address, kind: 'job', state: '{}', index: { at: AT + nth, pool: 'p' } }))),
    id: 'job/j2',
    columns: [
      'kind',
      'partition',
      'rev',
      'incarnation',
      'version',
      'life',
      'quarantined',
      'writeId',
      'state',
      'pendingEffects',
      'nextDue',
      'status',
      'outcome',
      'hosts',
      'endedAt',
      'alias',
      'group',
      'at',
    ],
    async read(store) {
      const lists = [];
      for (const order of ['name', 'newest'] as const) lists.push((await store.list({ kind: 'job', order, limit: 10 })).items);
      lists.push((await store.list({ kind: 'job', order: 'name', pool: 'p', limit: 10 })).items);
      await store.load('job/j2');
      await store.due({ until: AT, limit: 10 });
      await store.pending({ limit: 10 });
      await store.endedExecutions({ until: { at: AT * 2, address: 'z' }, limit: 10 });
      for (const items of lists) for (const item of items) expect(typeof item.index.at).toBe('number');
      const names = lists.map(items => items.filter(({ damage }) => damage === undefined).map(({ address }) => address));
      return [...new Set(names.flat())].filter(address => address !== 'job/j2').sort();
    },
  },
  facts: {
    write: store =>
      three.reduce<Promise<unknown>>(
        (before, rev) => before.then(() => store.commit([aWrite({ address: 'job/f', rev, facts: [aFact({ address: 'job/f', rev })] })])),
        Promise.resolve(),
      ),
    id: { sqlite: 2, mongodb: '0000000000000002' },
    columns: ['rev', 'position', 'at', 'type', 'data'],
    async read(store) {
      const all = [...(await store.facts({})).facts, ...(await store.history({ address: 'job/f', limit: 10 }))];
      for (const { at, data } of all) expect([typeof at, typeof data]).toEqual(['number', 'object']);
      return [...new Set(all.filter(({ rev }) => rev === 1 || rev === 3).map(({ rev }) => `job/j${rev}`))].sort();
    },
  },
  occurrences: {
    write: store =>
      store.record(
        three.map(each => anOccurrence({ job: 'j', from: AT + each, to: AT + each, count: 1, rule: { schedules: [], timeZone: 'UTC' } })),
      ),
    id: occurrenceId('j', AT + 2),
    columns: ['to', 'count', 'verdict', 'execution', 'reason', 'decidedAt', 'rule'],
    async read(store) {
      const entries = [];
      for (const order of ['oldest', 'newest'] as const)
        entries.push(...(await store.occurrences({ job: 'j', ...EVER, order, limit: 10 })));
      for (const count of Object.values(await store.summary({ job: 'j', ...EVER }))) expect(Number.isFinite(count)).toBe(true);
      return [
        ...new Set(entries.filter(({ from, damage }) => damage === undefined && from !== AT + 2).map(({ from }) => `job/j${from - AT}`)),
      ].sort();
    },
  },
  output: {
    write: store => store.keepOutput(three.map(each => aChunk({ execution: 'e', item: 0, attempt: 1, seq: each, text: `${each}` }))),
    id: outputId('e', 0, 1, 2),
    columns: ['at', 'stream', 'text', 'bytes', 'leftOut'],
    async read(store) {
      const chunks = await store.output({ execution: 'e', limit: 10 });
      for (const { text } of chunks) expect(typeof text).toBe('string');
      return chunks.filter(({ seq }) => seq !== 2).map(({ seq }) => `job/j${seq}`);
    },
  },
  credentials: {
    write: async store => {
      for (const each of three) await store.putCredential(aCredential({ kind: 'session', id: `s${each}`, data: { user: 'root' } }));
    },
    id: credentialId('session', 's2'),
    columns: ['data', 'expiresAt', 'uses'],
    async read(store) {
      const found = await store.credential('session', 's2');
      if (found?.damage !== undefined) expect([found.data, found.expiresAt, found.uses]).toEqual([{}, 0, 0]);
      const records = await store.credentials('session');
      for (const { data } of records) expect(typeof data).toBe('object');
      return records.filter(({ id }) => id !== 's2').map(({ id }) => `job/j${id.slice(1)}`);
    },
  },
  posted_logs: {
    write: async store => {
      for (const each of three) await store.keepPostedLog(aPostedLog({ job: 'j', id: `m${each}`, at: AT + each }));
    },
    id: postedLogId({ job: 'j', id: 'm2' }),
    columns: [
      ...['receivedAt', 'stat', 'startedAt', 'durationMs', 'stdoutBytes', 'stderrBytes', 'details'],
      ...['stdout', 'stderr', 'stdoutBefore', 'stderrBefore'],
    ],
    async read(store) {
      const found = [...(await store.postedLogs({ job: 'j', limit: 10 })), await store.postedLog('j', 'm2')];
      for (const log of found) expect([typeof log?.stdout, typeof log?.command]).toEqual(['string', 'string']);
      return [...new Set(found.filter(log => log?.id !== 'm2').map(log => `job/j${log?.id.slice(1)}`))].sort();
    },
  },
};

export function damagedContract(underTest: StoreUnderTest): void {
  describe('a damaged row', () => {
    test.each(Object.entries(DAMAGED_TABLES))(
      'a damaged row of %s keeps no other from being read, whatever is in which column',
      async (name, table) => {
        const { damage } = underTest;
        // A store that keeps the very objects it was given has no rows.
        if (!damage) return;
        await table.write(underTest.store);
        expect(await table.read(underTest.store)).toEqual(['job/j1', 'job/j3']);
        for (const column of table.columns) {
          for (const value of VALUES) {
            const undo = await damage(name, column, value);
            const read = await table.read(underTest.store).catch((error: unknown) => [`${column} = ${String(value)}`, String(error)]);
            expect({ column, value, read }).toEqual({ column, value, read: ['job/j1', 'job/j3'] });
            await undo();
          }
        }
      },
    );

    test('a damaged row is marked as damaged, and has plausible values in its place', async () => {
      const { damage } = underTest;
      if (!damage) return;
      for (const name of ['actors', 'occurrences', 'credentials', 'facts']) await (DAMAGED_TABLES[name] as Table).write(underTest.store);
      await damage('actors', 'hosts', '{');
      expect((await underTest.store.load('job/j2'))?.damage).toBe('what is stored of it is damaged ("hosts")');
      await damage('occurrences', 'verdict', 'perhaps');
      expect((await underTest.store.occurrences({ job: 'j', limit: 9 })).map(entry => entry.damage !== undefined)).toEqual([
        false,
        true,
        false,
      ]);
      expect(await underTest.store.summary({ job: 'j' })).toEqual({ ran: 2 });
      await damage('credentials', 'data', '[]');
      expect(await underTest.store.credential('session', 's2')).toMatchObject({
        data: {},
        expiresAt: 0,
        uses: 0,
        damage: expect.any(String),
      });
      await damage('facts', 'data', '"text"');
      expect((await underTest.store.history({ address: 'job/f', limit: 9 })).map(({ type }) => type === DAMAGED_FACT)).toEqual([
        false,
        true,
        false,
      ]);
    });
  });
}
