/** Apps on a host: download, unpacking, cache. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fileName } from '../../src/agent/artifacts/format.ts';
import { until } from '../support/cluster.ts';
import { aTgz, aZip } from './archives.ts';
import { anAppHost, anArtifactCache } from './artifact-setup.ts';

let host: Awaited<ReturnType<typeof anAppHost>>;
let cache: Awaited<ReturnType<typeof anArtifactCache>>;
beforeEach(async () => {
  host = await anAppHost();
  cache = await anArtifactCache();
});
afterEach(async () => {
  await host.close();
  await cache.remove();
});

const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');
/** Nothing at all was made when an address is refused at once. */
const countIn = (folder: string) =>
  readdir(join(cache.directory, folder)).then(
    names => names.length,
    () => 0,
  );
const leftovers = () => countIn('tmp');
const copies = () => countIn('copies');

describe('an app', () => {
  test('an app that is a bare script is saved under its own name, ready to run', async () => {
    host.files['/jobs/nightly.sh?v=1'] = '#!/bin/sh\n';
    const app = await cache.prepare(host.url('/jobs/nightly.sh?v=1'));
    expect(app.script).toBe('nightly.sh');
    expect((await stat(join(app.directory, 'nightly.sh'))).mode & 0o111).toBe(0o111);
    expect(await leftovers()).toBe(0);
  });

  test('an app in an archive of any taken format is unpacked', async () => {
    host.files['/app.tgz'] = await aTgz([
      { name: './', type: 'directory' },
      { name: './bin/start.sh', mode: 0o755, content: 'go' },
      { name: 'notes', content: 'hi' },
    ]);
    host.files['/app.zip'] = aZip([
      { name: 'bin/', mode: 0o40755 },
      { name: 'bin/start.sh', mode: 0o100755, content: 'go' },
      { name: 'notes', content: 'hi' },
    ]);
    host.files['/latest'] = host.files['/app.zip'];
    host.files['/tool.jar'] = host.files['/app.zip'];
    for (const path of ['/app.tgz', '/app.zip', '/latest']) {
      const app = await cache.prepare(host.url(path));
      expect(app.script).toBeUndefined();
      expect(await readFile(join(app.directory, 'bin/start.sh'), 'utf8')).toBe('go');
      expect((await stat(join(app.directory, 'bin/start.sh'))).mode & 0o111).not.toBe(0);
      expect((await stat(join(app.directory, 'notes'))).mode & 0o111).toBe(0);
    }
    expect((await cache.prepare(host.url('/tool.jar'))).script).toBe('tool.jar');
  });

  test('an app is fetched once for all runs that wait for it', async () => {
    host.files['/run.sh'] = 'x';
    await Promise.all(Array.from({ length: 10 }, (_, n) => cache.prepare(host.url('/run.sh'), { execution: `e${n}` })));
    expect(host.asked).toHaveLength(1);
  });

  test('an app goes on arriving for the others when one gives up, and is given up with the last', async () => {
    let closed = () => {};
    const gone = new Promise<void>(resolve => {
      closed = resolve;
    });
    let finish = () => {};
    const asked = new Promise<void>(resolve => {
      host.files['/run.sh'] = (request, response) => {
        request.on('close', closed);
        response.on('close', closed);
        response.write('half');
        finish = () => void response.end('whole');
        resolve();
      };
    });
    const [a, b] = [new AbortController(), new AbortController()];
    const first = cache.prepare(host.url('/run.sh'), { signal: a.signal });
    const second = cache.prepare(host.url('/run.sh'), { signal: b.signal });
    await asked;
    a.abort(new Error('not wanted'));
    expect(first).rejects.toThrow('not wanted');
    finish();
    expect(await readFile(join((await second).directory, 'run.sh'), 'utf8')).toBe('halfwhole');
    const third = cache.prepare(host.url('/run.sh'), { version: 2, signal: b.signal });
    third.catch(() => undefined);
    b.abort(new Error('nor this'));
    expect(third).rejects.toThrow('nor this');
    await gone;
  });
});

describe('the cache', () => {
  test('the cache serves the same version without a request', async () => {
    host.files['/run.sh'] = 'one';
    await cache.prepare(host.url('/run.sh'));
    host.files['/run.sh'] = 'two';
    cache.reopen();
    const app = await cache.prepare(host.url('/run.sh'), { execution: 'e2' });
    expect(await readFile(join(app.directory, 'run.sh'), 'utf8')).toBe('one');
    expect(host.asked).toHaveLength(1);
  });

  test('the cache fetches again for a newer version, and only what changed', async () => {
    const conditions: (string | undefined)[] = [];
    host.files['/run.sh'] = (request, response) => {
      conditions.push(request.headers['if-none-match']);
      response.setHeader('etag', '"1"');
      if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end();
      else response.end('one');
    };
    const first = await cache.prepare(host.url('/run.sh'));
    const second = await cache.prepare(host.url('/run.sh'), { version: 2 });
    await cache.prepare(host.url('/run.sh'), { version: 2 });
    expect(second.directory).toBe(first.directory);
    expect(conditions).toEqual([undefined, '"1"']);
  });

  test('the cache is validated again in the background, at most once a minute', async () => {
    host.files['/run.sh'] = 'one';
    await cache.prepare(host.url('/run.sh'));
    await cache.clock.advance(60_000);
    let answerIt = () => {};
    const asked = new Promise<void>(resolve => {
      answerIt = resolve;
    });
    host.files['/run.sh'] = (_, response) => {
      response.end('two');
      answerIt();
    };
    const old = await cache.prepare(host.url('/run.sh'), { execution: 'e2' });
    await cache.prepare(host.url('/run.sh'), { execution: 'e3' });
    await asked;
    expect(await readFile(join(old.directory, 'run.sh'), 'utf8')).toBe('one');
    expect(host.asked).toHaveLength(2);
  });

  /** Resolves when the app host got that many requests and the answer was used. */
  const askedTimes = async (times: number) => {
    await until(`the app host was asked ${times} times`, () => host.asked.length === times);
    // The index is written last.
    await cache.release('nobody');
    await until('nothing half-made is left', async () => (await leftovers()) === 0);
  };
  const textOf = async (execution: string) => {
    const app = await cache.prepare(host.url('/run.sh'), { execution });
    return [await readFile(join(app.directory, 'run.sh'), 'utf8'), app.note];
  };

  test('the cache picks up a change behind its URL after the next look, and asks with the last validator', async () => {
    const asked: unknown[] = [];
    let now = 'one';
    host.files['/run.sh'] = (request, response) => {
      const { 'if-none-match': etag, 'if-modified-since': since, 'cache-control': control } = request.headers;
      asked.push([etag, since, control]);
      response.setHeader('etag', `"${now}"`).setHeader('last-modified', 'Sun, 22 Nov 2026 08:00:00 GMT');
      if (etag === `"${now}"`) response.writeHead(304).end();
      else response.end(now);
    };
    expect(await textOf('e1')).toEqual(['one', undefined]);
    await cache.clock.advance(60_000);
    expect(await textOf('e2')).toEqual(['one', undefined]);
    await askedTimes(2);
    now = 'two';
    await cache.clock.advance(59_999);
    expect(await textOf('e3')).toEqual(['one', undefined]);
    await cache.clock.advance(1);
    expect(await textOf('e4')).toEqual(['one', undefined]);
    await askedTimes(3);
    await until('the new copy is in', async () => (await textOf('e5'))[0] === 'two');
    const since = 'Sun, 22 Nov 2026 08:00:00 GMT';
    expect(asked).toEqual([
      [undefined, undefined, 'no-cache'],
      ['"one"', since, 'no-cache'],
      ['"one"', since, 'no-cache'],
    ]);
  });

  test('the cache goes by the time of the last change where there is no ETag', async () => {
    const since: (string | undefined)[] = [];
    host.files['/run.sh'] = (request, response) => {
      since.push(request.headers['if-modified-since']);
      response.setHeader('last-modified', 'Sun, 22 Nov 2026 08:00:00 GMT');
      if (request.headers['if-modified-since']) response.writeHead(304).end();
      else response.end('one');
    };
    await cache.prepare(host.url('/run.sh'));
    await cache.prepare(host.url('/run.sh'), { version: 2 });
    expect(since).toEqual([undefined, 'Sun, 22 Nov 2026 08:00:00 GMT']);
  });

  test.each([503, 404])('the cache reports with each run that the look failed (%p), until one succeeds', async status => {
    host.files['/run.sh'] = 'one';
    await textOf('e1');
    host.files['/run.sh'] = (_, response) => void response.writeHead(status).end();
    await cache.clock.advance(60_000);
    expect(await textOf('e2')).toEqual(['one', undefined]);
    await askedTimes(2);
    const note = `an older copy of the app serves: the app host answered ${status} for ${host.url('/run.sh')}`;
    await until('it is said', async () => (await textOf('e3'))[1] === note);
    cache.reopen();
    expect(await textOf('e4')).toEqual(['one', note]);
    host.files['/run.sh'] = 'one';
    await cache.clock.advance(60_000);
    expect(await textOf('e5')).toEqual(['one', note]);
    await askedTimes(3);
    await until('it is not said any more', async () => (await textOf('e6'))[1] === undefined);
  });

  test('the cache sends no request for an app whose digest is given', async () => {
    host.files['/run.sh'] = 'one';
    await cache.prepare(host.url('/run.sh'), { sha256: sha256('one') });
    await cache.clock.advance(600_000);
    await cache.prepare(host.url('/run.sh'), { sha256: sha256('one'), version: 2 });
    expect(host.asked).toHaveLength(1);
  });

  test('the cache serves an older copy while the app host is away, and reports it', async () => {
    host.files['/run.sh'] = 'one';
    const first = await cache.prepare(host.url('/run.sh'));
    await host.close();
    const second = await cache.prepare(host.url('/run.sh'), { version: 2 });
    expect(second.directory).toBe(first.directory);
    expect(second.note).toContain('an older copy of the app serves');
    expect(cache.prepare(host.url('/run.sh'), { version: 2, sha256: sha256('two') })).rejects.toMatchObject({
      code: 'unreachable',
      transient: true,
    });
  });

  test('cache false bypasses the cache once per execution and host', async () => {
    host.files['/run.sh'] = 'one';
    const fresh = (execution: string, item = 0) =>
      cache.prepare(host.url('/run.sh'), { cache: false, execution, run: `${execution}:${item}:1` });
    await Promise.all([fresh('e1'), fresh('e1', 1)]);
    cache.reopen();
    await fresh('e1', 2);
    expect(host.asked).toHaveLength(1);
    await fresh('e2');
    expect([host.asked.length, await copies()]).toEqual([2, 2]);
    await cache.artifacts.release('e1:1:1', undefined);
    await cache.artifacts.release('e1:2:1', undefined);
    expect(await copies()).toBe(2);
    await cache.release('e1');
    expect(await copies()).toBe(1);
    await fresh('e1');
    expect(host.asked).toHaveLength(3);
  });

  test('the cache drops the least recently used entry, never one that a run uses', async () => {
    await cache.remove();
    cache = await anArtifactCache({ limits: { cacheBytes: 250, freshMs: 0 } });
    for (const name of ['a', 'b', 'c', 'd']) host.files[`/${name}.sh`] = name.repeat(100);
    const a = await cache.prepare(host.url('/a.sh'), { execution: 'running' });
    for (const name of ['b', 'c', 'd']) {
      await cache.clock.advance(10);
      await cache.prepare(host.url(`/${name}.sh`), { execution: name });
      cache.reopen();
      await cache.release(name);
    }
    expect(await copies()).toBe(2);
    expect(await readFile(join(a.directory, 'a.sh'), 'utf8')).toHaveLength(100);
    await cache.release('running');
    await cache.clock.advance(31 * 24 * 3_600_000);
    await cache.release('nobody');
    expect(await copies()).toBe(0);
  });

  test('the cache deletes incomplete entries at start', async () => {
    await mkdir(join(cache.directory, 'tmp', '7'), { recursive: true });
    await mkdir(join(cache.directory, 'copies', 'unknown'), { recursive: true });
    await writeFile(join(cache.directory, 'index.json'), '{"torn');
    host.files['/run.sh'] = 'one';
    await cache.prepare(host.url('/run.sh'));
    expect([await leftovers(), await copies()]).toEqual([0, 1]);
  });
});

describe('a download', () => {
  const rejects = async (url: string, expected: object, more = {}) => {
    const problem = await cache.prepare(url, more).then(
      () => 'no problem',
      error => error,
    );
    expect(problem).toMatchObject(expected);
    expect([await leftovers(), await copies()]).toEqual([0, 0]);
  };

  test('a download has the digest that was asked for', async () => {
    host.files['/run.sh'] = 'one';
    await rejects(host.url('/run.sh'), { code: 'digest', transient: false }, { sha256: sha256('two') });
    await cache.prepare(host.url('/run.sh'), { sha256: sha256('one').toUpperCase() });
  });

  test('a download that is not there fails for good, and one that is refused for now may be retried', async () => {
    await rejects(host.url('/none.sh'), {
      code: 'status',
      transient: false,
      message: `the app host answered 404 for ${host.url('/none.sh')}`,
    });
    host.files['/busy.sh'] = (_, response) => void response.writeHead(503).end();
    await rejects(host.url('/busy.sh'), { code: 'status', transient: true });
  });

  test('row 32: a download that is cut short is no app', async () => {
    host.files['/run.sh'] = (_, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('half');
      setImmediate(() => response.destroy());
    };
    await rejects(host.url('/run.sh'), { transient: true });
    host.files['/chunked.sh'] = (_, response) => {
      response.write('half');
      setImmediate(() => response.destroy());
    };
    await rejects(host.url('/chunked.sh'), { transient: true });
  });

  test('row 32: a download from nowhere is unreachable', async () => {
    await rejects('http://127.0.0.1:1/run.sh', { code: 'unreachable', transient: true });
    await rejects('http://no-such-host.invalid/run.sh', { code: 'unreachable', transient: true });
  });

  test('a download has a largest size', async () => {
    cache = await anArtifactCache({ limits: { downloadBytes: 10 } });
    host.files['/run.sh'] = 'x'.repeat(11);
    await rejects(host.url('/run.sh'), { code: 'tooLarge' });
    host.files['/chunked.sh'] = (_, response) => {
      for (let i = 0; i < 20; i++) response.write('x');
      response.end();
    };
    await rejects(host.url('/chunked.sh'), { code: 'tooLarge' });
  });

  test('a download does not wait forever', async () => {
    const asked = new Promise<void>(resolve => {
      host.files['/run.sh'] = (_, response) => {
        response.write('half');
        resolve();
      };
    });
    const waiting = cache.prepare(host.url('/run.sh'));
    waiting.catch(() => undefined);
    await asked;
    await cache.clock.advance(31_000);
    expect(waiting).rejects.toMatchObject({ code: 'unreachable', transient: true });
    await waiting.catch(() => undefined);
    expect(await leftovers()).toBe(0);
  });

  test('a download follows redirects, each one checked', async () => {
    const to = (location: string) => (_: unknown, response: ServerResponse) => void response.writeHead(302, { location }).end();
    host.files['/old.sh'] = to('/run.sh');
    host.files['/run.sh'] = 'one';
    expect((await cache.prepare(host.url('/old.sh'))).script).toBe('old.sh');
    cache = await anArtifactCache();
    host.files['/evil.sh'] = to('http://169.254.169.254/latest/meta-data');
    await rejects(host.url('/evil.sh'), { code: 'address' });
    host.files['/file.sh'] = to('file:///etc/passwd');
    await rejects(host.url('/file.sh'), { code: 'unsupported' });
    host.files['/loop.sh'] = to('/loop.sh');
    await rejects(host.url('/loop.sh'), { code: 'unreachable' });
  });

  test("a download is judged by the center's rules at every hop", async () => {
    const rules = { fileUrls: true, hosts: ['localhost'] };
    host.files['/run.sh'] = 'one';
    host.files['/away.sh'] = (_, response) => void response.writeHead(302, { location: `http://127.0.0.1:${host.port}/run.sh` }).end();
    host.files['/file.sh'] = (_, response) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end();
    await rejects(
      `http://127.0.0.1:${host.port}/run.sh`,
      { code: 'address', message: expect.stringContaining('TROUPE_ARTIFACT_HOSTS') },
      { rules },
    );
    await rejects(host.url('/away.sh'), { code: 'address' }, { rules });
    await rejects(host.url('/file.sh'), { code: 'unsupported' }, { rules });
    expect(host.asked).toEqual(['/away.sh', '/file.sh']);
    await rejects('http://metadata.google.internal/', { code: 'address' }, { rules: { ...rules, hosts: null } });
    await cache.prepare(host.url('/run.sh'), { rules });
  });

  test('a download is not used any more once its address is not allowed any more', async () => {
    host.files['/run.sh'] = 'one';
    await cache.prepare(host.url('/run.sh'));
    const rules = { fileUrls: false, hosts: ['other'] };
    expect(cache.prepare(host.url('/run.sh'), { rules })).rejects.toMatchObject({ code: 'address', transient: false });
  });

  test('a download comes from allowed hosts only, where there is a list', async () => {
    cache = await anArtifactCache({ allowHosts: ['*.example.org', 'localhost'] });
    host.files['/run.sh'] = 'one';
    await rejects(`http://127.0.0.1:${host.port}/run.sh`, { code: 'address' });
    await cache.prepare(host.url('/run.sh'));
  });

  test('a download of a format that is not taken fails with the reason', async () => {
    host.files['/app.tar.xz'] = 'x';
    await rejects(host.url('/app.tar.xz'), { code: 'unsupported' });
    host.files['/app.zip'] = '#!/bin/sh\n';
    await rejects(host.url('/app.zip'), { code: 'unsupported' });
    host.files['/app.tgz'] = aZip([]);
    await rejects(host.url('/app.tgz'), { code: 'unsupported' });
  });
});

describe('a file of the host', () => {
  const rules = { fileUrls: true, hosts: ['app-host'] };
  let path: string;
  beforeEach(async () => {
    path = join(cache.directory, 'my app.sh');
    await writeFile(path, 'one');
  });
  const fetched = async (more = {}) => {
    const app = await cache.prepare(pathToFileURL(path).href, { rules, ...more });
    return readFile(join(app.directory, 'my app.sh'), 'utf8');
  };

  test('a file of the host is an app where the center allows it, and is checked again like any other', async () => {
    expect(await fetched()).toBe('one');
    await writeFile(path, 'three');
    expect(await fetched()).toBe('one');
    expect(await fetched({ version: 2 })).toBe('three');
    expect(await fetched({ version: 3 })).toBe('three');
    expect(await copies()).toBe(2);
    await rm(path);
    const { note } = await cache.prepare(pathToFileURL(path).href, { rules, version: 4 });
    expect(note).toContain('cannot be read on this host (ENOENT)');
  });

  test('a file of the host is no app where the center forbids it, even one that is cached', async () => {
    await fetched();
    const { href } = pathToFileURL(path);
    expect(cache.prepare(href)).rejects.toMatchObject({
      code: 'unsupported',
      message: `the url ${href} is a file of this host, and the center does not allow that (TROUPE_FILE_URLS is off)`,
    });
  });

  test.each([
    ['file:///no/such/file', 'unreachable', true],
    ['file:///etc', 'unsupported', false],
    ['file:///dev/zero', 'unsupported', false],
    ['file:///a%2fb', 'unsupported', false],
    ['file://other/etc/passwd', 'unsupported', false],
  ])('the file %s of the host is refused', async (url, code, transient) => {
    expect(cache.prepare(url, { rules })).rejects.toMatchObject({ code, transient });
    await cache.prepare(url, { rules }).catch(() => undefined);
    expect([await leftovers(), await copies()]).toEqual([0, 0]);
  });

  test('a FIFO of the host blocks nobody', async () => {
    const fifo = join(cache.directory, 'fifo');
    await Bun.spawn(['mkfifo', fifo]).exited;
    expect(cache.prepare(pathToFileURL(fifo).href, { rules })).rejects.toMatchObject({ code: 'unsupported' });
  });

  test('a file of the host has a largest size, too', async () => {
    cache = await anArtifactCache({ directory: cache.directory, limits: { downloadBytes: 2 } });
    expect(fetched()).rejects.toMatchObject({ code: 'tooLarge' });
  });
});

test.each([
  ['http://x/a/b.sh?x=1', 'b.sh'],
  ['http://x/a%20b.sh', 'a b.sh'],
  ['http://x/..%2fevil.sh', '.._evil.sh'],
  ['http://x/%2e%2e', 'app'],
  ['http://x/', 'app'],
  ['http://x/100%', '100%'],
])('the file of %s is called %s', (url, name) => {
  expect(fileName(url)).toBe(name);
});
