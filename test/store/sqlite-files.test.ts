/** Files beside the SQLite database: after a crash, on a full disk, in backups. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createBackups } from '../../src/services/backup.ts';
import { makeBackup } from '../../src/store/sqlite/backup.ts';
import { createSqliteStore } from '../../src/store/sqlite/index.ts';
import { restoreBackup } from '../../src/store/sqlite/restore.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { hex, piecesOf, someBytes } from '../support/store-contract/files.ts';
import { tempDir } from '../support/temp-dir.ts';

const bytes = someBytes(100_000);
const sha256 = hex('sha256', bytes);

let place: string;
let data: string;
let mounted: string | undefined;
beforeEach(() => {
  place = tempDir('files');
  data = join(place, 'data');
});
afterEach(() => {
  if (mounted) execFileSync('umount', ['-l', mounted]);
  mounted = undefined;
});

const open = () => createSqliteStore({ directory: data });
const put = (store: Awaited<ReturnType<typeof open>>, name: string, content = bytes) =>
  store.files.put({ name, bytes: piecesOf(content), at: 1_000 });
async function withFiles(...names: string[]): Promise<void> {
  const store = await open();
  for (const name of names) await put(store, name);
  await store.close();
}
async function contentOf(directory: string): Promise<Uint8Array> {
  const store = await createSqliteStore({ directory });
  const pieces: Uint8Array[] = [];
  for await (const piece of await store.files.read(sha256, { from: 0, to: bytes.length })) pieces.push(piece);
  await store.close();
  return new Uint8Array(Buffer.concat(pieces));
}

describe('files beside the database', () => {
  test('files beside the database are for their owner alone, and whole under their digest', async () => {
    await withFiles('a');
    const path = join(data, 'files', sha256);
    expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
    expect([statSync(path).mode & 0o777, statSync(join(data, 'files')).mode & 0o777]).toEqual([0o600, 0o700]);
    expect(readdirSync(join(data, 'files', 'tmp'))).toEqual([]);
  });

  test('a content that the disk damaged is whole again once it is uploaded again', async () => {
    await withFiles('a');
    const path = join(data, 'files', sha256);
    for (const damage of [
      () => writeFileSync(path, someBytes(100_000).fill(1, 5_000, 5_100)),
      () => truncateSync(path, 10),
      () => rmSync(path),
    ]) {
      damage();
      const store = await open();
      expect((await put(store, 'a')).isNew).toBe(false);
      await store.close();
      expect(await contentOf(data)).toEqual(bytes);
    }
  });

  test('files beside the database that a crash left incomplete are removed at the next start', async () => {
    await withFiles('a');
    writeFileSync(join(data, 'files', 'tmp', '1'), 'half');
    await (await open()).close();
    expect(readdirSync(join(data, 'files'))).toEqual([sha256]);
  });

  test('files beside the database whose row a crash prevented leave after a day, and may come again', async () => {
    await withFiles();
    const orphan = hex('sha256', 'orphan');
    mkdirSync(join(data, 'files'));
    writeFileSync(join(data, 'files', orphan), 'orphan');
    const store = await open();
    expect(await store.files.stat(orphan)).toBeUndefined();
    await store.files.sweep(1_000);
    expect(readdirSync(join(data, 'files'))).toEqual([orphan]);
    await put(store, 'again', Buffer.from('orphan'));
    await store.files.sweep(Number.MAX_SAFE_INTEGER);
    expect(readdirSync(join(data, 'files'))).toContain(orphan);
    await store.files.delete({ name: 'again', sha256: orphan });
    writeFileSync(join(data, 'files', orphan), 'orphan');
    await store.files.sweep(Number.MAX_SAFE_INTEGER);
    expect(readdirSync(join(data, 'files'))).not.toContain(orphan);
    await store.close();
  });

  test('files beside the database that are gone are reported, and healed by another upload', async () => {
    const store = await open();
    await put(store, 'a');
    rmSync(join(data, 'files', sha256));
    await expect(store.files.read(sha256, { from: 0, to: 1 })).rejects.toMatchObject({
      code: 'notFound',
      message: expect.stringContaining('gone from the file store; upload it again'),
    });
    expect(await put(store, 'a')).toMatchObject({ isNew: false });
    await store.close();
    expect(await contentOf(data)).toEqual(bytes);
  });

  test('files beside the database on a full disk are refused, leave nothing, and are taken once there is room', async () => {
    mkdirSync(join(data, 'files'), { recursive: true });
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', join(data, 'files')], { stdio: 'ignore' });
      mounted = join(data, 'files');
    } catch {
      console.warn('no right to mount a tmpfs: an upload onto a full disk was not tested');
      return;
    }
    const store = await open();
    const large = someBytes(2_000_000);
    const full = { code: 'unavailable', message: expect.stringContaining('the disk of the center is full') };
    await expect(put(store, 'large', large)).rejects.toMatchObject(full);
    await expect(
      store.files.append({ sha256: hex('sha256', large), from: 0, length: large.length, bytes: piecesOf(large) }),
    ).rejects.toMatchObject(full);
    expect(await store.files.totals()).toEqual({ files: 0, bytes: 0 });
    expect(readdirSync(join(data, 'files', 'tmp'))).toEqual([]);
    await put(store, 'fits');
    await store.close();
    expect(await contentOf(data)).toEqual(bytes);
  });
});

describe('a backup of a database with files', () => {
  const file = () => join(place, 'copy.sqlite');

  test('a backup of a database with files has each content once, and a restore puts them back', async () => {
    await withFiles('a', 'b');
    expect(await makeBackup({ directory: data, file: file(), at: 7 })).toMatchObject({ files: 1, missingFiles: 0 });
    expect(readdirSync(`${file()}.files`)).toEqual([sha256]);
    const other = join(place, 'other');
    expect(restoreBackup({ file: file(), directory: other, overwrite: false })).toMatchObject({ files: 1, missingFiles: 0 });
    expect(await contentOf(other)).toEqual(bytes);
    // A file of the restored directory that is deleted stays in the backup.
    const store = await createSqliteStore({ directory: other });
    for (const name of ['a', 'b']) await store.files.delete({ name, sha256 });
    await store.close();
    expect(readdirSync(`${file()}.files`)).toEqual([sha256]);
  });

  test('a backup of a database with files says which are missing, and so does its restore', async () => {
    await withFiles('a');
    rmSync(join(data, 'files', sha256));
    expect(await makeBackup({ directory: data, file: file(), at: 7 })).toMatchObject({ files: 0, missingFiles: 1 });
    const other = join(place, 'other');
    expect(restoreBackup({ file: file(), directory: other, overwrite: false })).toMatchObject({ files: 0, missingFiles: 1 });
  });

  test('a restore refuses a damaged copy of a file where it must copy it', async () => {
    await withFiles('a');
    await makeBackup({ directory: data, file: file(), at: 7 });
    // Of the same length, and no link to the original.
    rmSync(join(`${file()}.files`, sha256));
    writeFileSync(join(`${file()}.files`, sha256), someBytes(100_000, 5));
    const other = join(place, 'other');
    try {
      restoreBackup({ file: file(), directory: other, overwrite: false });
    } catch (error) {
      expect(String(error)).toContain('is damaged: it has the sha256');
      expect(readdirSync(other)).not.toContain('troupe.sqlite');
      return;
    }
    throw new Error('the damaged file was restored');
  });

  test('backups that the center deletes take their files along', async () => {
    await withFiles('a');
    const directory = join(place, 'backups');
    const clock = createManualClock();
    const backups = createBackups({
      ...{ directory, everyMs: 1_000, keep: 2, clock, log: () => {} },
      make: order => makeBackup({ directory: data, ...order }),
    });
    for (let nth = 0; nth < 4; nth++) {
      await backups.runOnce();
      await clock.advance(1_000);
    }
    const names = readdirSync(directory);
    expect(names.filter(name => name.endsWith('.sqlite'))).toHaveLength(2);
    expect(names.filter(name => name.endsWith('.files')).sort()).toEqual(
      names
        .filter(name => name.endsWith('.sqlite'))
        .map(name => `${name}.files`)
        .sort(),
    );
  });
});
