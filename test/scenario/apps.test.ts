/**
 * Apps on a real cluster: packed in every way, checked again at their source, and files of the
 * hosts while the center allows them.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { aTgz } from '../agent/archives.ts';
import { bz2, xz } from '../agent/packed.ts';
import { aCluster, type Cluster, type Execution, until } from '../support/cluster.ts';

setDefaultTimeout(60_000);

const env: Record<string, string> = { TROUPE_FILE_URLS: 'on', TROUPE_ARTIFACT_HOSTS: 'localhost' };
let cluster: Cluster;
beforeAll(async () => {
  cluster = await aCluster({ env });
  await cluster.startCenter();
  cluster.startAgent('a1');
  await cluster.ready('a1');
});
afterAll(() => cluster.close());

/** The app host's files, and each request to it: its condition and the answer's status. */
function anAppHost(files: Record<string, Buffer>) {
  const asked: [path: string, condition: string | null, status: number][] = [];
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      const file = files[pathname];
      const condition = request.headers.get('if-none-match');
      const etag = `"${Bun.hash(file ?? '')}"`;
      const status = file === undefined ? 404 : condition === etag ? 304 : 200;
      asked.push([pathname, condition, status]);
      return new Response(status === 200 ? new Uint8Array(file ?? []) : null, { status, headers: { etag } });
    },
  });
  return { files, asked, url: `http://localhost:${server.port}`, stop: () => server.stop(true) };
}

const publish = async (name: string, url: string) => {
  await cluster.call('POST', '/v1/apps', { name, url, command: 'bin/start.sh' });
  await cluster.call('POST', '/v1/jobs', { name, app: name });
};
/** Runs the job of this name; its only shard, and what it wrote. */
async function run(name: string): Promise<{ outcome: string | null; reason: string | null; wrote: string }> {
  const { execution } = await cluster.call<{ execution: string }>('POST', `/v1/jobs/${name}/trigger`);
  let found: Execution | undefined;
  await until(`${execution} is done`, async () => {
    // The answer precedes the creation of the execution.
    found = await cluster.execution(execution).catch(() => undefined);
    return found?.status === 'done';
  });
  const path = `${cluster.url}/v1/executions/${encodeURIComponent(execution)}/logs?follow=true`;
  const wrote = await (await fetch(path, { headers: { accept: 'text/plain' } })).text();
  return { outcome: found?.outcome ?? null, reason: found?.shards[0]?.reason ?? null, wrote };
}

const changed = (sentence: string) => aTgz([{ name: 'bin/start.sh', mode: 0o755, content: `#!/bin/sh\necho ${sentence}\n` }]);
const went = { outcome: 'succeeded', reason: null };

describe('an app behind a URL', () => {
  test('an app behind a URL runs from each kind of archive', async () => {
    const host = anAppHost({ '/app.tar.xz': xz.good, '/app.tar.bz2': bz2.good });
    await publish('by-xz', `${host.url}/app.tar.xz`);
    await publish('by-bz2', `${host.url}/app.tar.bz2`);
    expect(await Promise.all(['by-xz', 'by-bz2'].map(run))).toEqual([
      { ...went, wrote: 'go\n' },
      { ...went, wrote: 'go\n' },
    ]);
    await host.stop();
  });

  test('an app behind a URL is asked for again after a change of the app, and fetched only when it differs', async () => {
    const host = anAppHost({ '/app.tar.xz': xz.good });
    await publish('again', `${host.url}/app.tar.xz`);
    const edit = (description: string) => cluster.call('PATCH', '/v1/apps/again', { description });
    expect(await run('again')).toEqual({ ...went, wrote: 'go\n' });
    expect(await run('again')).toEqual({ ...went, wrote: 'go\n' });
    await edit('the same');
    expect(await run('again')).toEqual({ ...went, wrote: 'go\n' });
    host.files['/app.tar.xz'] = await changed('otherwise');
    await edit('another');
    expect(await run('again')).toEqual({ ...went, wrote: 'otherwise\n' });
    expect(host.asked.map(([, condition, status]) => [condition !== null, status])).toEqual([
      [false, 200],
      [true, 304],
      [true, 200],
    ]);
    await host.stop();
    await edit('away');
    const last = await run('again');
    expect(last).toMatchObject({ outcome: 'succeeded', wrote: 'otherwise\n' });
    expect(last.reason).toContain('an older copy of the app serves');
  });

  test('an app behind a URL is not followed to a host that the center does not list', async () => {
    const host = anAppHost({});
    const moved = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: () => Response.redirect(host.url.replace('localhost', '127.0.0.1'), 302),
    });
    await publish('moved', `http://localhost:${moved.port}/app.tgz`);
    const { outcome, reason } = await run('moved');
    expect(outcome).toBe('failed');
    expect(reason).toContain('TROUPE_ARTIFACT_HOSTS');
    expect(host.asked).toEqual([]);
    await Promise.all([host.stop(), moved.stop(true)]);
  });
});

describe('the directory of an app', () => {
  const appends = '#!/bin/sh\necho line >> data.txt\nwc -l < data.txt\n';
  const replaces = '#!/bin/sh\necho packed\nprintf "#!/bin/sh\\necho replaced\\n" > "$TROUPE_APP_DIR/bin/start.sh"\n';
  const artifacts = () => join(cluster.directory, 'a1', 'artifacts');
  const mounted = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(artifacts());
  const cleared = () => until('nothing of the runs is left', () => readdirSync(join(artifacts(), 'runs')).length === 0 && !mounted());

  test('the directory of an app is as packed for each run, and for each app of the same archive: a write of one is invisible to the others', async () => {
    const archive = await aTgz([{ name: 'bin/start.sh', mode: 0o755, content: appends }]);
    const host = anAppHost({ '/app.tgz': archive, '/evil.tgz': await aTgz([{ name: 'bin/start.sh', mode: 0o755, content: replaces }]) });
    await cluster.call('POST', '/v1/apps', { name: 'fresh', url: `${host.url}/app.tgz`, command: 'bin/start.sh', cache: false });
    await cluster.call('POST', '/v1/jobs', { name: 'fresh', app: 'fresh' });
    for (let each = 0; each < 3; each++) expect(await run('fresh')).toEqual({ ...went, wrote: '1\n' });
    // Without the cache it is fetched for each execution.
    expect(host.asked.map(([path]) => path)).toEqual(['/app.tgz', '/app.tgz', '/app.tgz']);
    await publish('same-archive', `${host.url}/app.tgz`);
    expect(await run('same-archive')).toEqual({ ...went, wrote: '1\n' });

    const sha256 = createHash('sha256')
      .update(host.files['/evil.tgz'] ?? '')
      .digest('hex');
    await cluster.call('POST', '/v1/apps', { name: 'digest', url: `${host.url}/evil.tgz`, sha256, command: 'bin/start.sh' });
    await cluster.call('POST', '/v1/jobs', { name: 'digest', app: 'digest' });
    for (let each = 0; each < 2; each++) expect(await run('digest')).toEqual({ ...went, wrote: 'packed\n' });
    await cleared();
    await host.stop();
  });

  test('the directory of an app outlives a kill -9 of the agent for as long as its run, and goes with it', async () => {
    const script = '#!/bin/sh\necho begun >> data.txt\nwhile [ ! -e "$GO" ]; do sleep 0.02; done\ncat data.txt many/1\n';
    const many = Array.from({ length: 60 }, (_, at) => ({ name: `many/${at}`, content: `${at}\n` }));
    const host = anAppHost({ '/app.tgz': await aTgz([{ name: 'bin/start.sh', mode: 0o755, content: script }, ...many]) });
    await cluster.call('POST', '/v1/apps', { name: 'long', url: `${host.url}/app.tgz`, command: 'bin/start.sh' });
    for (const name of ['ends-meanwhile', 'ends-later']) {
      await cluster.call('POST', '/v1/jobs', { name, app: 'long', env: { GO: join(cluster.directory, name) } });
    }
    const began = await Promise.all(
      ['ends-meanwhile', 'ends-later'].map(name => cluster.call<{ execution: string }>('POST', `/v1/jobs/${name}/trigger`)),
    );
    const statusOf = async (id: string) => (await cluster.execution(id).catch(() => undefined))?.shards[0]?.status;
    for (const { execution } of began) await until('it runs', async () => (await statusOf(execution)) === 'running');
    await cluster.killAgent('a1');
    writeFileSync(join(cluster.directory, 'ends-meanwhile'), '');
    cluster.startAgent('a1');
    const [meanwhile, later] = began.map(({ execution }) => execution);
    await until('the first has ended', async () => (await statusOf(meanwhile ?? '')) === 'done');
    await until('one directory is left', () => readdirSync(join(artifacts(), 'runs')).length === 1);
    writeFileSync(join(cluster.directory, 'ends-later'), '');
    await until('the other has ended', async () => (await statusOf(later ?? '')) === 'done');
    for (const { execution } of began) {
      const path = `${cluster.url}/v1/executions/${encodeURIComponent(execution)}/logs?follow=true`;
      expect(await (await fetch(path, { headers: { accept: 'text/plain' } })).text()).toBe('begun\n1\n');
    }
    await cleared();
    await host.stop();
  });
});

describe('a file of the host', () => {
  test('a file of the host is an app while the center allows it, and no longer', async () => {
    const file = join(cluster.directory, 'app.tgz');
    writeFileSync(file, await changed('from a file'));
    await publish('file', pathToFileURL(file).href);
    expect(await run('file')).toEqual({ ...went, wrote: 'from a file\n' });

    await cluster.stopCenter();
    env.TROUPE_FILE_URLS = 'off';
    await cluster.startCenter();
    await cluster.ready('a1');
    const { outcome, reason, wrote } = await run('file');
    expect({ outcome, wrote }).toEqual({ outcome: 'failed', wrote: '' });
    expect(reason).toContain(`the url ${pathToFileURL(file).href} is a file of this host`);
    expect(reason).toContain('TROUPE_FILE_URLS is off');
    const refused = cluster.call('POST', '/v1/apps', { name: 'other', url: 'file:///etc/passwd', command: 'x' });
    expect(refused).rejects.toThrow(/400 .*"field":"url"/);
    await refused.catch(() => undefined);
  });
});
