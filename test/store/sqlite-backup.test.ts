/** A backup is one checked state of the database; a restore raises numbers agents saw. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createBackups } from '../../src/services/backup.ts';
import { makeBackup } from '../../src/store/sqlite/backup.ts';
import { createSqliteStore } from '../../src/store/sqlite/index.ts';
import { DataDirectoryLocked } from '../../src/store/sqlite/lock.ts';
import { openSqliteWrites } from '../../src/store/sqlite/open.ts';
import { restoreBackup } from '../../src/store/sqlite/restore.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { aPostedLog, aWrite } from '../support/store-builders.ts';

let place: string;
let data: string;
let file: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'backup-'));
  data = join(place, 'data');
  file = join(place, 'copy.sqlite');
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

const problemOf = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};
const writes = (from: number, count: number) => Array.from({ length: count }, (_, place) => aWrite({ address: `job/j${from + place}` }));

async function aStore(count = 100) {
  const store = await createSqliteStore({ directory: data });
  await store.claim('center-1');
  await store.commit(writes(0, count));
  return store;
}

describe('a backup', () => {
  test('a backup of a store that is written to is one state of it, in one file for its owner alone', async () => {
    const store = await aStore();
    const making = makeBackup({ directory: data, file, at: 7 });
    for (let more = 0; more < 50; more++) {
      await store.commit(writes(100 + more * 10, 10));
      await new Promise<void>(resolve => setImmediate(resolve));
    }
    const made = await making;
    expect(made.rows.actors).toBe(100);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(place).sort()).toEqual(['copy.sqlite', 'data']);
    await store.close();
  });

  test('a backup of a stopped center is made from its directory', async () => {
    await (await aStore(30)).close();
    expect((await makeBackup({ directory: data, file, at: 7 })).rows.actors).toBe(30);
  });

  test('a backup refuses a file that exists and a directory without a database', async () => {
    await (await aStore(1)).close();
    writeFileSync(file, 'mine');
    expect(await problemOf(() => makeBackup({ directory: data, file, at: 7 }))).toContain('is there already');
    expect(await problemOf(() => makeBackup({ directory: place, file: `${file}2`, at: 7 }))).toContain('holds no database');
    const nowhere = join(place, 'nowhere');
    const problem = await problemOf(() => makeBackup({ directory: data, file: join(nowhere, 'x'), at: 7 }));
    expect(problem).toBe(`"${nowhere}" does not exist; make the folder of the backup first`);
  });

  test('a backup of a damaged database fails and leaves nothing', async () => {
    await (await aStore(2_000)).close();
    const database = join(data, 'troupe.sqlite');
    const { size } = statSync(database);
    truncateSync(database, size - 40_960);
    appendFileSync(database, Buffer.alloc(40_960, 7));
    expect(await problemOf(() => makeBackup({ directory: data, file, at: 7 }))).not.toBe('');
    expect(readdirSync(place)).toEqual(['data']);
  });
});

describe('a restore', () => {
  test('a restore brings back what was there, with epochs and feed positions that nobody has seen', async () => {
    const store = await aStore();
    const [cursor] = (
      await store.commit([
        { ...aWrite({ address: 'job/f' }), facts: [{ address: 'job/f', rev: 1, position: 0, at: 1, type: 'x', data: {} }] },
      ])
    )
      .flatMap(result => (result.committed ? result.facts : []))
      .map(fact => fact.cursor);
    await store.keepPostedLog(aPostedLog({ job: 'j', stdout: 'before' }));
    await makeBackup({ directory: data, file, at: 1_790_000_000_000 });
    await store.keepPostedLog(aPostedLog({ job: 'j', id: 'later' }));
    await store.commit(writes(500, 5));
    await store.close();
    const restored = restoreBackup({ file, directory: data, overwrite: true });
    expect(restored).toMatchObject({ madeAt: 1_790_000_000_000, rows: { actors: 101 } });
    expect(existsSync(restored.replaced ?? '')).toBe(true);
    const again = await createSqliteStore({ directory: data });
    expect((await again.claim('center-1'))[0]).toBe(1_000_002);
    expect(await again.load('job/j500')).toBeUndefined();
    expect(await again.load('job/j99')).toBeDefined();
    expect((await again.postedLogs({ job: 'j', limit: 9 })).map(({ stdout }) => stdout)).toEqual(['before']);
    // A watcher that saw more than the backup has is not refused, and passes over nothing new.
    const fact = { address: 'job/g', rev: 1, position: 0, at: 2, type: 'y', data: {} };
    await again.commit([{ ...aWrite({ address: 'job/g' }), facts: [fact] }]);
    expect((await again.facts({ after: cursor ?? '' })).facts.map(({ type }) => type)).toEqual(['y']);
    await again.close();
  });

  test('a restore is reported at each start until a clean stop, and the mark of the replaced database is no loss', async () => {
    const store = await aStore();
    await makeBackup({ directory: data, file, at: 5 });
    await store.commit(writes(500, 5));
    await store.close();
    restoreBackup({ file, directory: data, overwrite: true });
    const first = await openSqliteWrites({ directory: data });
    expect([first.restoredFrom, first.loss]).toEqual([5, null]);
    first.close();
    const second = await openSqliteWrites({ directory: data });
    expect(second.restoredFrom).toBeNull();
    second.close();
  });

  test('a restore replays no log of another database into what it restored', async () => {
    const store = await aStore(20);
    await makeBackup({ directory: data, file, at: 7 });
    await store.commit(writes(20, 50));
    // The log of a center that was killed, and whose database was removed.
    const other = join(place, 'other');
    mkdirSync(other);
    copyFileSync(join(data, 'troupe.sqlite-wal'), join(other, 'troupe.sqlite-wal'));
    await store.close();
    const { replaced } = restoreBackup({ file, directory: other, overwrite: false });
    expect(replaced).toBe(join(other, 'troupe.sqlite.replaced'));
    expect(existsSync(`${replaced}-wal`)).toBe(true);
    expect(readdirSync(other).filter(name => name.startsWith('troupe.sqlite-'))).toEqual([]);
    const db = new DatabaseSync(join(other, 'troupe.sqlite'));
    expect(db.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' });
    expect(db.prepare('select count(*) as count from actors').get()).toEqual({ count: 20 });
    db.close();
  });

  test('a restore that is cut short leaves the database that was there under its name', async () => {
    await (await aStore(20)).close();
    await makeBackup({ directory: data, file, at: 7 });
    const later = await createSqliteStore({ directory: data });
    await later.claim('center-2');
    await later.commit(writes(20, 10));
    await later.close();
    rmSync(join(data, 'troupe.mark'), { force: true });
    // A mark that cannot be removed stops it at its last steps.
    mkdirSync(join(data, 'troupe.mark', 'in the way'), { recursive: true });
    expect(() => restoreBackup({ file, directory: data, overwrite: true })).toThrow();
    const db = new DatabaseSync(join(data, 'troupe.sqlite'));
    expect(db.prepare('select count(*) as count from actors').get()).toEqual({ count: 30 });
    db.close();
  });

  test('a restore refuses a directory in use, an existing database and a file that is no backup, and changes nothing', async () => {
    const store = await aStore(3);
    await makeBackup({ directory: data, file, at: 5 });
    const problem = (() => {
      try {
        return restoreBackup({ file, directory: data, overwrite: true });
      } catch (error) {
        return error;
      }
    })();
    expect(problem).toBeInstanceOf(DataDirectoryLocked);
    await store.close();
    expect(await problemOf(() => restoreBackup({ file, directory: data, overwrite: false }))).toContain('--overwrite');
    const other = join(place, 'other.sqlite');
    const db = new DatabaseSync(other);
    db.exec('create table mine (a)');
    db.close();
    expect(await problemOf(() => restoreBackup({ file: other, directory: data, overwrite: true }))).toContain('no database of Troupe');
    writeFileSync(other, 'text');
    expect(await problemOf(() => restoreBackup({ file: other, directory: data, overwrite: true }))).toContain('damaged');
    expect(await problemOf(() => restoreBackup({ file: join(place, 'none'), directory: data, overwrite: true }))).toContain(
      'does not exist, but must be a backup',
    );
    const again = await createSqliteStore({ directory: data });
    expect(await again.load('job/j2')).toBeDefined();
    await again.close();
    expect(readdirSync(data).filter(name => /restoring|replaced/.test(name))).toEqual([]);
  });
});

describe('the backups of a center', () => {
  const aService = (fails = { with: undefined as string | undefined }) => {
    const clock = createManualClock();
    const logs: string[] = [];
    const directory = join(place, 'backups');
    const backups = createBackups({
      directory,
      everyMs: 3_600_000,
      keep: 3,
      clock,
      log: (level, text) => void logs.push(`${level} ${text}`),
      async make({ file: name }) {
        if (fails.with) throw new Error(fails.with);
        writeFileSync(name, '');
        return { file: name, bytes: 1, rows: {}, files: 0, missingFiles: 0 };
      },
    });
    return { clock, logs, directory, backups, fails };
  };

  test('the backups of a center are made at their interval, and the oldest are removed', async () => {
    const { backups, clock, directory } = aService();
    writeFileSync(join(place, 'mine'), '');
    const stop = new AbortController();
    const running = backups.run(stop.signal, () => {});
    await clock.settle();
    expect(readdirSync(directory)).toHaveLength(1);
    for (let hour = 0; hour < 5; hour++) await clock.advance(3_600_000);
    expect(readdirSync(directory)).toHaveLength(3);
    expect(backups.status()).toMatchObject({ made: 6, failed: 0, problem: null, madeAt: clock.now() });
    stop.abort();
    await running;
  });

  test('the backups of a center go on where an earlier center left off', async () => {
    const { backups, clock, directory } = aService();
    await backups.runOnce();
    await clock.advance(1_800_000);
    const stop = new AbortController();
    const running = backups.run(stop.signal, () => {});
    await clock.advance(1_799_000);
    expect(readdirSync(directory)).toHaveLength(1);
    await clock.advance(2_000);
    expect(readdirSync(directory)).toHaveLength(2);
    stop.abort();
    await running;
  });

  test('the backups of a center that fail are logged, counted and tried again, and no older one is removed', async () => {
    const { backups, clock, directory, fails, logs } = aService();
    await backups.runOnce();
    fails.with = 'no space left';
    const stop = new AbortController();
    const running = backups.run(stop.signal, () => {});
    await clock.advance(3_600_000);
    await clock.advance(120_000);
    expect(backups.status()).toMatchObject({ made: 0, problem: 'no space left' });
    expect(backups.status().failed).toBeGreaterThan(1);
    expect(logs[0]).toBe('error a backup cannot be made');
    expect(readdirSync(directory)).toHaveLength(1);
    fails.with = undefined;
    await clock.advance(60_000);
    expect(backups.status()).toMatchObject({ made: 1, problem: null });
    stop.abort();
    await running;
  });
});
