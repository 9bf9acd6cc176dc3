/** What the embedded store does with a full disk, and with a file it should not touch. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Store, StoreUnavailable } from '../../src/store/port.ts';
import { createSqliteStore, createSqliteStoreWithWriter } from '../../src/store/sqlite/index.ts';
import { migrate } from '../../src/store/sqlite/migrate.ts';
import { SQLITE_SCHEMA } from '../../src/store/sqlite/upgrades.ts';
import { aFact, aWrite } from '../support/store-builders.ts';

let directory: string;
const file = () => join(directory, 'troupe.sqlite');
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'troupe-file-'));
});
afterEach(() => rm(directory, { recursive: true }));

/** Runs SQL on the database behind the store's back. */
function tamper(sql: string): void {
  const db = new DatabaseSync(file());
  db.exec(sql);
  db.close();
}

/** Commits ten actors at a time until the disk is full. Returns the number of batches. */
async function fill(store: Store): Promise<number> {
  for (let batch = 0; ; batch++) {
    try {
      await store.commit(aBatch(batch));
    } catch (error) {
      expect(error).toBeInstanceOf(StoreUnavailable);
      expect(String(error)).toContain('is full');
      return batch;
    }
  }
}

function aBatch(batch: number) {
  const addresses = Array.from({ length: 10 }, (_, i) => `job/b${batch}-${i}`);
  return addresses.map(address => aWrite({ address, state: JSON.stringify('x'.repeat(10_000)), facts: [aFact({ address })] }));
}

async function expectExactly(store: Store, batches: number): Promise<void> {
  expect((await store.list({ kind: 'job', limit: 100_000 })).items).toHaveLength(batches * 10);
  expect((await store.facts({ limit: 100_000 })).facts).toHaveLength(batches * 10);
  expect(await store.load(`job/b${batches}-0`)).toBeUndefined();
}

function mountSmallDisk(at: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', at], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('the sqlite store', () => {
  test('row 12: the sqlite store on a full disk takes nothing of a batch, keeps what it has, and recovers by itself (tmpfs; needs root, else skipped with a message)', async () => {
    if (!mountSmallDisk(directory)) return console.warn('no right to mount a tmpfs: only the stand-in below was tested');
    try {
      const ballast = join(directory, 'ballast');
      writeFileSync(ballast, Buffer.alloc(3 * 2 ** 20));
      const store = await createSqliteStore({ directory });
      const batches = await fill(store);
      expect(batches).toBeGreaterThan(1);
      await expectExactly(store, batches);

      rmSync(ballast);
      await store.probe();
      expect((await store.commit(aBatch(batches))).every(result => result.committed)).toBe(true);
      await expectExactly(store, batches + 1);
      await store.close();

      const again = await createSqliteStore({ directory });
      await expectExactly(again, batches + 1);
      await again.close();
    } finally {
      execFileSync('umount', ['-l', directory]);
    }
  });

  test('the sqlite store goes on where the disk has room for what it holds, however often that changes (tmpfs; needs root, else skipped with a message)', async () => {
    if (!mountSmallDisk(directory)) return console.warn('no right to mount a tmpfs: a log larger than the disk was not tested');
    try {
      const store = await createSqliteStore({ directory });
      // Twice the disk, all in one document.
      for (let rev = 1; rev <= 120; rev++) {
        const write = aWrite({ address: 'job/a', rev, state: JSON.stringify(`${rev + 100_000} `.repeat(14_000)), facts: [] });
        expect(await store.commit([write])).toEqual([{ committed: true, facts: [] }]);
      }
      await store.close();
    } finally {
      execFileSync('umount', ['-l', directory]);
    }
  });

  test('the sqlite store at its size limit behaves as on a full disk (max_page_count stands in for the disk)', async () => {
    const store = await createSqliteStore({ directory, bytesMax: 2 * 2 ** 20 });
    const batches = await fill(store);
    expect(batches).toBeGreaterThan(1);
    await expectExactly(store, batches);
    await store.close();

    const roomier = await createSqliteStore({ directory });
    expect((await roomier.commit(aBatch(batches))).every(result => result.committed)).toBe(true);
    await expectExactly(roomier, batches + 1);
    await roomier.close();
  });

  test('the sqlite store undoes the whole batch on an error of any other kind and throws it', async () => {
    const store = await createSqliteStore({ directory });
    const clash = aWrite({ address: 'job/b', facts: [aFact({ address: 'job/b' }), aFact({ address: 'job/b' })] });
    const error = await store.commit([aWrite({ address: 'job/a' }), clash]).catch((error: unknown) => error);
    expect(String(error)).toContain('UNIQUE');
    expect(error).not.toBeInstanceOf(StoreUnavailable);
    expect(await store.load('job/a')).toBeUndefined();
    expect((await store.commit([aWrite({ address: 'job/a', facts: [aFact({ address: 'job/a' })] })]))[0]?.committed).toBe(true);
    await store.close();
  });

  test('the sqlite store returns where a feed goes on whose beginning is deleted', async () => {
    const store = await createSqliteStore({ directory });
    const beginning = await store.headCursor();
    const facts = Array.from({ length: 5 }, (_, position) => aFact({ position }));
    const [result] = await store.commit([aWrite({ facts })]);
    const cursors = result?.committed ? result.facts.map(fact => fact.cursor) : [];
    tamper('delete from facts where _id <= 2');
    expect(await store.facts({ after: beginning })).toMatchObject({ truncatedFrom: cursors[2], facts: facts.slice(2) });
    expect(await store.facts({ after: cursors[0] as string })).toMatchObject({ truncatedFrom: cursors[2] });
    expect(await store.facts({ after: cursors[1] as string })).not.toHaveProperty('truncatedFrom');
    tamper('delete from facts');
    expect(await store.facts({ after: cursors[4] as string })).toEqual({ facts: [] });
    expect(await store.headCursor()).toBe(cursors[4] as string);
    await store.close();
  });

  test('the sqlite store returns histories in order across feed segments, also after reopening', async () => {
    const store = await createSqliteStore({ directory });
    const revs = [1, 2, 3];
    for (const rev of revs) {
      const facts = Array.from({ length: 3_000 }, (_, position) => aFact({ address: 'job/busy', rev, position }));
      await store.commit([aWrite({ rev, facts: [aFact({ rev })] }), aWrite({ address: 'job/busy', rev, facts })]);
    }
    await store.close();
    const again = await createSqliteStore({ directory });
    await again.commit([aWrite({ rev: 4, facts: [aFact({ rev: 4 })] })]);
    expect((await again.history({ address: 'job/nightly', limit: 9 })).map(fact => fact.rev)).toEqual([...revs, 4]);
    const busy = await again.history({ address: 'job/busy', limit: 9_000, after: { rev: 1, position: 2_998 } });
    expect(busy.map(({ rev, position }) => rev * 10_000 + position)).toEqual(
      [1, 2, 3].flatMap(rev => Array.from({ length: 3_000 }, (_, position) => rev * 10_000 + position)).slice(2_999),
    );
    await again.close();
  });

  test('the sqlite store refuses a file that is no database, or damaged, and leaves it as it was', async () => {
    const text = 'this is not a database '.repeat(500);
    writeFileSync(file(), text);
    await expect(createSqliteStore({ directory })).rejects.toThrow('is damaged or no SQLite database');
    expect(readFileSync(file(), 'utf8')).toBe(text);
  });

  test('the sqlite store refuses the database of another program', async () => {
    tamper('create table songs (title text)');
    await expect(createSqliteStore({ directory })).rejects.toThrow('has a table "songs"');
  });

  test('the sqlite store begins with the schema that the ORM would have made', async () => {
    const schema = () => {
      const db = new DatabaseSync(file(), { readOnly: true });
      const made = db.prepare(`select name, sql from sqlite_master where name <> 'sqlite_sequence' order by name`).all();
      const meta = db.prepare('select * from meta order by _id').all();
      const settings = ['page_size', 'journal_mode', 'encoding'].map(setting => db.prepare(`pragma ${setting}`).get());
      db.close();
      return { made, meta, settings };
    };
    await (await createSqliteStore({ directory })).close();
    const fresh = schema();
    const [{ page_size: pageBytes }] = [fresh.settings[0] as { page_size: number }];
    rmSync(file());
    await migrate(file(), { pageBytes, to: SQLITE_SCHEMA, sql: [] });
    expect(fresh).toEqual(schema());
  });

  test('the sqlite store finishes a first start that was cut short', async () => {
    tamper('pragma journal_mode = wal; vacuum');
    expect(statSync(file()).size).toBeGreaterThan(0);
    const store = await createSqliteStore({ directory });
    await store.probe();
    await store.close();
  });

  test('the sqlite store releases the directory when it cannot open the file', async () => {
    writeFileSync(file(), 'x'.repeat(5_000));
    await expect(createSqliteStore({ directory })).rejects.toThrow();
    rmSync(file());
    await (await createSqliteStore({ directory })).close();
  });
});

describe('a store whose files are taken away while it is open', () => {
  /** What stands in a directory, to the byte. */
  const contents = (at: string) => new Map(readdirSync(at).map(name => [name, readFileSync(join(at, name)).toString('base64')]));
  const takings: [string, () => void][] = [
    ['its directory is removed', () => rmSync(directory, { recursive: true })],
    ['its directory is moved away', () => renameSync(directory, `${directory}-elsewhere`)],
    ['its file is removed', () => rmSync(file())],
    ['its log is removed', () => rmSync(`${file()}-wal`)],
    ['its lock is removed', () => rmSync(join(directory, 'lock.sqlite'))],
  ];
  afterEach(() => {
    rmSync(`${directory}-elsewhere`, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
  });

  test.each(takings)('a store whose files are taken away while it is open takes no write any more once %s', async (_, take) => {
    const store = await createSqliteStore({ directory });
    await store.commit([aWrite({ address: 'job/before' })]);
    take();
    const write = store.commit([aWrite({ address: 'job/after' })]);
    await expect(write).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(store.probe()).rejects.toThrow(`of data directory "${directory}" was removed or moved away`);
    expect(await store.load('job/after')).toBeUndefined();
    await store.close();
  });

  test('a store whose files are taken away while it is open detects it without a request, and leaves to the byte what stands there now', async () => {
    const store = await createSqliteStoreWithWriter({ directory });
    await store.commit([aWrite({ address: 'job/before' })]);
    renameSync(directory, `${directory}-elsewhere`);
    const other = await createSqliteStore({ directory });
    await other.commit([aWrite({ address: 'job/other' })]);
    const before = contents(directory);
    expect((await store.died).message).toContain('was replaced by another one while the center had it open');
    await expect(store.commit([aWrite({ address: 'job/after' })])).rejects.toBeInstanceOf(StoreUnavailable);
    await store.close();
    expect(contents(directory)).toEqual(before);
    await other.close();
  });

  test('a store is known by its files alone: copied, read and looked at by others it goes on', async () => {
    const store = await createSqliteStoreWithWriter({ directory });
    await store.commit([aWrite({ address: 'job/before' })]);
    tamper('select count(*) from actors');
    cpSync(file(), join(directory, 'copy'));
    chmodSync(file(), 0o644);
    const [result] = await store.commit([aWrite({ address: 'job/after' })]);
    expect(result?.committed).toBe(true);
    await store.close();
  });
});

describe('a history', () => {
  test('a history stays in order where a batch was undone in the middle of it', async () => {
    const store = await createSqliteStore({ directory });
    const facts = (rev: number, count: number) => Array.from({ length: count }, (_, position) => aFact({ rev, position }));
    // Up to the last position but two of the first range of the feed; the undone batch reaches into
    // the second.
    await store.commit([aWrite({ facts: facts(1, 4_093) })]);
    const broken = { ...aFact({ rev: 2, position: 9 }), type: undefined as unknown as string };
    await expect(store.commit([aWrite({ rev: 2, facts: [...facts(2, 5), broken] })])).rejects.toThrow();
    for (const rev of [2, 3]) await store.commit([aWrite({ rev, facts: facts(rev, 1) })]);
    const after = { rev: 1, position: 4_092 };
    expect((await store.history({ address: 'job/nightly', limit: 10, after })).map(({ rev }) => rev)).toEqual([2, 3]);
    expect((await store.history({ address: 'job/nightly', limit: 1, after })).map(({ rev }) => rev)).toEqual([2]);
    await store.close();
  });
});
