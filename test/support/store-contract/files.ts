/** Store contract: files, their parts, and their names. */
import { describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import type { FileStore } from '../../../src/store/file-port.ts';
import type { StoreUnderTest } from '../store-contract.ts';

export const hex = (algorithm: 'sha256' | 'md5', bytes: Uint8Array | string): string => createHash(algorithm).update(bytes).digest('hex');

/** Bytes of which no two pieces are equal. */
export const someBytes = (length: number, seed = 1): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 7 + (index >> 8)) % 256);

export async function* piecesOf(bytes: Uint8Array, size = 1_000): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

/** The client disconnects after the first `length` bytes. */
async function* brokenAfter(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  yield* piecesOf(bytes.subarray(0, length));
  throw new Error('the client is gone');
}

const NEVER = Number.MAX_SAFE_INTEGER;

export function filesContract(underTest: StoreUnderTest): void {
  const files = (): FileStore => underTest.store.files;
  const put = (name: string, bytes: Uint8Array, at = 1_000) => files().put({ name, bytes: piecesOf(bytes), at });
  const read = async (sha256: string, from = 0, to?: number) => {
    const length = to ?? (await files().stat(sha256))?.bytes ?? 0;
    const pieces: Uint8Array[] = [];
    for await (const piece of await files().read(sha256, { from, to: length })) pieces.push(piece);
    return new Uint8Array(Buffer.concat(pieces));
  };

  describe('files', () => {
    test('files are kept by their digests across reopening, whole and in ranges', async () => {
      const bytes = someBytes(2_500_000);
      const { file, isNew } = await put('a.bin', bytes);
      expect(isNew).toBe(true);
      expect(file).toEqual({
        name: 'a.bin',
        sha256: hex('sha256', bytes),
        md5: hex('md5', bytes),
        bytes: bytes.length,
        uploadedAt: 1_000,
        neededAt: 1_000,
      });
      await underTest.reopen();
      expect(await files().stat(file.sha256)).toEqual(file);
      expect(await files().stat(file.md5)).toEqual(file);
      expect(await read(file.sha256)).toEqual(bytes);
      expect(await read(file.sha256, 0, 1)).toEqual(bytes.slice(0, 1));
      expect(await read(file.sha256, 1_048_575, 1_048_577)).toEqual(bytes.slice(1_048_575, 1_048_577));
      expect(await read(file.sha256, bytes.length - 1)).toEqual(bytes.slice(-1));
      expect(await read(file.sha256, 7, 7)).toEqual(new Uint8Array());
    });

    test('files of no bytes are files', async () => {
      const { file } = await put('empty', new Uint8Array());
      expect(file).toMatchObject({ bytes: 0, sha256: hex('sha256', ''), md5: hex('md5', '') });
      expect(await read(file.sha256)).toEqual(new Uint8Array());
    });

    test('files of one content have one copy and several names; the last name takes the content along', async () => {
      const bytes = someBytes(5_000);
      const { file } = await put('one', bytes);
      expect(await put('two', bytes, 2_000)).toMatchObject({ isNew: true, file: { sha256: file.sha256 } });
      expect(await put('one', bytes, 3_000)).toMatchObject({ isNew: false, file: { uploadedAt: 3_000 } });
      expect(await files().totals()).toEqual({ files: 2, bytes: 5_000 });
      expect((await files().list({ limit: 9 })).map(({ name }) => name)).toEqual(['one', 'two']);
      await files().delete({ name: 'one', sha256: file.sha256 });
      expect(await read(file.sha256)).toEqual(bytes);
      await files().delete({ name: 'two', sha256: file.sha256 });
      await files().delete({ name: 'two', sha256: file.sha256 });
      expect(await files().stat(file.sha256)).toBeUndefined();
      await expect(files().read(file.sha256, { from: 0, to: 1 })).rejects.toMatchObject({ code: 'notFound' });
      expect(await files().totals()).toEqual({ files: 0, bytes: 0 });
    });

    test('files of one name are listed newest first, page by page, also those of one millisecond', async () => {
      for (const seed of [1, 2, 3]) await put('same', someBytes(10, seed));
      await put('other', someBytes(10, 4));
      const [newest, ...older] = await files().list({ name: 'same', limit: 1 });
      expect(older).toEqual([]);
      expect(newest?.sha256).toBe(hex('sha256', someBytes(10, 3)));
      const rest = await files().list({ name: 'same', limit: 9, ...(newest && { after: newest }) });
      expect(rest.map(({ sha256 }) => sha256)).toEqual([2, 1].map(seed => hex('sha256', someBytes(10, seed))));
      expect(await files().list({ limit: 9 })).toHaveLength(4);
      // An earlier content that comes again is the newest of its name.
      await put('same', someBytes(10, 1));
      expect((await files().list({ name: 'same', limit: 1 }))[0]?.sha256).toBe(hex('sha256', someBytes(10, 1)));
    });

    test('files that break off at any tenth leave nothing', async () => {
      const bytes = someBytes(20_000);
      for (let tenth = 0; tenth < 10; tenth++) {
        const broken = files().put({ name: 'half', bytes: brokenAfter(bytes, tenth * 2_000), at: 1_000 });
        await expect(broken).rejects.toThrow('the client is gone');
      }
      expect(await files().list({ limit: 9 })).toEqual([]);
      expect(await files().totals()).toEqual({ files: 0, bytes: 0 });
      await underTest.reopen();
      expect(await files().totals()).toEqual({ files: 0, bytes: 0 });
    });

    test('files with another digest than announced are refused and leave nothing', async () => {
      const wrong = files().put({ name: 'wrong', bytes: piecesOf(someBytes(100)), at: 1_000, sha256: hex('sha256', 'other') });
      await expect(wrong).rejects.toMatchObject({ code: 'invalid', field: 'sha256' });
      expect(await files().totals()).toEqual({ files: 0, bytes: 0 });
    });

    test('files of one content that come at once are one file', async () => {
      const bytes = someBytes(50_000);
      const both = await Promise.all([put('twice', bytes), put('twice', bytes)]);
      expect(both.map(({ isNew }) => isNew).sort()).toEqual([false, true]);
      expect(await read(both[0].file.sha256)).toEqual(bytes);
      expect(await files().totals()).toEqual({ files: 1, bytes: 50_000 });
    });

    test('files note when they were needed, under each of their names', async () => {
      const { file } = await put('one', someBytes(10));
      await put('two', someBytes(10));
      expect(await files().touch(file.sha256, 5_000)).toBe(true);
      expect(await files().touch(file.sha256, 4_000)).toBe(true);
      expect((await files().list({ limit: 9 })).map(({ neededAt }) => neededAt)).toEqual([5_000, 5_000]);
      expect(await files().touch(hex('sha256', 'other'), 5_000)).toBe(false);
    });

    test('files that were needed since an instant are not deleted as unneeded', async () => {
      const { file } = await put('one', someBytes(10));
      await files().touch(file.sha256, 5_000);
      expect(await files().deleteUnneeded(file, 5_000)).toBe(false);
      expect(await read(file.sha256)).toEqual(someBytes(10));
      expect(await files().deleteUnneeded(file, 5_001)).toBe(true);
      expect(await files().deleteUnneeded(file, 5_001)).toBe(false);
      expect(await files().touch(file.sha256, 6_000)).toBe(false);
    });

    test('files that are needed and deleted as unneeded at once stay, or are found to be gone', async () => {
      for (let round = 0; round < 20; round++) {
        const { file } = await put('one', someBytes(10));
        const needed = () => files().touch(file.sha256, 5_000);
        const unneeded = () => files().deleteUnneeded(file, 2_000);
        const touchedFirst = round % 2 === 0;
        const first = touchedFirst ? needed() : unneeded();
        const second = touchedFirst ? unneeded() : needed();
        const [wasThere, wasDeleted] = await Promise.all(touchedFirst ? [first, second] : [second, first]);
        expect(wasDeleted).toBe(!wasThere);
        expect((await files().stat(file.sha256)) !== undefined).toBe(wasThere);
      }
    });
  });

  describe('uploads in parts', () => {
    const bytes = someBytes(10_000);
    const sha256 = hex('sha256', bytes);
    const append = (from: number, to: number, source = piecesOf(bytes.subarray(from, to))) =>
      files().append({ sha256, from, length: to - from, bytes: source });

    test('uploads in parts become a file once all parts are there', async () => {
      expect(await files().received(sha256)).toBeUndefined();
      expect(await append(0, 4_000)).toBe(4_000);
      await underTest.reopen();
      expect(await files().received(sha256)).toBe(4_000);
      expect(await files().stat(sha256)).toBeUndefined();
      expect(await files().totals()).toEqual({ files: 0, bytes: 4_000 });
      expect(await append(4_000, 10_000)).toBe(10_000);
      expect(await files().complete({ sha256, name: 'parts', at: 1_000 })).toMatchObject({ isNew: true, file: { sha256 } });
      expect(await read(sha256)).toEqual(bytes);
      expect(await files().received(sha256)).toBeUndefined();
      expect(await files().totals()).toEqual({ files: 1, bytes: 10_000 });
    });

    test('uploads in parts keep what arrived of a part that breaks off, at every tenth', async () => {
      let from = 0;
      while (from < 10_000) {
        await expect(append(from, 10_000, brokenAfter(bytes.subarray(from), 1_000))).rejects.toThrow('the client is gone');
        from += 1_000;
        expect(await files().received(sha256)).toBe(from);
      }
      await files().complete({ sha256, name: 'parts', at: 1_000 });
      expect(await read(sha256)).toEqual(bytes);
    });

    test('uploads in parts refuse a hole, a repeat and more bytes than announced', async () => {
      await append(0, 4_000);
      for (const from of [5_000, 0]) await expect(append(from, from + 10)).rejects.toMatchObject({ code: 'conflict' });
      await expect(append(4_000, 4_010, piecesOf(bytes.subarray(4_000, 4_500)))).rejects.toMatchObject({ code: 'invalid' });
      expect(await files().received(sha256)).toBe(4_000);
    });

    test('uploads in parts take one of two equal parts that come at once', async () => {
      const both = await Promise.allSettled([append(0, 4_000), append(0, 4_000)]);
      expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(await files().received(sha256)).toBe(4_000);
    });

    test('uploads in parts with another digest are refused and begin anew', async () => {
      const other = hex('sha256', 'other');
      await files().append({ sha256: other, from: 0, length: 100, bytes: piecesOf(bytes.subarray(0, 100)) });
      await expect(files().complete({ sha256: other, name: 'x', at: 1 })).rejects.toMatchObject({ code: 'invalid' });
      expect(await files().received(other)).toBeUndefined();
    });

    test('uploads in parts leave with their time, and files stay', async () => {
      await put('stays', someBytes(10));
      await append(0, 4_000);
      expect(await files().sweep(1)).toBe(0);
      expect(await files().received(sha256)).toBe(4_000);
      expect(await files().sweep(NEVER)).toBe(1);
      expect(await files().received(sha256)).toBeUndefined();
      expect(await files().totals()).toEqual({ files: 1, bytes: 10 });
      expect(await read(hex('sha256', someBytes(10)))).toEqual(someBytes(10));
    });
  });
}
