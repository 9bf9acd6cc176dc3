/**
 * Each run has its own files of an app: for every isolation of a host, every write of a run and
 * every kill.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { appendFileSync, chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IsolationMethod } from '../../src/agent/artifacts/app-directories.ts';
import { openMounts } from '../../src/agent/artifacts/mounts.ts';
import { tempDir } from '../support/temp-dir.ts';
import { aTgz, aZip } from './archives.ts';
import { anAppHost, anArtifactCache } from './artifact-setup.ts';

let host: Awaited<ReturnType<typeof anAppHost>>;
beforeAll(async () => {
  host = await anAppHost();
});
afterAll(() => host.close());

const probe = tempDir('mounts');
const mounts = await openMounts(probe);
rmSync(probe, { recursive: true, force: true });
/** Nothing is too small to be mounted. */
const limits = { smallEntries: 0 };
const overlay: IsolationMethod | undefined = mounts && { isolation: 'overlay', mounts };
if (!overlay) console.warn('overlays cannot be mounted here: what a host with overlays does is not shown');
const all: [string, IsolationMethod, string][] = [
  ['copy', { isolation: 'copy' }, 'a copy'],
  ['clone', { isolation: 'clone' }, 'a copy that shares blocks where it can'],
  ...(overlay ? [['overlay', overlay, 'an overlay'] as [string, IsolationMethod, string]] : []),
];

const archive = () =>
  aTgz([
    { name: 'bin/run.sh', mode: 0o755, content: 'echo packed\n' },
    { name: 'data.txt', mode: 0o644, content: 'one\n' },
    { name: 'etc/key', mode: 0o600, content: 'secret' },
    { name: 'bin/again', type: 'symlink', linkname: 'run.sh' },
  ]);

let cache: Awaited<ReturnType<typeof anArtifactCache>>;
afterEach(async () => {
  host.asked.length = 0;
  for (const at of mounts?.below(cache.directory) ?? []) mounts?.unmount(at);
  await cache.remove();
});
const modeOf = (path: string) => lstatSync(path).mode & 0o7777;
const runs = () => readdirSync(join(cache.directory, 'runs'));
const text = (path: string) => readFileSync(path, 'utf8');

describe.each(all)('an app on a host with %s', (name, method, what) => {
  test(`an app gives each run ${what}: a write of one run is invisible to the others`, async () => {
    host.files['/app.tgz'] = await archive();
    cache = await anArtifactCache({ method, limits });
    const apps = [];
    for (const run of ['e1:0:1', 'e1:1:1', 'e2:0:1']) {
      const app = await cache.prepare(host.url('/app.tgz'), { run, execution: run.slice(0, 2) });
      expect(text(join(app.directory, 'data.txt'))).toBe('one\n');
      expect(text(join(app.directory, 'bin/again'))).toBe('echo packed\n');
      expect(readdirSync(app.directory).sort()).toEqual(['bin', 'data.txt', 'etc']);
      appendFileSync(join(app.directory, 'data.txt'), 'more\n');
      writeFileSync(join(app.directory, 'bin/run.sh'), 'echo replaced\n');
      rmSync(join(app.directory, 'etc/key'));
      mkdirSync(join(app.directory, 'fresh'));
      expect(app.note).toBeUndefined();
      apps.push(app.directory);
    }
    expect(new Set(apps).size).toBe(3);
    expect(host.asked.filter(path => path === '/app.tgz')).toHaveLength(1);
    expect(mounts?.below(cache.directory) ?? []).toHaveLength(name === 'overlay' ? 3 : 0);
    for (const run of ['e1:0:1', 'e1:1:1', 'e2:0:1']) await cache.artifacts.release(run, undefined);
    expect([runs(), mounts?.below(cache.directory) ?? []]).toEqual([[], []]);
    // Releasing twice, or an unknown directory.
    await cache.artifacts.release('e2:0:1', 'e2');
  });

  test('an app directory has the packed modes, never wider, whatever the umask', async () => {
    host.files['/modes.tgz'] = await aTgz([
      { name: 'home', type: 'directory', mode: 0o700 },
      { name: 'home/key', mode: 0o600, content: 'k' },
      { name: 'home/read', mode: 0o444, content: 'r' },
      { name: 'tool', mode: 0o755, content: 't' },
      { name: 'locked', type: 'directory', mode: 0o555 },
      { name: 'locked/file', mode: 0o640, content: 'f' },
    ]);
    host.files['/modes.zip'] = aZip([
      { name: 'home/', mode: 0o40700 },
      { name: 'home/key', mode: 0o100600, content: 'k' },
      { name: 'home/read', mode: 0o100444, content: 'r' },
      { name: 'tool', mode: 0o100755, content: 't' },
      { name: 'locked/', mode: 0o40555 },
      { name: 'locked/file', mode: 0o100640, content: 'f' },
    ]);
    const before = process.umask(0o077);
    try {
      cache = await anArtifactCache({ method, limits });
      for (const path of ['/modes.tgz', '/modes.zip']) {
        const { directory } = await cache.prepare(host.url(path), { run: path });
        const modes = ['home', 'home/key', 'home/read', 'tool', 'locked', 'locked/file'].map(each =>
          modeOf(join(directory, each)).toString(8),
        );
        expect([path, ...modes]).toEqual([path, '700', '600', '444', '755', '555', '640']);
        expect(modeOf(directory)).toBe(0o755);
        await cache.artifacts.release(path, 'e1');
      }
    } finally {
      process.umask(before);
    }
  });

  test('the app directories that a killed agent left are deleted, except those of living runs', async () => {
    host.files['/app.tgz'] = await archive();
    cache = await anArtifactCache({ method, limits });
    const [gone, stays] = [
      await cache.prepare(host.url('/app.tgz'), { run: 'gone' }),
      await cache.prepare(host.url('/app.tgz'), { run: 'stays' }),
    ];
    writeFileSync(join(stays.directory, 'written'), 'here');
    cache.reopen();
    // A start that comes at the same time is not taken for something that was left.
    const [, fresh] = await Promise.all([cache.artifacts.sweep(['stays']), cache.prepare(host.url('/app.tgz'), { run: 'fresh' })]);
    expect(existsSync(gone.directory)).toBe(false);
    expect(text(join(stays.directory, 'written'))).toBe('here');
    expect(text(join(fresh.directory, 'data.txt'))).toBe('one\n');
    expect(runs()).toHaveLength(2);
    for (const run of ['stays', 'fresh']) await cache.artifacts.release(run, 'e1');
    expect([runs(), mounts?.below(cache.directory) ?? []]).toEqual([[], []]);
  });

  test('an app is fetched and unpacked anew when its unpacked files were changed', async () => {
    host.files['/app.tgz'] = await archive();
    cache = await anArtifactCache({ method, limits });
    const copies = join(cache.directory, 'copies');
    await cache.prepare(host.url('/app.tgz'), { run: 'r0' });
    const newest = () => readdirSync(copies).sort().at(-1) ?? '';
    const damage: [string, () => void][] = [
      ['content', () => writeFileSync(join(copies, newest(), 'bin/run.sh'), 'echo evil  \n')],
      ['another file', () => writeFileSync(join(copies, newest(), 'bin/more'), 'x')],
      ['a file less', () => rmSync(join(copies, newest(), 'etc/key'))],
      ['a wider mode', () => chmodSync(join(copies, newest(), 'etc/key'), 0o644)],
    ];
    host.asked.length = 0;
    for (const [at, [, change]] of damage.entries()) {
      change();
      const app = await cache.prepare(host.url('/app.tgz'), { run: `r${at + 1}`, execution: `r${at + 1}` });
      expect(app.note).toContain('was changed');
      expect([text(join(app.directory, 'bin/run.sh')), modeOf(join(app.directory, 'etc/key'))]).toEqual(['echo packed\n', 0o600]);
      expect((await cache.prepare(host.url('/app.tgz'), { run: `s${at}`, execution: `s${at}` })).note).toBeUndefined();
    }
    expect(host.asked).toHaveLength(damage.length);
    // The first check after a start reads everything, so it finds changes of the time before.
    cache.reopen();
    writeFileSync(join(copies, newest(), 'data.txt'), 'two\n');
    expect((await cache.prepare(host.url('/app.tgz'), { run: 'last', execution: 'last' })).note).toContain('was changed');
    for (let at = 0; at <= damage.length; at++) for (const kind of ['r', 's']) await cache.artifacts.release(`${kind}${at}`, 'e1');
    await cache.artifacts.release('last', 'e1');
    await cache.clock.advance(120_000);
    await cache.artifacts.sweep([]);
    expect(readdirSync(copies)).toHaveLength(1);
  });
});

describe('an app that is too large to be copied for each run', () => {
  test('an app that is too large to be copied for each run is shared read-only, reports it, and is unpacked anew beside what still runs when it was changed', async () => {
    host.files['/app.tgz'] = await archive();
    cache = await anArtifactCache({ method: { isolation: 'copy' }, limits: { copyBytesMax: 10 } });
    const first = await cache.prepare(host.url('/app.tgz'), { run: 'a' });
    expect(first.note).toBe('the app is shared by its runs on this host: it has more than 10 bytes or 5000 entries');
    expect(['', 'bin/run.sh', 'data.txt', 'etc/key'].map(path => modeOf(join(first.directory, path)).toString(8))).toEqual([
      '555',
      '555',
      '444',
      '400',
    ]);
    expect((await cache.prepare(host.url('/app.tgz'), { run: 'b' })).directory).toBe(first.directory);
    chmodSync(join(first.directory, 'data.txt'), 0o644);
    appendFileSync(join(first.directory, 'data.txt'), 'two\n');
    const next = await cache.prepare(host.url('/app.tgz'), { run: 'c' });
    expect(next.note).toStartWith(
      'the app on this host was changed by another process; it is fetched and unpacked anew; the app is shared',
    );
    expect([text(join(next.directory, 'data.txt')), text(join(first.directory, 'data.txt'))]).toEqual(['one\n', 'one\ntwo\n']);
  });

  test('an app that is too large to be copied for each run is copied all the same where the file system clones', async () => {
    host.files['/app.tgz'] = await archive();
    cache = await anArtifactCache({ method: { isolation: 'clone' }, limits: { copyBytesMax: 10 } });
    expect((await cache.prepare(host.url('/app.tgz'))).note).toBeUndefined();
    await cache.remove();
    cache = await anArtifactCache({ method: { isolation: 'clone' }, limits: { copyEntriesMax: 2 } });
    expect((await cache.prepare(host.url('/app.tgz'))).note).toBe('the app is shared by its runs on this host: it has more than 2 entries');
  });

  test('an app that is too large to be copied for each run is not copied beyond what all runs may take together, and is when some have ended', async () => {
    host.files['/app.tgz'] = await archive();
    cache = await anArtifactCache({ method: { isolation: 'copy' }, limits: { copiesBytesMax: 50 } });
    for (const run of ['a', 'b']) await cache.prepare(host.url('/app.tgz'), { run });
    const problem = await cache.prepare(host.url('/app.tgz'), { run: 'c' }).catch(error => error);
    expect([problem.code, problem.transient, problem.message]).toEqual([
      'disk',
      true,
      'copies of apps for the runs on this host take more than 50 bytes together',
    ]);
    expect(runs()).toHaveLength(2);
    await cache.artifacts.release('c', undefined);
    await cache.artifacts.release('a', undefined);
    await cache.prepare(host.url('/app.tgz'), { run: 'c' });
  });
});

describe('a disk that is full', () => {
  test.if(process.getuid?.() === 0)(
    'a full disk fails the run that finds no room for its copy, leaves nothing of it, and takes it when there is room',
    async () => {
      const directory = tempDir('small-disk');
      expect(Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', 'size=1536k', 'troupe-test', directory]).exitCode).toBe(0);
      try {
        const noise = (seed: number) => Buffer.from(Uint8Array.from({ length: 100_000 }, (_, at) => (at * seed * 2_654_435_761) >>> 11));
        host.files['/app.tgz'] = await aTgz([1, 2, 3, 4].map(seed => ({ name: `f${seed}`, content: noise(seed) })));
        cache = await anArtifactCache({ directory, method: { isolation: 'copy' } });
        await cache.prepare(host.url('/app.tgz'), { run: 'a' });
        await cache.prepare(host.url('/app.tgz'), { run: 'b' });
        const problem = await cache.prepare(host.url('/app.tgz'), { run: 'c' }).catch(error => error);
        expect([problem.code, problem.transient]).toEqual(['disk', true]);
        expect(problem.message).toContain('the disk of this host does not take the app');
        expect(runs()).toHaveLength(2);
        await cache.artifacts.release('c', undefined);
        await cache.artifacts.release('a', undefined);
        expect(readdirSync((await cache.prepare(host.url('/app.tgz'), { run: 'c' })).directory)).toHaveLength(4);
      } finally {
        Bun.spawnSync(['umount', '-l', directory]);
      }
    },
  );
});

describe('a host that may mount', () => {
  test.if(overlay !== undefined)(
    'a host that may mount copies what is small, and all of it where the keeper would not see the mount',
    async () => {
      host.files['/app.tgz'] = await archive();
      let mayMount = true;
      cache = await anArtifactCache({ method: { ...(overlay as IsolationMethod), mayMount: () => mayMount } });
      await cache.prepare(host.url('/app.tgz'), { run: 'small' });
      expect(mounts?.below(cache.directory)).toEqual([]);
      await cache.remove();
      cache = await anArtifactCache({ method: { ...(overlay as IsolationMethod), mayMount: () => mayMount }, limits });
      await cache.prepare(host.url('/app.tgz'), { run: 'a' });
      mayMount = false;
      await cache.prepare(host.url('/app.tgz'), { run: 'b' });
      expect(mounts?.below(cache.directory)).toHaveLength(1);
    },
  );

  test.if(overlay !== undefined)('a host that may mount mounts below a path with every character that mount options escape', async () => {
    host.files['/app.tgz'] = await archive();
    const directory = join(tempDir('odd'), 'a b,c:d\\e');
    mkdirSync(directory);
    cache = await anArtifactCache({ method: overlay as IsolationMethod, limits, directory });
    const { directory: app } = await cache.prepare(host.url('/app.tgz'), { run: 'a' });
    expect(mounts?.below(directory)).toEqual([app]);
    await cache.artifacts.release('a', 'e1');
    expect(mounts?.below(directory)).toEqual([]);
  });
});
