/**
 * What an app host sends, and what is made of it: formats that are known by their content,
 * encodings, credentials, scripts of other systems.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { aTar, aTgz, aZip } from './archives.ts';
import { anAppHost, anArtifactCache } from './artifact-setup.ts';
import { bz2, xz } from './packed.ts';

let host: Awaited<ReturnType<typeof anAppHost>>;
let cache: Awaited<ReturnType<typeof anArtifactCache>>;
beforeAll(async () => {
  host = await anAppHost();
});
afterAll(() => host.close());
beforeEach(async () => {
  cache = await anArtifactCache();
});
afterEach(() => cache.remove());

const entries = [{ name: 'go.sh', mode: 0o755, content: 'go' }];
const unpacked = async (path: string) => readdirSync((await cache.prepare(host.url(path))).directory).sort();
const problemOf = (path: string) =>
  cache.prepare(host.url(path)).then(
    () => undefined,
    problem => ({ code: problem.code, message: problem.message, transient: problem.transient }),
  );

/** The mark of ustar and all behind it taken out, as the tar of Unix v7 writes. */
function asV7(tar: Buffer): Buffer {
  const old = Buffer.from(tar);
  for (let at = 0; at + 512 <= old.length; at += 512) {
    if (old.toString('latin1', at + 257, at + 262) !== 'ustar') continue;
    old.fill(0, at + 257, at + 512);
    old.fill(' ', at + 148, at + 156);
    const sum = old.subarray(at, at + 512).reduce((all, byte) => all + byte, 0);
    old.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
  }
  return old;
}

describe('an archive', () => {
  test('an archive of tar --format=v7 is a tar, by name and by content', async () => {
    host.files['/old.tar'] = asV7(await aTar([...entries, { name: 'd/', mode: 0o750, type: 'directory' }]));
    host.files['/latest'] = host.files['/old.tar'];
    expect(await unpacked('/old.tar')).toEqual(['d', 'go.sh']);
    expect(await unpacked('/latest')).toEqual(['d', 'go.sh']);
    host.files['/broken.tar'] = Buffer.from(host.files['/old.tar'] as Buffer).fill('x', 0, 3);
    expect((await problemOf('/broken.tar'))?.message).toContain('is named like a tar archive and is none');
  });

  test.each(['/app-1.2', '/app-1.2.3-rc.1', '/app.v2', '/tool-1.0.SNAPSHOT', '/download', '/app-1.2?x=y.zip'])(
    'an archive under the name %p, which has no suffix, is known by its content',
    async path => {
      for (const archive of [
        await aTar(entries),
        await aTgz(entries),
        xz.good,
        bz2.good,
        aZip([{ name: 'go.sh', mode: 0o100755, content: 'go' }]),
      ]) {
        await cache.remove();
        cache = await anArtifactCache();
        host.files[path] = archive;
        expect(await unpacked(path)).not.toContain(path.slice(1));
      }
      await cache.remove();
      cache = await anArtifactCache();
      host.files[path] = gzipSync('#!/bin/sh\necho packed alone\n');
      const { directory, script } = await cache.prepare(host.url(path));
      expect(readFileSync(join(directory, script ?? ''), 'utf8')).toBe('#!/bin/sh\necho packed alone\n');
    },
  );

  test.each(['/tool.jar', '/data.bin', '/report.docx'])('an archive under the name %p stays one file', async path => {
    host.files[path] = aZip([{ name: 'go.sh', mode: 0o100755, content: 'go' }]);
    expect(await unpacked(path)).toEqual([path.slice(1)]);
  });
});

describe('a sparse file of GNU tar', () => {
  const whole = Buffer.concat([Buffer.alloc(5_000), Buffer.from('middle'), Buffer.alloc(94_000), Buffer.from('end'), Buffer.alloc(991)]);
  const size = whole.length;
  const spans = [
    [5_000, 6],
    [99_006, 3],
    [size, 0],
  ];
  const data = Buffer.from('middleend');
  const named = { 'GNU.sparse.name': 'd/data.bin', 'GNU.sparse.realsize': String(size), 'GNU.sparse.size': String(size) };
  const inFront = (lines: (number | string)[]) => {
    const map = `${lines.join('\n')}\n`;
    return Buffer.concat([Buffer.from(map.padEnd(Math.ceil(map.length / 512) * 512, '\0')), data]);
  };
  const version1 = { ...named, 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0' };
  const sparse = async (pax: Record<string, string>, content: Buffer) =>
    aTgz([{ name: 'GNUSparseFile.7/data.bin', mode: 0o600, pax, content }]);

  test('a sparse file of GNU tar is unpacked whole under its own name, with the map in front or in the header', async () => {
    host.files['/1.0.tgz'] = await sparse(version1, inFront([spans.length, ...spans.flat()]));
    host.files['/0.1.tgz'] = await sparse({ ...named, 'GNU.sparse.map': spans.flat().join(',') }, data);
    for (const path of ['/1.0.tgz', '/0.1.tgz']) {
      const { directory } = await cache.prepare(host.url(path));
      expect(readdirSync(directory)).toEqual(['d']);
      expect(readFileSync(join(directory, 'd/data.bin')).equals(whole)).toBe(true);
    }
  });

  test.each([
    ['a map without end', version1, inFront([4, ...spans.flat()]), 'incomplete'],
    ['a map of letters', version1, inFront(['x']), 'incomplete'],
    ['a number that is too long', version1, inFront(['9'.repeat(30)]), 'incomplete'],
    ['a map that goes backwards', version1, inFront([2, 50, 6, 20, 3]), 'incomplete'],
    ['more data than its map says', version1, inFront([1, 50, 6]), 'incomplete'],
    ['less data than its map says', version1, inFront([1, 50, 60]), 'incomplete'],
    ['a size that bursts', { ...version1, 'GNU.sparse.realsize': String(2 ** 40) }, inFront([spans.length, ...spans.flat()]), 'tooLarge'],
    ['the format 0.0', { 'GNU.sparse.size': '9', 'GNU.sparse.numblocks': '1' }, data, 'unsupported'],
  ] as [string, Record<string, string>, Buffer, string][])('a sparse file of GNU tar with %s is refused', async (_, pax, content, code) => {
    host.files['/bad.tgz'] = await sparse(pax, content);
    expect(await problemOf('/bad.tgz')).toMatchObject({ code, transient: false });
    expect(readdirSync(join(cache.directory, 'copies'))).toEqual([]);
  });
});

describe('Content-Encoding', () => {
  const sent = (path: string, body: Buffer, encoding: string) => {
    host.files[path] = (_, response) => response.writeHead(200, { 'content-encoding': encoding, 'content-length': body.length }).end(body);
  };
  const script = '#!/bin/sh\necho hi\n';

  test.each([
    ['gzip', gzipSync(script)],
    ['x-gzip', gzipSync(script)],
    ['deflate', deflateSync(script)],
    ['br', brotliCompressSync(script)],
    ['identity', Buffer.from(script)],
    ['deflate, gzip', gzipSync(deflateSync(script))],
  ])('Content-Encoding %s of a plain script is undone, and the digest is that of the script', async (encoding, body) => {
    sent('/run.sh', body, encoding);
    const { createHash } = await import('node:crypto');
    const sha256 = createHash('sha256').update(script).digest('hex');
    const { directory } = await cache.prepare(host.url('/run.sh'), { sha256 });
    expect(readFileSync(join(directory, 'run.sh'), 'utf8')).toBe(script);
  });

  test('Content-Encoding gzip of a file that is packed by its name is the file itself', async () => {
    for (const path of ['/app.tar.gz', '/app.tgz']) {
      sent(path, await aTgz(entries), 'gzip');
      expect(await unpacked(path)).toEqual(['go.sh']);
    }
    sent('/run.sh.gz', gzipSync(script), 'gzip');
    expect(await unpacked('/run.sh.gz')).toEqual(['run.sh']);
  });

  test('Content-Encoding of another kind, or that does not fit the bytes, is refused with the reason; a bomb is too large', async () => {
    sent('/a.sh', Buffer.from('x'), 'zstd');
    expect((await problemOf('/a.sh'))?.message).toContain('Content-Encoding zstd');
    sent('/b.sh', Buffer.from('no gzip at all'), 'gzip');
    expect(await problemOf('/b.sh')).toMatchObject({ code: 'incomplete', transient: false });
    await cache.remove();
    cache = await anArtifactCache({ limits: { downloadBytes: 100_000 } });
    sent('/c.sh', gzipSync(Buffer.alloc(10_000_000)), 'gzip');
    expect(await problemOf('/c.sh')).toMatchObject({ code: 'tooLarge' });
  });
});

describe('credentials in an address', () => {
  test.each([
    ['user:50%off', 'user:50%off'],
    ['u%40b:p%2Fw', 'u@b:p/w'],
    ['us%er:100%25', 'us%er:100%'],
    ['token:', 'token:'],
  ])('the credentials %p in an address are sent as %p', async (written, meant) => {
    const seen: (string | undefined)[] = [];
    host.files['/run.sh'] = (request, response) => {
      seen.push(request.headers.authorization);
      response.end('x');
    };
    await cache.prepare(host.url('/run.sh').replace('//', `//${written}@`));
    expect(seen).toEqual([`Basic ${Buffer.from(meant).toString('base64')}`]);
  });
});
