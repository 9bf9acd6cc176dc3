/**
 * A center that goes on with an earlier state of its data: agents go on with it, and no run is done
 * twice or waited for in vain.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { aCluster, type Cluster, until } from '../support/cluster.ts';

setDefaultTimeout(90_000);

let cluster: Cluster;
afterEach(() => cluster.close());

async function finished(job: string) {
  const { execution } = await cluster.call<{ execution: string }>('POST', `/v1/jobs/${job}/trigger`);
  await until(`${execution} is done`, async () => (await cluster.execution(execution)).status === 'done', 30_000);
  return cluster.execution(execution);
}
const lines = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []);
const warnings = async () => (await cluster.call<{ detail?: string[] }>('GET', '/v1/ready')).detail ?? [];

describe('a center whose data was copied back by hand', () => {
  test('a center whose data was copied back by hand raises its epochs, so that its hosts go on, and reports what is lost', async () => {
    cluster = await aCluster();
    const [data, copy] = [join(cluster.directory, 'center'), join(cluster.directory, 'copy')];
    await cluster.startCenter();
    cluster.startAgent('a1');
    await cluster.ready('a1');
    await cluster.call('POST', '/v1/jobs', { name: 'short', command: ['true'] });
    const gate = join(cluster.directory, 'go');
    const wait = ['sh', '-c', `echo $TROUPE_JOB >> ${join(cluster.directory, 'began')}; while [ ! -e ${gate} ]; do sleep 0.1; done`];
    for (const name of ['known', 'unknown']) await cluster.call('POST', '/v1/jobs', { name, command: wait });
    const { execution: known } = await cluster.call<{ execution: string }>('POST', '/v1/jobs/known/trigger');
    await until('it runs', async () => (await cluster.execution(known)).shards[0]?.status === 'running');
    await cluster.stopCenter();
    cpSync(data, copy, { recursive: true });

    for (let start = 0; start < 4; start++) {
      await cluster.startCenter();
      await cluster.ready('a1');
      expect((await finished('short')).outcome).toBe('succeeded');
      if (start === 3) {
        await cluster.call('POST', '/v1/jobs/unknown/trigger');
        await until('both have begun', () => lines(join(cluster.directory, 'began')).length === 2);
      }
      await cluster.stopCenter();
    }
    rmSync(data, { recursive: true });
    cpSync(copy, data, { recursive: true });

    await cluster.startCenter();
    await cluster.ready('a1');
    expect((await finished('short')).outcome).toBe('succeeded');
    expect((await warnings()).join()).toContain('an earlier copy was put back by hand');
    // What it does not know was ended, what it knows goes on.
    expect((await cluster.execution(known)).shards[0]?.status).toBe('running');
    await until('what it does not know is ended', () => lines(join(cluster.directory, 'a1.log')).join('\n').includes('superseded'));
    await Bun.write(gate, '');
    await until('what it knows ends', async () => (await cluster.execution(known)).status === 'done');
    expect((await cluster.execution(known)).outcome).toBe('succeeded');
    expect(lines(join(cluster.directory, 'began'))).toEqual(['known', 'unknown']);
  });

  test('a center whose data was copied back by hand receives the end of a run that ended after the copy was made', async () => {
    cluster = await aCluster();
    const [data, copy] = [join(cluster.directory, 'center'), join(cluster.directory, 'copy')];
    await cluster.startCenter();
    cluster.startAgent('a1');
    await cluster.ready('a1');
    const gate = join(cluster.directory, 'go');
    const began = join(cluster.directory, 'began');
    const command = ['sh', '-c', `echo began >> ${began}; while [ ! -e ${gate} ]; do sleep 0.1; done`];
    await cluster.call('POST', '/v1/jobs', { name: 'long', command, failover: true });
    const { execution } = await cluster.call<{ execution: string }>('POST', '/v1/jobs/long/trigger');
    await until('it runs', async () => (await cluster.execution(execution)).shards[0]?.status === 'running');
    await cluster.stopCenter();
    cpSync(data, copy, { recursive: true });
    await cluster.startCenter();
    await Bun.write(gate, '');
    await until('it has ended', async () => (await cluster.execution(execution)).status === 'done');
    // Served by the later state, so that the agent knows its epoch.
    await cluster.call('POST', '/v1/jobs', { name: 'short', command: ['true'] });
    for (let more = 0; more < 8; more++) await finished('short');
    await cluster.stopCenter();
    rmSync(data, { recursive: true });
    cpSync(copy, data, { recursive: true });

    await cluster.startCenter();
    await cluster.ready('a1');
    await until('it is done', async () => (await cluster.execution(execution)).status === 'done');
    expect(await cluster.execution(execution)).toMatchObject({ outcome: 'succeeded', shards: [{ attempt: 1 }] });
    expect(lines(began)).toEqual(['began']);
  });
});

describe('a backup that is made while triggers run', () => {
  test('a backup that is made while triggers run is restored to a center whose hosts go on; what was acknowledged before it is there, once', async () => {
    cluster = await aCluster();
    const data = join(cluster.directory, 'center');
    const file = join(cluster.directory, 'backup.sqlite');
    const troupe = (...args: string[]) =>
      promisify(execFile)(process.execPath, [join(import.meta.dir, '../../src/cli/main.ts'), ...args], {
        env: { ...process.env, TROUPE_STORE: '' },
      });
    await cluster.startCenter();
    cluster.startAgent('a1');
    await cluster.ready('a1');
    const trace = join(cluster.directory, 'trace');
    const command = ['sh', '-c', `echo $TROUPE_EXECUTION >> ${trace}`];
    await cluster.call('POST', '/v1/jobs', { name: 'load', command, overlap: 'allow', overlapLimit: 500, resources: { cpus: 0.01 } });
    const acknowledged: string[] = [];
    let isLoading = true;
    const load = (async () => {
      while (isLoading) acknowledged.push((await cluster.call<{ execution: string }>('POST', '/v1/jobs/load/trigger')).execution);
    })();
    await until('there is load', () => acknowledged.length > 50);
    const before = acknowledged.length;
    await troupe('backup', file, '--data', data);
    await until('there is more load', () => acknowledged.length > before + 100);
    isLoading = false;
    await load;
    await cluster.killCenter();

    const refused = await troupe('restore', file, '--data', data).catch((error: { stderr: string }) => error.stderr);
    expect(String(refused)).toContain('--overwrite');
    await troupe('restore', file, '--data', data, '--overwrite');
    await cluster.startCenter();
    await cluster.ready('a1');
    expect((await warnings()).join()).toContain('restored from a backup');
    const all = async () => cluster.all<{ id: string; status: string; outcome: string | null }>('/v1/executions?job=load');
    await until('every execution is done', async () => (await all()).every(({ status }) => status === 'done'));
    const found = await all();
    // All of before the backup, and none that was never acknowledged; an outcome that a run had is
    // the one it has.
    expect(acknowledged.slice(0, before).filter(id => !found.some(one => one.id === id))).toEqual([]);
    expect(found.filter(({ id }) => !acknowledged.includes(id))).toEqual([]);
    expect(found.filter(({ outcome }) => outcome !== 'succeeded')).toEqual([]);
    const ran = lines(trace);
    expect(ran.length).toBe(new Set(ran).size);
    expect((await finished('load')).outcome).toBe('succeeded');
  });
});
