/**
 * A center that goes on with an earlier state of its data: agents go on with it, and no run is done
 * twice or waited for in vain.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { aRealHouse, type House, until } from '../support/house.ts';

setDefaultTimeout(90_000);

let house: House;
afterEach(() => house.close());

async function finished(job: string) {
  const { execution } = await house.call<{ execution: string }>('POST', `/v1/jobs/${job}/trigger`);
  await until(`${execution} is done`, async () => (await house.execution(execution)).status === 'done', 30_000);
  return house.execution(execution);
}
const lines = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []);
const warnings = async () => (await house.call<{ detail?: string[] }>('GET', '/v1/ready')).detail ?? [];

describe('a center whose data was copied back by hand', () => {
  test('raises its epochs, so that its hosts go on, and says what is lost', async () => {
    house = await aRealHouse();
    const [data, copy] = [join(house.directory, 'center'), join(house.directory, 'copy')];
    await house.startCenter();
    house.startAgent('a1');
    await house.ready('a1');
    await house.call('POST', '/v1/jobs', { name: 'short', command: ['true'] });
    const gate = join(house.directory, 'go');
    const wait = ['sh', '-c', `echo $TROUPE_JOB >> ${join(house.directory, 'began')}; while [ ! -e ${gate} ]; do sleep 0.1; done`];
    for (const name of ['known', 'unknown']) await house.call('POST', '/v1/jobs', { name, command: wait });
    const { execution: known } = await house.call<{ execution: string }>('POST', '/v1/jobs/known/trigger');
    await until('it runs', async () => (await house.execution(known)).shards[0]?.status === 'running');
    await house.stopCenter();
    cpSync(data, copy, { recursive: true });

    for (let start = 0; start < 4; start++) {
      await house.startCenter();
      await house.ready('a1');
      expect((await finished('short')).outcome).toBe('succeeded');
      if (start === 3) {
        await house.call('POST', '/v1/jobs/unknown/trigger');
        await until('both have begun', () => lines(join(house.directory, 'began')).length === 2);
      }
      await house.stopCenter();
    }
    rmSync(data, { recursive: true });
    cpSync(copy, data, { recursive: true });

    await house.startCenter();
    await house.ready('a1');
    expect((await finished('short')).outcome).toBe('succeeded');
    expect((await warnings()).join()).toContain('an earlier copy was put back by hand');
    // What it does not know was ended, what it knows goes on.
    expect((await house.execution(known)).shards[0]?.status).toBe('running');
    await until('what it does not know is ended', () => lines(join(house.directory, 'a1.log')).join('\n').includes('superseded'));
    await Bun.write(gate, '');
    await until('what it knows ends', async () => (await house.execution(known)).status === 'done');
    expect((await house.execution(known)).outcome).toBe('succeeded');
    expect(lines(join(house.directory, 'began'))).toEqual(['known', 'unknown']);
  });

  test('receives the end of a run that ended after the copy was made', async () => {
    house = await aRealHouse();
    const [data, copy] = [join(house.directory, 'center'), join(house.directory, 'copy')];
    await house.startCenter();
    house.startAgent('a1');
    await house.ready('a1');
    const gate = join(house.directory, 'go');
    const began = join(house.directory, 'began');
    const command = ['sh', '-c', `echo began >> ${began}; while [ ! -e ${gate} ]; do sleep 0.1; done`];
    await house.call('POST', '/v1/jobs', { name: 'long', command, failover: true });
    const { execution } = await house.call<{ execution: string }>('POST', '/v1/jobs/long/trigger');
    await until('it runs', async () => (await house.execution(execution)).shards[0]?.status === 'running');
    await house.stopCenter();
    cpSync(data, copy, { recursive: true });
    await house.startCenter();
    await Bun.write(gate, '');
    await until('it has ended', async () => (await house.execution(execution)).status === 'done');
    // Served by the later state, so that the agent knows its epoch.
    await house.call('POST', '/v1/jobs', { name: 'short', command: ['true'] });
    for (let more = 0; more < 8; more++) await finished('short');
    await house.stopCenter();
    rmSync(data, { recursive: true });
    cpSync(copy, data, { recursive: true });

    await house.startCenter();
    await house.ready('a1');
    await until('it is done', async () => (await house.execution(execution)).status === 'done');
    expect(await house.execution(execution)).toMatchObject({ outcome: 'succeeded', shards: [{ attempt: 1 }] });
    expect(lines(began)).toEqual(['began']);
  });
});

describe('a backup that is made while triggers run', () => {
  test('is restored to a center whose hosts go on; what was acknowledged before it is there, once', async () => {
    house = await aRealHouse();
    const data = join(house.directory, 'center');
    const file = join(house.directory, 'backup.sqlite');
    const troupe = (...args: string[]) =>
      promisify(execFile)(process.execPath, [join(import.meta.dir, '../../src/cli/main.ts'), ...args], {
        env: { ...process.env, TROUPE_STORE: '' },
      });
    await house.startCenter();
    house.startAgent('a1');
    await house.ready('a1');
    const trace = join(house.directory, 'trace');
    const command = ['sh', '-c', `echo $TROUPE_EXECUTION >> ${trace}`];
    await house.call('POST', '/v1/jobs', { name: 'load', command, overlap: 'allow', overlapLimit: 500, resources: { cpus: 0.01 } });
    const acknowledged: string[] = [];
    let isLoading = true;
    const load = (async () => {
      while (isLoading) acknowledged.push((await house.call<{ execution: string }>('POST', '/v1/jobs/load/trigger')).execution);
    })();
    await until('there is load', () => acknowledged.length > 50);
    const before = acknowledged.length;
    await troupe('backup', file, '--data', data);
    await until('there is more load', () => acknowledged.length > before + 100);
    isLoading = false;
    await load;
    await house.killCenter();

    const refused = await troupe('restore', file, '--data', data).catch((error: { stderr: string }) => error.stderr);
    expect(String(refused)).toContain('--overwrite');
    await troupe('restore', file, '--data', data, '--overwrite');
    await house.startCenter();
    await house.ready('a1');
    expect((await warnings()).join()).toContain('restored from a backup');
    const all = async () => house.all<{ id: string; status: string; outcome: string | null }>('/v1/executions?job=load');
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
