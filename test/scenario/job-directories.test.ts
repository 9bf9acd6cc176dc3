/** Directories of jobs with a real agent and keeper, also when the agent is killed. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { aTgz } from '../agent/archives.ts';
import { aCluster, type Cluster, type Execution, until } from '../support/cluster.ts';

setDefaultTimeout(60_000);

let cluster: Cluster;
beforeAll(async () => {
  cluster = await aCluster();
  await cluster.startCenter();
  cluster.startAgent('a1');
  await cluster.ready('a1');
});
afterAll(() => cluster.close());

const jobs = () => join(cluster.directory, 'a1', 'jobs');
const staged = () => (existsSync(join(jobs(), '.tmp')) ? readdirSync(join(jobs(), '.tmp')) : []);
const contents = (id: string) => (existsSync(join(jobs(), id)) ? readdirSync(join(jobs(), id)) : []);

const upload = async (name: string, bytes: Uint8Array) => {
  const response = await fetch(`${cluster.url}/v1/files?filename=${name}`, { method: 'POST', body: bytes as BodyInit });
  expect(response.status).toBe(201);
};
const aJob = async (name: string, more: object): Promise<string> => {
  await cluster.call('POST', '/v1/jobs', { name, shell: true, ...more });
  return (await cluster.call<{ id: string }>('GET', `/v1/jobs/${name}`)).id;
};
const edit = (name: string, more: object) => cluster.call('PATCH', `/v1/jobs/${name}`, more);
const trigger = async (name: string) => (await cluster.call<{ execution: string }>('POST', `/v1/jobs/${name}/trigger`)).execution;
async function ended(execution: string) {
  let found: Execution | undefined;
  await until(`${execution} is done`, async () => {
    // The answer precedes the creation of the execution.
    found = await cluster.execution(execution).catch(() => undefined);
    return found?.status === 'done';
  });
  const path = `${cluster.url}/v1/executions/${encodeURIComponent(execution)}/logs?follow=true`;
  const wrote = await (await fetch(path, { headers: { accept: 'text/plain' } })).text();
  return { outcome: found?.outcome, reason: found?.shards[0]?.reason ?? null, wrote };
}
const run = async (name: string) => ended(await trigger(name));

const restart = async (meanwhile: () => void | Promise<void> = () => {}) => {
  await cluster.killAgent('a1');
  await meanwhile();
  cluster.startAgent('a1');
  await cluster.ready('a1');
};
const archive = (line: string) => aTgz([{ name: 'say.sh', mode: 0o755, content: `#!/bin/sh\necho ${line}\n` }]);

test('a run whose file cannot be unpacked fails with the name of the file, and its command is not run', async () => {
  const mark = join(cluster.directory, 'ran');
  await upload('broken.tar.gz', Buffer.concat([(await archive('x')).subarray(0, 60), Buffer.alloc(60, 0xaa)]));
  await aJob('broken', { command: `echo ran > ${mark}`, file: { name: 'broken.tar.gz' } });
  const { outcome, reason } = await run('broken');
  expect(outcome).toBe('failed');
  expect(reason).toContain('the file broken.tar.gz of the job cannot be used: the archive is broken');
  expect(existsSync(mark)).toBe(false);
});

const isUnpacking = () => staged().some(each => existsSync(join(jobs(), '.tmp', each, 'work', 'many')));

test.each([
  // The ballast makes the fetch last.
  ['fetched', () => staged().length > 0 && !isUnpacking(), { files: 1, ballast: 40_000_000 }],
  // The many small files, each synced, make the unpacking last.
  ['unpacked', isUnpacking, { files: 1_000, ballast: 0 }],
])('a job runs with all its files after its agent was killed while it %s them', async (what, isThen, { files, ballast }) => {
  const many = Array.from({ length: files }, (_, at) => ({ name: `many/${at}`, content: `${at}\n` }));
  const say = { name: 'say.sh', mode: 0o755, content: '#!/bin/sh\nls many | wc -l\n' };
  await upload(`${what}.tar.gz`, await aTgz([{ name: 'ballast', content: randomBytes(ballast) }, ...many, say]));
  const id = await aJob(what, { command: './say.sh', file: { name: `${what}.tar.gz` } });
  const execution = await trigger(what);
  await until('the agent is in the middle of it', isThen);
  await restart(() => {
    expect([contents(id), isThen()]).toEqual([[], true]);
  });
  expect(await ended(execution)).toEqual({ outcome: 'succeeded', reason: null, wrote: `${files}\n` });
  expect([contents(id).length, staged()]).toEqual([1, []]);
});

test('a run keeps its directory while its agent is killed, its job gets new content, and the next agent runs that', async () => {
  const go = join(cluster.directory, 'go');
  const waits = `echo begun > mark; while [ ! -e ${go} ]; do sleep 0.02; done; cat mark; ./say.sh`;
  await upload('long.tar.gz', await archive('old'));
  const id = await aJob('long', { command: waits, file: { name: 'long.tar.gz' }, overlap: 'allow' });
  const execution = await trigger('long');
  await until('the run has begun', () => contents(id).some(each => existsSync(join(jobs(), id, each, 'work', 'mark'))));
  const [old = ''] = contents(id);
  await restart(async () => {
    await upload('long.tar.gz', await archive('new'));
    await edit('long', { command: './say.sh', file: { name: 'long.tar.gz' } });
  });
  expect(await run('long')).toMatchObject({ outcome: 'succeeded', wrote: 'new\n' });
  expect(readFileSync(join(jobs(), id, old, 'work', 'mark'), 'utf8')).toBe('begun\n');
  writeFileSync(go, '');
  expect(await ended(execution)).toMatchObject({ outcome: 'succeeded', wrote: 'begun\nold\n' });
  await until('the old directory is gone', () => !contents(id).includes(old));
  expect(contents(id)).toHaveLength(1);
});
