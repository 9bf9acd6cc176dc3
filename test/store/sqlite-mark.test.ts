/** The report of a start about lost commits, and the files after a clean stop. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { workerRoles } from '../../src/cluster/index.ts';
import { openStore } from '../../src/store/open.ts';
import { createSqliteStoreWithWriter } from '../../src/store/sqlite/index.ts';
import { openMark, removeMark } from '../../src/store/sqlite/mark.ts';
import { openSqliteWrites, type SqliteWrites } from '../../src/store/sqlite/open.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { aWrite } from '../support/store-builders.ts';
import { tempDir } from '../support/temp-dir.ts';

let directory: string;
const file = () => join(directory, 'troupe.sqlite');
const log = () => `${file()}-wal`;
beforeEach(() => {
  directory = tempDir('mark');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const COMMITS = 30;

function commitAll({ writes }: SqliteWrites, commits = COMMITS): void {
  for (let each = 0; each < commits; each++) writes.commit([aWrite({ address: `job/j${each}`, state: '{}', facts: [] })]);
}

/**
 * What a kill -9 leaves: the files as they are while a store that made `COMMITS` commits is still
 * open.
 */
async function killed(): Promise<void> {
  const open = await openSqliteWrites({ directory });
  commitAll(open);
  const copy = `${directory}-copy`;
  cpSync(directory, copy, { recursive: true });
  open.close();
  rmSync(directory, { recursive: true });
  cpSync(copy, directory, { recursive: true });
  rmSync(copy, { recursive: true });
}

async function lossAtStart(): Promise<{ found: number; marked: number } | null> {
  const open = await openSqliteWrites({ directory });
  const { loss } = open;
  open.close();
  return loss;
}

describe('a start after a kill -9', () => {
  test('a start after a kill -9 misses nothing where the files are as they were left', async () => {
    await killed();
    expect(existsSync(log())).toBe(true);
    expect(await lossAtStart()).toBeNull();
  });

  test.each<[string, () => void, number]>([
    ['the log is lost', () => rmSync(log()), 0],
    ['the log is torn', () => truncateSync(log(), Math.floor(statSync(log()).size / 2)), 1],
    ['a byte of the log is another one', () => flip(log(), Math.floor(statSync(log()).size * 0.6)), 1],
    ['the database and its log are lost', () => [file(), log()].forEach(path => void rmSync(path)), 0],
    ['the database is empty', () => [() => truncateSync(file(), 0), () => rmSync(log())].forEach(each => void each()), 0],
  ])('a start after a kill -9 reports how many commits are missing where %s', async (_, harm, foundMin) => {
    await killed();
    for (const leftover of [`${file()}-shm`]) rmSync(leftover, { force: true });
    harm();
    const loss = await lossAtStart();
    expect(loss?.marked).toBe(COMMITS);
    expect(loss?.found).toBeGreaterThanOrEqual(foundMin);
    expect(loss?.found).toBeLessThan(COMMITS);
  });

  test('a start after a kill -9 refuses a database that was cut, with its log and without', async () => {
    const open = await openSqliteWrites({ directory });
    for (let each = 0; each < 50; each++)
      open.writes.commit([aWrite({ address: `job/k${each}`, state: `"${'x'.repeat(4_000)}"`, facts: [] })]);
    open.close();
    const cut = Math.floor(statSync(file()).size / 2);
    await killed();
    truncateSync(file(), cut);
    await expect(openSqliteWrites({ directory })).rejects.toThrow('is damaged');
    rmSync(log());
    rmSync(`${file()}-shm`, { force: true });
    await expect(openSqliteWrites({ directory })).rejects.toThrow('is damaged');
  });
});

describe('an older copy that is put back', () => {
  /** Stopped after some commits, copied, and run on. */
  async function olderCopy(): Promise<string> {
    const early = await openSqliteWrites({ directory });
    commitAll(early, 10);
    early.close();
    const copy = join(directory, 'copy');
    cpSync(file(), copy);
    const late = await openSqliteWrites({ directory });
    for (let rev = 2; rev <= 8; rev++) late.writes.commit([aWrite({ address: 'job/j1', rev, state: '{}', facts: [] })]);
    late.close();
    return copy;
  }

  test('an older copy that is put back is missing what was committed since, at each start until one stopped cleanly', async () => {
    cpSync(await olderCopy(), file());
    const open = await openSqliteWrites({ directory });
    expect(open.loss).toEqual({ found: 10, marked: 17 });
    open.writes.probe();
    const crashed = readFileSync(join(directory, 'troupe.mark'));
    open.close();
    expect(await lossAtStart()).toBeNull();
    writeFileSync(join(directory, 'troupe.mark'), crashed);
    expect(await lossAtStart()).toEqual({ found: 10, marked: 17 });
  });

  test('an older copy that is put back lacks nothing where it was put back on purpose', async () => {
    cpSync(await olderCopy(), file());
    removeMark(directory);
    expect(await lossAtStart()).toBeNull();
  });

  test('an older copy that is put back is reported by the store of a center in a sentence', async () => {
    cpSync(await olderCopy(), file());
    const around = { clock: createManualClock(), drawId: () => 'x', cluster: workerRoles(createManualClock()) };
    const { store, missing } = await openStore({ dataDir: directory, store: { kind: 'sqlite' } }, around);
    expect(missing).toContain('lacks its last 7 commits (revision 10, 17 were committed)');
    await store.close();
  });
});

describe('the mark', () => {
  test('the mark lags and never leads: a commit that fails leaves it', async () => {
    const open = await openSqliteWrites({ directory });
    commitAll(open, 2);
    const before = readFileSync(join(directory, 'troupe.mark'), 'utf8');
    expect(before).toStartWith('{"revision":2,"loss":null} ');
    expect(() => open.transact(() => fail('the work of a transaction'))).toThrow();
    expect(readFileSync(join(directory, 'troupe.mark'), 'utf8')).toBe(before);
    open.close();
    expect(await lossAtStart()).toBeNull();
  });

  test.each(['', '{"revision":99', `{"revision":99,"loss":null} {"revision":98,"loss":null}${' '.repeat(20)}\n`, '\0'.repeat(160)])(
    'a mark that cannot be read reports no loss: %j',
    async text => {
      writeFileSync(join(directory, 'troupe.mark'), text);
      expect(await lossAtStart()).toBeNull();
    },
  );

  test('a mark that cannot be written fails no commit', () => {
    const mark = openMark(join(directory, 'nowhere'), 7);
    mark.write(8);
    mark.close();
    mark.close();
    expect(mark.loss).toBeNull();
  });
});

describe('a clean stop', () => {
  test('a clean stop leaves one file with everything in it, even where a thread that was ended still has it open', async () => {
    const store = await createSqliteStoreWithWriter({ directory });
    // As the connection of a worker that was terminated and is not collected yet.
    const { openSqliteReads } = await import('../../src/store/sqlite/open-reads.ts');
    const leaked = openSqliteReads(directory);
    await store.commit([aWrite({ address: 'job/j1', state: '{}', facts: [] })]);
    await leaked.reads.load('job/j1');
    await store.close();
    expect(existsSync(log()) ? statSync(log()).size : 0).toBe(0);
    leaked.close();

    const again = await createSqliteStoreWithWriter({ directory });
    expect((await again.load('job/j1'))?.rev).toBe(1);
    await again.close();
    expect(readdirSync(directory).filter(name => name.startsWith('troupe.sqlite'))).toEqual(['troupe.sqlite']);
  });
});

function fail(what: string): never {
  throw new Error(what);
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  writeFileSync(path, bytes);
}
