/** bzip2 and xz as streams: archives of their programs unpack whole, broken ones fail. */
import { describe, expect, test } from 'bun:test';
import { bunzip2 } from '../../src/agent/artifacts/bunzip2.ts';
import { unxz } from '../../src/agent/artifacts/unxz.ts';
import { bz2, NUMBERS, RUNS, xz } from './packed.ts';

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

type Unpack = typeof unxz;
async function whole(unpack: Unpack, bytes: Uint8Array, size = 1_000): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of unpack(inPieces(bytes, size))) pieces.push(piece);
  return Buffer.concat(pieces);
}
const problem = (unpack: Unpack, bytes: Uint8Array): Promise<string> =>
  whole(unpack, bytes).then(
    got => `${got.length} bytes`,
    (error: Error) => error.message,
  );

describe.each([
  ['bzip2', bunzip2, bz2],
  ['xz', unxz, xz],
] as const)('%s', (_, unpack, packed) => {
  test('an unpacker gives back what was packed, however it arrives', async () => {
    for (const size of [1, 7, 1_000, 1_000_000]) {
      expect((await whole(unpack, packed.numbers, size)).toString()).toBe(NUMBERS);
      expect((await whole(unpack, packed.runs, size)).toString()).toBe(RUNS);
    }
    expect((await whole(unpack, packed.nothing)).length).toBe(0);
  });

  test('an unpacker takes one stream behind another', async () => {
    const two = Buffer.concat([packed.runs, packed.nothing, packed.runs]);
    expect((await whole(unpack, two)).toString()).toBe(RUNS + RUNS);
  });

  test('an unpacker fails when its input is cut short, wherever', async () => {
    for (let length = 0; length < packed.evil.length; length++)
      expect([length, await problem(unpack, packed.evil.subarray(0, length))]).toEqual([length, 'it is cut short']);
  });

  test('an unpacker never returns anything but what was packed, whichever bit changed', async () => {
    const good = await whole(unpack, packed.evil);
    let refused = 0;
    for (let at = 0; at < packed.evil.length; at++) {
      const changed = Buffer.from(packed.evil);
      changed.writeUInt8(changed.readUInt8(at) ^ 4, at);
      const got = await whole(unpack, changed).catch((error: Error) => error.message);
      if (typeof got === 'string') refused++;
      // A code that nothing uses may be any.
      else expect(got.equals(good)).toBe(true);
    }
    expect(refused).toBeGreaterThan(packed.evil.length * 0.8);
  });

  test('an unpacker takes no other format for its own', async () => {
    expect(await problem(unpack, Buffer.from('#!/bin/sh\necho hello, I am no archive at all\n'))).toMatch(/^it does not begin like/);
    expect(await problem(unpack, Buffer.concat([packed.runs, Buffer.from('and more of it')]))).toMatch(/^it /);
  });

  test('an unpacker gives a bomb in pieces, and stops when nobody reads on', async () => {
    let largest = 0;
    let first = 0;
    for await (const piece of unpack(inPieces(packed.bomb, 64))) {
      largest = Math.max(largest, piece.length);
      if (++first === 3) break;
    }
    expect(largest).toBeLessThanOrEqual(64 * 1024);
    // The abandoned unpacker blocks no other.
    expect((await whole(unpack, packed.runs)).toString()).toBe(RUNS);
  });
});

describe('xz', () => {
  test('xz names what it does not take', async () => {
    expect(await problem(unxz, xz.sha256)).toContain('a checksum that is not taken');
    expect(await problem(unxz, xz.wide)).toContain('a dictionary of more than 64 MiB');
  });

  test('xz passes the error of its source on', async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield xz.runs.subarray(0, 50);
      throw new Error('the disk is gone');
    }
    const read = async () => {
      for await (const _ of unxz(failing()));
    };
    expect(read()).rejects.toThrow('the disk is gone');
    await read().catch(() => undefined);
    expect((await whole(unxz, xz.runs)).toString()).toBe(RUNS);
  });

  test('xz unpacks several files at once', async () => {
    const all = await Promise.all([xz.runs, xz.numbers, xz.runs.subarray(0, 60), xz.numbers].map(bytes => problem(unxz, bytes)));
    expect(all).toEqual([`${RUNS.length} bytes`, `${NUMBERS.length} bytes`, 'it is cut short', `${NUMBERS.length} bytes`]);
  });
});
