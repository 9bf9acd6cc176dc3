/** Directories of jobs: made once, kept from run to run, of one job each, removed when unused. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { dirname, join } from 'node:path';
import { someBytes } from '../support/store-contract/files.ts';
import { tempDir } from '../support/temp-dir.ts';
import { aTgz } from './archives.ts';
import { aJobDirectoryHost } from './artifact-setup.ts';

const DAY_MS = 86_400_000;
const MB = 1024 ** 2;

let host: Awaited<ReturnType<typeof aJobDirectoryHost>>;
beforeEach(async () => {
  host = await aJobDirectoryHost();
  await host.directories.settle(new Set());
});
afterEach(() => host.remove());

const archive = (content = 'packed') =>
  aTgz([
    { name: 'bin/start.sh', mode: 0o755, content: '#!/bin/sh\n' },
    { name: 'data', content },
  ]);
const read = (directory: string, name: string) => readFileSync(join(directory, name), 'utf8');
const write = (directory: string, name: string, text: string | Buffer) => writeFileSync(join(directory, name), text);
/** One run that leaves a file. */
async function runThatLeaves(name: string, wanted: Parameters<typeof host.prepare>[1], run = name): Promise<string> {
  const directory = await host.prepare(run, wanted);
  write(directory, name, 'left');
  await host.directories.release(run);
  return directory;
}

describe('the directory of a job', () => {
  test('the directory of a job has its archive, and what earlier runs left', async () => {
    const file = host.upload('app.tar.gz', await archive());
    const first = await host.prepare('r1', { file });
    expect(read(first, 'data')).toBe('packed');
    expect(lstatSync(join(first, 'bin/start.sh')).mode & 0o777).toBe(0o755);
    write(first, 'data', 'changed');
    write(first, 'left', 'by r1');
    await host.directories.release('r1');
    const second = await host.prepare('r2', { file, asOf: 5 });
    expect([second, read(second, 'data'), read(second, 'left')]).toEqual([first, 'changed', 'by r1']);
    expect(host.center.asked).toHaveLength(1);
  });

  test('the directory of a job begins empty where the job has no file, and is kept, too', async () => {
    const first = await host.prepare('r1');
    expect(readdirSync(first)).toEqual([]);
    expect(dirname(first)).toEndWith('/j1/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    write(first, 'left', 'by r1');
    await host.directories.release('r1');
    expect(read(await host.prepare('r2'), 'left')).toBe('by r1');
    expect(host.center.asked).toEqual([]);
  });

  test('a file that is no archive lies in the directory of the job under its name', async () => {
    const directory = await host.prepare('r1', { file: host.upload('report.sh', Buffer.from('#!/bin/sh\n')) });
    expect(readdirSync(directory)).toEqual(['report.sh']);
    expect(lstatSync(join(directory, 'report.sh')).mode & 0o777).toBe(0o755);
    const empty = await host.prepare('r2', { job: 'j2', file: host.upload('empty.txt', Buffer.alloc(0)) });
    expect(readdirSync(empty)).toEqual(['empty.txt']);
  });

  test('no two jobs share a directory, with the same file or with none', async () => {
    const file = host.upload('app.tar.gz', await archive());
    for (const same of [file, null]) {
      write(await host.prepare('r1', { job: 'j1', file: same }), 'left', 'by j1');
      expect(existsSync(join(await host.prepare('r2', { job: 'j2', file: same }), 'left'))).toBe(false);
    }
  });

  test('the id of a job cannot lead out of the place of the directories', async () => {
    for (const job of ['../../elsewhere', '.tmp', '..', '', 'a/b']) {
      const directory = await host.prepare('r1', { job });
      expect(directory).toStartWith(`${host.directory}/`);
      expect(directory.slice(host.directory.length).split('/')).toHaveLength(4);
    }
  });

  test('an archive whose root forbids writes is a directory that runs can write into', async () => {
    const file = host.upload('app.tgz', await aTgz([{ name: './', type: 'directory', mode: 0o555 }]));
    const directory = await host.prepare('r1', { file });
    expect(lstatSync(directory).mode & 0o777).toBe(0o755);
  });

  test('two names of one archive are one directory, two names of another file are two', async () => {
    const tgz = host.upload('a.tar.gz', await archive());
    const one = await host.prepare('r1', { file: tgz });
    expect(await host.prepare('r2', { file: { ...tgz, name: 'b.tgz' } })).toBe(one);
    const script = host.upload('a.sh', Buffer.from('#!/bin/sh\n'));
    await host.prepare('r3', { file: script });
    expect(readdirSync(await host.prepare('r4', { file: { ...script, name: 'b.sh' } }))).toEqual(['b.sh']);
  });

  test.skipIf(process.getuid?.() !== 0)('the directory of a job belongs to the user of its runs, and each user has one', async () => {
    const file = host.upload('app.tgz', await archive());
    for (const wanted of [{ file }, { file: null }]) {
      const directory = await host.prepare('r1', { ...wanted, owner: { uid: 65_534, gid: 65_534 } });
      for (const name of readdirSync(directory, { recursive: true })) expect(lstatSync(join(directory, String(name))).uid).toBe(65_534);
      expect(lstatSync(directory).uid).toBe(65_534);
      // The way there is open to pass through.
      for (let at = dirname(directory); at.startsWith(host.directory); at = dirname(at)) expect(lstatSync(at).mode & 0o777).toBe(0o711);
      expect(await host.prepare('r2', { ...wanted, asOf: 1 })).not.toBe(directory);
      await host.directories.release('r1');
      await host.directories.sweep();
      expect(existsSync(directory)).toBe(true);
    }
  });

  test('a directory that was deleted by hand is made anew', async () => {
    const file = host.upload('app.tgz', await archive());
    const directory = await runThatLeaves('left', { file });
    rmSync(directory, { recursive: true });
    expect(readdirSync(await host.prepare('r2', { file })).sort()).toEqual(['bin', 'data']);
    await host.discard('j1');
    const both = await Promise.all(['r3', 'r4'].map(run => host.prepare(run, { file })));
    expect(both).toEqual([directory, directory]);
    expect(readdirSync(directory).sort()).toEqual(['bin', 'data']);
  });
});

describe('new content of a job', () => {
  test('new content begins with a new directory, and the old one goes when no run uses it', async () => {
    const a = host.upload('app.tgz', await archive('a'));
    const b = host.upload('app.tgz', await archive('b'));
    const old = await host.prepare('r1', { file: a, asOf: 10 });
    const directory = await host.prepare('r2', { file: b, asOf: 20 });
    expect([read(old, 'data'), read(directory, 'data')]).toEqual(['a', 'b']);
    await host.directories.sweep();
    expect(existsSync(old)).toBe(true);
    await host.directories.release('r1');
    await host.directories.sweep();
    expect(existsSync(old)).toBe(false);
    expect(await host.contents('j1')).toHaveLength(1);
    await host.directories.release('r2');
    await host.directories.sweep();
    expect(read(directory, 'data')).toBe('b');
  });

  test('a run of an older execution takes nothing from the present content', async () => {
    const a = host.upload('app.tgz', await archive('a'));
    const b = host.upload('app.tgz', await archive('b'));
    const directory = await runThatLeaves('left', { file: b, asOf: 20 });
    const old = await host.prepare('again', { file: a, asOf: 10 });
    expect(read(old, 'data')).toBe('a');
    await host.directories.sweep();
    expect([read(directory, 'left'), read(old, 'data')]).toEqual(['left', 'a']);
    await host.directories.release('again');
    await host.directories.sweep();
    expect([read(directory, 'left'), existsSync(old)]).toEqual(['left', false]);
  });

  test('content that a job goes back to begins with a new directory', async () => {
    const a = host.upload('app.tgz', await archive('a'));
    await runThatLeaves('left', { file: a, asOf: 1 });
    await runThatLeaves('other', { file: null, asOf: 2 });
    await host.directories.sweep();
    expect(readdirSync(await host.prepare('r3', { file: a, asOf: 3 })).sort()).toEqual(['bin', 'data']);
  });

  test('new content that cannot be fetched leaves the old directory', async () => {
    const directory = await runThatLeaves('left', { file: host.upload('app.tgz', await archive('a')), asOf: 1 });
    await expect(host.prepare('r2', { file: { name: 'b.tgz', sha256: 'b'.repeat(64), size: 1 }, asOf: 2 })).rejects.toThrow('b.tgz');
    await host.directories.sweep();
    expect(read(directory, 'left')).toBe('left');
  });
});

describe('the fetch of the file of a job', () => {
  test('two runs at once share one fetch, also when the first of them gives up', async () => {
    const bytes = await archive();
    const file = host.upload('app.tgz', bytes);
    let answer: ServerResponse | undefined;
    host.center.files[`/v1/files/${file.sha256}`] = (_, response) => {
      answer = response;
    };
    const stop = new AbortController();
    const first = host.prepare('r1', { file, signal: stop.signal });
    const second = host.prepare('r2', { file });
    while (answer === undefined) await new Promise(resolve => setImmediate(resolve));
    stop.abort(new Error('cancelled'));
    await expect(first).rejects.toThrow('cancelled');
    answer.writeHead(200, { 'content-length': String(bytes.length) }).end(bytes);
    expect(read(await second, 'data')).toBe('packed');
    expect(host.center.asked).toHaveLength(1);
  });

  test('a fetch that all runs gave up leaves nothing, and the next one is whole', async () => {
    const bytes = await archive();
    const file = host.upload('app.tgz', bytes);
    host.center.files[`/v1/files/${file.sha256}`] = (_, response) => {
      response.writeHead(200, { 'content-length': String(bytes.length) }).write(bytes.subarray(0, 50));
    };
    const stop = new AbortController();
    const broken = host.prepare('r1', { file, signal: stop.signal });
    while (host.center.asked.length === 0) await new Promise(resolve => setImmediate(resolve));
    stop.abort(new Error('cancelled'));
    await expect(broken).rejects.toThrow('cancelled');
    while (readdirSync(join(host.directory, '.tmp')).length > 0) await new Promise(resolve => setImmediate(resolve));
    expect(await host.contents('j1')).toEqual([]);
    host.upload('app.tgz', bytes);
    expect(read(await host.prepare('r2', { file }), 'data')).toBe('packed');
  });

  test('a fetch goes on where it broke off, at every tenth, and waits while the center is away', async () => {
    const bytes = await aTgz([{ name: 'data', content: Buffer.from(someBytes(50_000)) }]);
    const file = host.upload('app.tgz', bytes);
    const tenth = Math.ceil(bytes.length / 10);
    const begins: number[] = [];
    let isUp = true;
    host.center.files[`/v1/files/${file.sha256}`] = (request, response) => {
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      begins.push(from);
      isUp = begins.length !== 5;
      response.writeHead(from > 0 ? 206 : 200, { 'content-length': String(bytes.length - from) });
      response.write(bytes.subarray(from, from + tenth), () => response.destroy());
    };
    const session = { url: host.center.url('/v1/files/'), token: 't1' };
    let isOver = false;
    const work = host.prepare('r1', { file, center: () => (isUp ? session : undefined) }).finally(() => {
      isOver = true;
    });
    const pass = async () => {
      await host.clock.advance(250);
      await new Promise(resolve => setImmediate(resolve));
    };
    while (isUp) await pass();
    const before = begins.length;
    for (let each = 0; each < 100; each++) await pass();
    expect([isOver, begins.length]).toEqual([false, before]);
    isUp = true;
    while (!isOver) await pass();
    expect(readFileSync(join(await work, 'data'))).toEqual(Buffer.from(someBytes(50_000)));
    expect(begins).toEqual([...new Set(begins)].sort((a, b) => a - b));
    expect(begins.length).toBeGreaterThanOrEqual(10);
  });

  test('a run whose file the center lacks, or sends otherwise, fails with the name of the file and the reason', async () => {
    const gone = { name: 'gone.tgz', sha256: 'a'.repeat(64), size: 1 };
    await expect(host.prepare('r1', { file: gone })).rejects.toMatchObject({
      code: 'status',
      message: `the file gone.tgz of the job cannot be used: the center has no file ${gone.sha256}; upload it again`,
    });
    const other = host.upload('other.tgz', await archive());
    host.center.files[`/v1/files/${other.sha256}`] = await archive('something else');
    await expect(host.prepare('r1', { file: other })).rejects.toMatchObject({
      code: 'digest',
      message: expect.stringContaining('other.tgz'),
    });
    expect(await host.contents('j1')).toEqual([]);
    expect(readdirSync(join(host.directory, '.tmp'))).toEqual([]);
  });

  test('a fetch that takes too long fails with the name of the file', async () => {
    await host.remove();
    host = await aJobDirectoryHost({ limits: { downloadMs: 5_000 } });
    const work = host.prepare('r1', { file: host.upload('app.tgz', await archive()), center: () => undefined });
    let failed: unknown;
    work.catch(problem => {
      failed = problem;
    });
    while (failed === undefined) await host.clock.advance(1_000);
    expect(failed).toMatchObject({ code: 'unreachable', message: 'the file app.tgz of the job did not arrive within 5000 ms' });
  });

  test('a disk that is full fails the run with the name of the file, and leaves nothing', async () => {
    const directory = tempDir('small');
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory], { stdio: 'ignore' });
    } catch {
      console.warn('no right to mount a tmpfs: a full disk under directories of jobs was not tested');
      return;
    }
    try {
      await host.remove();
      host = await aJobDirectoryHost({ directory: join(directory, 'jobs') });
      const large = host.upload('large.tgz', await aTgz([{ name: 'data', content: randomBytes(2 * MB) }]));
      const bomb = host.upload('zeros.tgz', await aTgz([{ name: 'data', content: Buffer.alloc(4 * MB) }]));
      for (const file of [large, bomb]) {
        await expect(host.prepare('r1', { file })).rejects.toMatchObject({ code: 'disk', message: expect.stringContaining(file.name) });
        expect([await host.contents('j1'), readdirSync(join(host.directory, '.tmp'))]).toEqual([[], []]);
      }
      expect(readdirSync(await host.prepare('r2', { file: host.upload('app.tgz', await archive()) })).sort()).toEqual(['bin', 'data']);
    } finally {
      await host.remove();
      execFileSync('umount', ['-l', directory]);
    }
  });
});

describe('the room of the directories of jobs', () => {
  test('a directory leaves when no run has used it for 30 days', async () => {
    const idle = await runThatLeaves('left', { job: 'idle' });
    const busy = await host.prepare('long', { job: 'busy' });
    await host.clock.advance(29 * DAY_MS);
    const fresh = await runThatLeaves('left', { job: 'fresh' });
    await host.directories.sweep();
    expect([idle, busy, fresh].map(existsSync)).toEqual([true, true, true]);
    await host.clock.advance(2 * DAY_MS);
    await host.directories.sweep();
    expect([idle, busy, fresh].map(existsSync)).toEqual([false, true, true]);
    // Also the folder of the job.
    expect(existsSync(join(host.directory, 'idle'))).toBe(false);
  });

  test('the least recently used directories leave beyond the bytes of all, never one in use', async () => {
    await host.remove();
    host = await aJobDirectoryHost({ bytesMax: 3 * MB });
    await host.directories.settle(new Set());
    const ballast = randomBytes(MB);
    const directories: string[] = [];
    for (const job of ['used', 'first', 'second', 'third']) {
      const directory = await host.prepare(job, { job });
      directories.push(directory);
      // What runs write there counts.
      write(directory, 'ballast', ballast);
      if (job !== 'used') await host.directories.release(job);
      await host.clock.advance(1_000);
    }
    await host.directories.sweep();
    expect(directories.map(existsSync)).toEqual([true, false, false, true]);
  });

  test('a directory that becomes needed while others are removed stays', async () => {
    const jobs = Array.from({ length: 20 }, (_, at) => `j${at}`);
    for (const job of jobs) await runThatLeaves('left', { job });
    await host.clock.advance(31 * DAY_MS);
    const sweeping = host.directories.sweep();
    while (existsSync(join(host.directory, 'j0'))) await new Promise(resolve => setImmediate(resolve));
    const directory = await host.prepare('r2', { job: 'j19' });
    await sweeping;
    await host.directories.sweep();
    expect(read(directory, 'left')).toBe('left');
    expect(jobs.filter(job => existsSync(join(host.directory, job)))).toEqual(['j19']);
  });
});

describe('a new agent', () => {
  test('a new agent leaves the directories of runs that the keeper still has, whatever their age, and takes those of others', async () => {
    const a = host.upload('app.tgz', await archive('a'));
    const old = await host.prepare('lives', { file: a, asOf: 1 });
    await host.prepare('died', { job: 'j2' });
    const gone = await host.prepare('died too', { job: 'j3' });
    await runThatLeaves('left', { file: null, asOf: 2 });
    await host.clock.advance(31 * DAY_MS);
    host.reopen();
    // It does not know yet which runs live.
    await host.directories.sweep();
    expect([old, gone].map(existsSync)).toEqual([true, true]);
    const again = host.prepare('new', { job: 'j2' });
    await host.directories.settle(new Set(['lives']));
    const kept = await again;
    await host.clock.advance(31 * DAY_MS);
    await host.directories.sweep();
    expect([old, kept, gone].map(existsSync)).toEqual([true, true, false]);
    await host.directories.release('lives');
    await host.clock.advance(31 * DAY_MS);
    await host.directories.sweep();
    expect(existsSync(old)).toBe(false);
  });

  test('a new agent removes what its predecessor left half fetched or half unpacked, and no directory', async () => {
    const file = host.upload('app.tgz', await archive());
    const directory = await runThatLeaves('left', { file });
    mkdirSync(join(host.directory, '.tmp/7/work'), { recursive: true });
    write(host.directory, '.tmp/7/work/half', 'unpacked');
    write(host.directory, '.tmp/8', 'half fetched');
    host.reopen();
    expect(await host.prepare('r2', { file })).toBe(directory);
    expect([readdirSync(join(host.directory, '.tmp')), read(directory, 'left')]).toEqual([[], 'left']);
  });

  test('a directory whose state a crash of the machine cut off keeps what runs left', async () => {
    const file = host.upload('app.tgz', await archive());
    const directory = await runThatLeaves('left', { file });
    for (const broken of ['', '{"asOf":', '{}']) {
      write(dirname(directory), 'state.json', broken);
      host.reopen();
      await host.directories.settle(new Set());
      expect(read(await host.prepare('r2', { file }), 'left')).toBe('left');
    }
  });
});
