/** Archives that could harm a host: links, bombs, paths outside. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { aTar, aTgz, aZip, type TarEntry, type ZipEntry } from './archives.ts';
import { aJobDirectoryHost, anAppHost, anArtifactCache } from './artifact-setup.ts';
import { bz2, xz } from './packed.ts';

const limits = { entries: 100, unpackedBytes: 8 * 1024 ** 2, ratioFromBytes: 1024 ** 2 };
let jobs: Awaited<ReturnType<typeof aJobDirectoryHost>>;
let host: Awaited<ReturnType<typeof anAppHost>>;
let cache: Awaited<ReturnType<typeof anArtifactCache>>;
beforeEach(async () => {
  host = await anAppHost();
  cache = await anArtifactCache({ limits });
  jobs = await aJobDirectoryHost({ limits });
});
afterEach(async () => {
  await host.close();
  await cache.remove();
  await jobs.remove();
});

const verdict = async (path: string): Promise<string> => {
  const problem = await cache.prepare(host.url(path)).then(
    () => 'taken',
    error => error.code ?? error,
  );
  const apps = await readdir(join(cache.directory, 'copies'));
  const half = await readdir(join(cache.directory, 'tmp'));
  // Whatever happened: nothing half-made, nothing beside the folders and the index.
  expect(half).toEqual([]);
  expect(apps.length).toBe(problem === 'taken' ? 1 : 0);
  expect((await readdir(cache.directory)).filter(name => !['copies', 'entries', 'runs', 'tmp', 'index.json'].includes(name))).toEqual([]);
  const answer = host.files[path];
  if (answer instanceof Buffer) expect(await verdictAsJobFile(path, answer)).toBe(problem);
  return problem;
};

/** The same as the file of a job: what an app may not have, a job may not, and nothing is left. */
const verdictAsJobFile = async (path: string, bytes: Buffer): Promise<string> => {
  const file = jobs.upload(path.slice(path.lastIndexOf('/') + 1), bytes);
  const problem = await jobs.prepare(`verdict ${path}`, { job: 'verdict', file }).then(
    () => 'taken',
    error => error.code ?? error,
  );
  expect(await readdir(join(jobs.directory, '.tmp'))).toEqual([]);
  expect((await jobs.contents('verdict')).length).toBe(problem === 'taken' ? 1 : 0);
  await jobs.discard('verdict');
  return problem;
};

const file = (name: string, content = 'x'): TarEntry => ({ name, content });
/** A tar header with another size and a matching checksum. */
function withSize(header: Buffer, size: number): Buffer {
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  header.write(' '.repeat(8), 148, 'latin1');
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}
const zeros = Buffer.alloc(4 * 1024 ** 2);

describe('row 32: a tar archive', () => {
  const unsafe: [string, TarEntry[]][] = [
    ['a path that climbs out', [file('../evil')]],
    ['a path that climbs out from inside', [file('a/../../evil')]],
    ['an absolute path', [file('/tmp/evil')]],
    ['a drive letter', [file('C:/evil')]],
    ['backslashes that climb out', [file('..\\evil')]],
    ['a link out and a file through it', [{ name: 'l', type: 'symlink', linkname: '/tmp' }, file('l/evil')]],
    [
      'a link inside and a file through it',
      [{ name: 'd', type: 'directory' }, { name: 'l', type: 'symlink', linkname: 'd' }, file('l/evil')],
    ],
    ['a link to what is above', [{ name: 'l', type: 'symlink', linkname: '..' }]],
    [
      'a link that climbs out by way of another',
      [
        { name: 'a/b/l', type: 'symlink', linkname: '../..' },
        { name: 'm', type: 'symlink', linkname: 'a/b/l/..' },
      ],
    ],
    ['a link to nothing', [{ name: 'l', type: 'symlink', linkname: 'nowhere' }]],
    ['a link to itself', [{ name: 'l', type: 'symlink', linkname: 'l' }]],
    ['a hard link out', [{ name: 'h', type: 'link', linkname: '/etc/passwd' }]],
    ['a hard link that climbs out', [{ name: 'h', type: 'link', linkname: '../../etc/passwd' }]],
    ['a hard link to a link', [file('f'), { name: 'l', type: 'symlink', linkname: 'f' }, { name: 'h', type: 'link', linkname: 'l' }]],
    ['a file twice', [file('f'), file('f')]],
    ['a file twice in two spellings', [file('d/f'), file('./d//f')]],
    ['a file and a link of one name', [file('f'), { name: 'f', type: 'symlink', linkname: 'f' }]],
    ['a file where a directory is', [file('d/f'), file('d')]],
    ['two files that are one on some hosts', [file('README'), file('readme')]],
    ['a character device', [{ name: 'null', type: 'character-device' }]],
    ['a block device', [{ name: 'disk', type: 'block-device' }]],
    ['a FIFO', [{ name: 'pipe', type: 'fifo' }]],
    ['a setuid file', [{ ...file('su'), mode: 0o4755 }]],
    ['a setgid file', [{ ...file('sg'), mode: 0o2755 }]],
  ];
  test.each(unsafe)('a tar archive with %s is refused', async (_, entries) => {
    host.files['/app.tgz'] = await aTgz([file('first'), ...entries]);
    expect(await verdict('/app.tgz')).toBe('unsafe');
  });

  test('a tar archive with links that stay inside is taken', async () => {
    host.files['/app.tgz'] = await aTgz([
      { name: 'current', type: 'symlink', linkname: 'v1' },
      file('v1/bin/run', 'go'),
      { name: 'v1/bin/again', type: 'symlink', linkname: '../../current/bin/run' },
      { name: 'hard', type: 'link', linkname: 'v1/bin/run' },
      { name: 'v1/', type: 'directory' },
    ]);
    const { directory } = await cache.prepare(host.url('/app.tgz'));
    expect((await lstat(join(directory, 'current'))).isSymbolicLink()).toBe(true);
    for (const name of ['current/bin/again', 'hard']) expect(await readFile(join(directory, name), 'utf8')).toBe('go');
  });

  test('a tar archive that is a bomb is refused by its ratio, its bytes, its entries', async () => {
    host.files['/ratio.tgz'] = await aTgz([{ name: 'zeros', content: zeros }]);
    expect(await verdict('/ratio.tgz')).toBe('tooLarge');
    host.files['/bytes.tgz'] = await aTgz([0, 1, 2].map(n => ({ name: `zeros${n}`, content: zeros })));
    expect(await verdict('/bytes.tgz')).toBe('tooLarge');
    host.files['/entries.tgz'] = await aTgz(Array.from({ length: 101 }, (_, n) => file(`f${n}`)));
    expect(await verdict('/entries.tgz')).toBe('tooLarge');
    host.files['/deep.tgz'] = await aTgz([file(`${'d/'.repeat(101)}f`)]);
    expect(await verdict('/deep.tgz')).toBe('tooLarge');
  });

  const paxOf = (bytes: number): TarEntry => ({ ...file('f'), pax: { comment: 'c'.repeat(bytes) } });

  test('a tar archive with a giant extended header is refused before it is collected', async () => {
    host.files['/giant.tgz'] = await aTgz([file('first'), paxOf(2 * 1024 ** 2)]);
    expect(await verdict('/giant.tgz')).toBe('tooLarge');
    // The same in the other form, and one that never becomes whole.
    const long = await aTar([file('n'.repeat(120))]);
    const name = Buffer.alloc(512, 0);
    long.copy(name, 0, 0, 512);
    name.write('L', 156, 'latin1');
    host.files['/endless.tar'] = Buffer.concat([withSize(name, 3 * 1024 ** 2), Buffer.alloc(2 * 1024 ** 2, 'x')]);
    expect(await verdict('/endless.tar')).toBe('tooLarge');
  });

  test('a tar archive with extended headers of a usual length is taken', async () => {
    host.files['/app.tgz'] = await aTgz([{ ...file(`${'d'.repeat(200)}/${'f'.repeat(200)}`), pax: { comment: 'c'.repeat(60_000) } }]);
    expect(await verdict('/app.tgz')).toBe('taken');
  });

  test('a tar archive with headers that only together are too much is refused', async () => {
    await cache.remove();
    cache = await anArtifactCache({ limits: { headersBytes: 200_000 } });
    await jobs.remove();
    jobs = await aJobDirectoryHost({ limits: { headersBytes: 200_000 } });
    const many = (count: number) => Array.from({ length: count }, (_, n) => ({ ...paxOf(10_000), name: `f${n}` }));
    host.files['/many.tgz'] = await aTgz(many(30));
    expect(await verdict('/many.tgz')).toBe('tooLarge');
    host.files['/few.tgz'] = await aTgz(many(10));
    expect(await verdict('/few.tgz')).toBe('taken');
  });

  test('a tar archive that is cut short or broken is refused', async () => {
    const whole = await aTgz([{ name: 'f', content: Buffer.from(Array.from({ length: 50_000 }, (_, n) => (n * 7919) % 251)) }]);
    host.files['/cut.tgz'] = whole.subarray(0, whole.length / 2);
    expect(await verdict('/cut.tgz')).toBe('incomplete');
    host.files['/noise.tgz'] = Buffer.concat([whole.subarray(0, 40), Buffer.alloc(200, 0xaa)]);
    expect(await verdict('/noise.tgz')).toBe('incomplete');
  });

  test('a tar archive that is cut short anywhere is refused, also behind its last entry', async () => {
    const small = await aTgz([file('start.sh', '#!/bin/sh\n')]);
    for (let length = 0; length < small.length; length++) {
      host.files['/cut.tgz'] = small.subarray(0, length);
      expect([length, await verdict('/cut.tgz')]).toEqual([length, length < 2 ? 'unsupported' : 'incomplete']);
    }
  });
});

describe.each([
  ['/app.tar.bz2', bz2],
  ['/app.tbz2', bz2],
  ['/app.tbz', bz2],
  ['/app.tar.xz', xz],
  ['/app.TXZ', xz],
] as const)('the archive %s', (path, packed) => {
  const bad: [string, Buffer, string][] = [
    ['with a path that climbs out', packed.evil, 'unsafe'],
    ['that is a bomb', packed.bomb, 'tooLarge'],
    ['that is cut in half', packed.good.subarray(0, packed.good.length / 2), 'incomplete'],
    ['without its last byte', packed.good.subarray(0, -1), 'incomplete'],
    ['with something behind it', Buffer.concat([packed.good, Buffer.from('something')]), 'incomplete'],
    [
      'with a byte that changed',
      Buffer.concat([packed.good.subarray(0, 60), Buffer.alloc(8, 0xaa), packed.good.subarray(68)]),
      'incomplete',
    ],
    ['that holds no tar archive', packed.runs, 'incomplete'],
    ['that is something else', Buffer.from('#!/bin/sh\n'), 'unsupported'],
    ['that is empty', Buffer.alloc(0), 'unsupported'],
  ];
  test.each(bad)('an archive %s is refused', async (_, bytes, code) => {
    host.files[path] = bytes;
    expect(await verdict(path)).toBe(code);
  });

  test('an archive is taken, and so is its content behind a name without a suffix', async () => {
    for (const name of [path, '/latest']) {
      host.files[name] = packed.good;
      const { directory } = await cache.prepare(host.url(name));
      expect(await readFile(join(directory, 'bin/start.sh'), 'utf8')).toBe('#!/bin/sh\necho go\n');
      expect((await lstat(join(directory, 'bin/start.sh'))).mode & 0o111).not.toBe(0);
    }
  });
});

describe('a gzipped file', () => {
  test('a gzipped file is the file, under its name without the suffix and ready to run', async () => {
    host.files['/jobs/nightly.sh.gz'] = gzipSync('#!/bin/sh\n');
    const { directory, script } = await cache.prepare(host.url('/jobs/nightly.sh.gz'));
    expect(script).toBe('nightly.sh');
    expect(await readFile(join(directory, 'nightly.sh'), 'utf8')).toBe('#!/bin/sh\n');
    expect((await lstat(join(directory, 'nightly.sh'))).mode & 0o111).toBe(0o111);
  });

  test.each([
    ['that is a bomb', gzipSync(zeros), 'tooLarge'],
    ['that is cut short', gzipSync('#!/bin/sh\n').subarray(0, -3), 'incomplete'],
    ['with a byte that changed', Buffer.concat([gzipSync('x'.repeat(500)).subarray(0, 12), Buffer.alloc(9, 0xaa)]), 'incomplete'],
    ['that is none', Buffer.from('#!/bin/sh\n'), 'unsupported'],
  ])('a gzipped file %s is refused', async (_, bytes, code) => {
    host.files['/run.sh.gz'] = bytes;
    expect(await verdict('/run.sh.gz')).toBe(code);
  });
});

describe('row 32: a zip archive', () => {
  const entry = (name: string, more: Partial<ZipEntry> = {}): ZipEntry => ({ name, content: 'x', ...more });
  const bad: [string, ZipEntry[], string][] = [
    ['a path that climbs out', [entry('../evil')], 'unsafe'],
    ['an absolute path', [entry('/tmp/evil')], 'unsafe'],
    ['a drive letter', [entry('C:\\evil')], 'unsafe'],
    ['a NUL in a name', [entry('a\0.sh')], 'unsafe'],
    ['a link out', [entry('l', { mode: 0o120777, content: '/etc' })], 'unsafe'],
    ['a link and a file through it', [entry('l', { mode: 0o120777, content: 'd' }), entry('d/f'), entry('l/evil')], 'unsafe'],
    ['a file twice', [entry('f'), entry('f')], 'unsafe'],
    ['two files that are one on some hosts', [entry('É'), entry('é')], 'unsafe'],
    ['a device', [entry('null', { mode: 0o020666 })], 'unsafe'],
    ['a FIFO', [entry('pipe', { mode: 0o010666 })], 'unsafe'],
    ['a setuid file', [entry('su', { mode: 0o104755 })], 'unsafe'],
    ['two names for one entry', [entry('good', { localName: 'evil' })], 'unsafe'],
    ['entries that share bytes', [entry('f'), entry('f', { name: 'f', sharesWith: 0 })], 'unsafe'],
    ['more bytes than it says', [entry('f', { content: 'many', size: 1 })], 'unsafe'],
    ['a checksum that does not hold', [entry('f', { crc: 1 })], 'incomplete'],
    ['a secret', [entry('f', { encrypted: true })], 'unsupported'],
    ['a bomb', [entry('zeros', { content: zeros })], 'tooLarge'],
    ['too many entries', Array.from({ length: 101 }, (_, n) => entry(`f${n}`)), 'tooLarge'],
  ];
  test.each(bad)('a zip archive with %s is refused', async (_, entries, code) => {
    host.files['/app.zip'] = aZip(entries);
    expect(await verdict('/app.zip')).toBe(code);
  });

  test('a zip archive with backslashes made elsewhere is taken', async () => {
    host.files['/app.zip'] = aZip([entry('bin\\start.sh', { content: 'go' })]);
    const { directory } = await cache.prepare(host.url('/app.zip'));
    expect(await readFile(join(directory, 'bin/start.sh'), 'utf8')).toBe('go');
  });

  test('a zip archive with a list that is too long is refused', async () => {
    await cache.remove();
    cache = await anArtifactCache({ limits: { headersBytes: 4_000 } });
    await jobs.remove();
    jobs = await aJobDirectoryHost({ limits: { headersBytes: 4_000 } });
    host.files['/app.zip'] = aZip(Array.from({ length: 60 }, (_, n) => entry(`f${n}`.padEnd(200, '-'))));
    expect(await verdict('/app.zip')).toBe('tooLarge');
  });

  test('a zip archive leaves no file open, taken or refused', async () => {
    const openFiles = async () => (await readdir('/proc/self/fd')).length;
    host.files['/good.zip'] = aZip([entry('f'), entry('g')]);
    host.files['/bad.zip'] = aZip([entry('f', { content: zeros }), entry('l', { mode: 0o120777, content: '/etc' })]);
    await cache.prepare(host.url('/good.zip'));
    const before = await openFiles();
    for (let version = 2; version < 8; version++) {
      await cache.prepare(host.url('/good.zip'), { version });
      await cache.prepare(host.url('/bad.zip'), { version }).catch(() => undefined);
    }
    expect(await openFiles()).toBeLessThanOrEqual(before + 3);
  });

  test('a zip archive that is cut short is refused', async () => {
    const whole = aZip([entry('f'), entry('g')]);
    host.files['/app.zip'] = whole.subarray(0, whole.length - 30);
    expect(await verdict('/app.zip')).toBe('incomplete');
  });
});
