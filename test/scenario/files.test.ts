/** Uploaded files on a real cluster: an app of one runs, also while center and agent die. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { aTgz } from '../agent/archives.ts';
import { aCluster, type Cluster, type Execution, until } from '../support/cluster.ts';
import { hex, someBytes } from '../support/store-contract/files.ts';

setDefaultTimeout(60_000);

let cluster: Cluster;
beforeAll(async () => {
  cluster = await aCluster({ env: { TROUPE_ARTIFACT_HOSTS: 'nowhere.example' } });
  await cluster.startCenter();
  cluster.startAgent('a1');
  await cluster.ready('a1');
});
afterAll(() => cluster.close());

const upload = async (name: string, bytes: Uint8Array) => {
  const response = await fetch(`${cluster.url}/v1/files?filename=${name}`, { method: 'POST', body: bytes as BodyInit });
  expect(response.status).toBe(201);
  return ((await response.json()) as { sha256: string }).sha256;
};

async function run(name: string, meanwhile: (id: string) => Promise<void> = async () => {}) {
  const { execution } = await cluster.call<{ execution: string }>('POST', `/v1/jobs/${name}/trigger`);
  await meanwhile(execution);
  let found: Execution | undefined;
  await until(`${execution} is done`, async () => {
    found = await cluster.execution(execution).catch(() => undefined);
    return found?.status === 'done';
  });
  const path = `${cluster.url}/v1/executions/${encodeURIComponent(execution)}/logs?follow=true`;
  const wrote = await (await fetch(path, { headers: { accept: 'text/plain' } })).text();
  return { outcome: found?.outcome, reason: found?.shards[0]?.reason ?? null, wrote };
}

const publish = async (name: string, sha256: string, command = 'bin/start.sh') => {
  await cluster.call('POST', '/v1/apps', { name, url: `troupe:files/${sha256}`, command });
  await cluster.call('POST', '/v1/jobs', { name, app: name });
};

test('an app of an uploaded archive and of an uploaded script runs end to end', async () => {
  const archive = await aTgz([{ name: 'bin/start.sh', mode: 0o755, content: '#!/bin/sh\necho from the archive\n' }]);
  await publish('archive', await upload('app.tar.gz', archive));
  expect(await run('archive')).toEqual({ outcome: 'succeeded', reason: null, wrote: 'from the archive\n' });
  await publish('script', await upload('hello.sh', Buffer.from('#!/bin/sh\necho from the script\n')), 'hello.sh');
  expect(await run('script')).toEqual({ outcome: 'succeeded', reason: null, wrote: 'from the script\n' });
});

test('an app of an uploaded file runs after its center and its agent were killed while it was fetched', async () => {
  // Large enough that the download lasts a while; nothing compresses it.
  const content = randomBytes(60_000_000);
  const archive = await aTgz([
    { name: 'bin/start.sh', mode: 0o755, content: '#!/bin/sh\necho survived\n' },
    { name: 'ballast', mode: 0o644, content },
  ]);
  await publish('survivor', await upload('large.tar.gz', archive));
  const fetched = join(cluster.directory, 'a1', 'artifacts', 'tmp');
  const survived = await run('survivor', async () => {
    await until('the agent fetches', () => existsSync(fetched) && readdirSync(fetched).length > 0);
    await cluster.killCenter();
    await cluster.killAgent('a1');
    await cluster.startCenter();
    cluster.startAgent('a1');
    await cluster.ready('a1');
  });
  expect(survived).toMatchObject({ outcome: 'succeeded', wrote: 'survived\n' });
});

// The directory is that of the embedded store.
test.skipIf(process.env.TROUPE_TEST_STORE === 'mongodb')(
  'an upload under which the center is killed leaves nothing of the file',
  async () => {
    const bytes = someBytes(5_000_000, 9);
    const endless = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes);
      },
    });
    const broken = fetch(`${cluster.url}/v1/files?filename=half.bin`, {
      method: 'POST',
      body: endless,
      duplex: 'half',
    } as RequestInit).catch(() => undefined);
    const directory = join(cluster.directory, 'center', 'files');
    await until('the center writes the file', () => existsSync(join(directory, 'tmp')) && readdirSync(join(directory, 'tmp')).length > 0);
    await cluster.killCenter();
    await broken;
    await cluster.startCenter();
    const { items } = await cluster.call<{ items: { name: string }[] }>('GET', '/v1/files?name=half.bin');
    expect(items).toEqual([]);
    expect(readdirSync(directory).filter(name => name !== 'tmp')).not.toContain(hex('sha256', bytes));
    expect(readdirSync(directory, { recursive: true }).filter(name => String(name).startsWith('tmp/'))).toEqual([]);
  },
);
