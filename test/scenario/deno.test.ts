/** Center, agent and keeper on Deno keep the guarantees of Bun (failure rows 1 and 3). */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { aCluster, type Cluster, until } from '../support/cluster.ts';
import { findDeno } from '../support/deno.ts';
import { type MongoServer, mongoServer } from '../support/mongo.ts';

setDefaultTimeout(90_000);

const deno = findDeno();
if (deno === undefined) {
  if (process.env.CI === 'true') throw new Error('CI shows that Troupe runs on Deno, and there is no deno: is the package installed?');
  console.warn('SKIPPED: no deno, so nothing is shown of Troupe on Deno (npm install brings it where there is a package for the machine)');
}

/** All that a center is given; no right to start programs, nor to touch what is not its own. */
const CENTER = (directory: string) => [
  '--allow-net=127.0.0.1',
  '--allow-env',
  '--allow-sys=hostname',
  `--allow-read=${directory},${join(import.meta.dir, '../..')}`,
  `--allow-write=${directory}`,
];

/** What runs the sources. */
const onDeno = (part: 'center' | 'agent', directory: string) => [
  deno ?? '',
  ...['run', '--quiet', '--no-prompt'],
  ...(part === 'center' ? CENTER(directory) : ['--allow-all']),
];

let cluster: Cluster;
let execution: string;
const file = (name: string) => join(cluster.directory, name);
const isDone = async () => (await cluster.execution(execution)).status === 'done';

describe.skipIf(deno === undefined)('on Deno', () => {
  beforeAll(async () => {
    cluster = await aCluster({
      env: { TROUPE_HEARTBEAT_MS: '1000', TROUPE_WORKERS: '2' },
      program: onDeno,
    });
    await cluster.startCenter();
    cluster.startAgent('a1');
    await cluster.ready('a1');
    const script = 'echo began $TROUPE_SHARD | tee -a "$0/began"; while [ ! -e "$0/go$TROUPE_SHARD" ]; do sleep 0.1; done; echo over >&2';
    const command = ['sh', '-c', `${script}; exit $((TROUPE_SHARD * 3))`, cluster.directory];
    await cluster.call('POST', '/v1/jobs', { name: 'two', command, shards: { total: 2 } });
    ({ execution } = await cluster.call<{ execution: string }>('POST', '/v1/jobs/two/trigger'));
    await until('both shards run', () => linesOf(file('began')).length === 2);
  });
  afterAll(() => cluster?.close());

  test('center, agent and keeper run on Deno', () => {
    for (const pid of [cluster.centerPid, cluster.agentPid('a1'), cluster.keeperPid('a1') ?? 0]) {
      expect(readlinkSync(`/proc/${pid}/exe`)).toMatch(/\bdeno$/);
    }
  });

  test('an agent on Deno does not take a copy for a clone, which it would make without a limit', () => {
    const directory = JSON.stringify(file('apps'));
    const code = `import { detectIsolation } from './src/agent/artifacts/isolation.ts';
      const done = await detectIsolation(${directory}, 'clone').then(({ isolation }) => isolation, error => error.constructor.name);
      console.log(done);`;
    expect(execFileSync(deno ?? '', ['eval', '--quiet', code], { cwd: join(import.meta.dir, '../..') }).toString()).toBe('ConfigError\n');
  });

  test('row 1: a run on Deno that ends while the center is gone is known to the next one', async () => {
    await cluster.killCenter();
    await Bun.write(file('go0'), '');
    await cluster.startCenter();
    await until('shard 0 is done', async () => (await cluster.execution(execution)).shards[0]?.status === 'done');
    expect((await cluster.execution(execution)).shards[0]).toMatchObject({ attempt: 1, outcome: 'succeeded', exitCode: 0 });
  });

  test('row 3: a run on Deno that ends while the agent is gone is known to the next one, output and exit code included', async () => {
    await cluster.killAgent('a1');
    await Bun.write(file('go1'), '');
    cluster.startAgent('a1');
    await until('the execution is done', isDone);
    const { outcome, shards } = await cluster.execution(execution);
    expect({ outcome, last: shards[1] }).toMatchObject({ outcome: 'failed', last: { attempt: 1, exitCode: 3 } });
    const logs = `${cluster.url}/v1/executions/${encodeURIComponent(execution)}/logs?shard=1`;
    // Output has a way of its own and may come after the verdict.
    await until('all output is there', async () => {
      const text = await (await fetch(logs, { headers: { accept: 'text/plain' } })).text();
      return text === 'began 1\nover\n';
    });
    expect(linesOf(file('began')).toSorted()).toEqual(['began 0', 'began 1']);
  });
});

const server = deno === undefined ? undefined : await mongoServer();

describe.skipIf(server === undefined)('on Deno and MongoDB', () => {
  test('row 1: a center on Deno and MongoDB that is killed knows after its restart what ended meanwhile', async () => {
    const database = (server as MongoServer).database();
    const center = await aCluster({ env: { TROUPE_STORE: database.url, TROUPE_WORKERS: '1' }, program: onDeno });
    try {
      await center.startCenter();
      expect(readlinkSync(`/proc/${center.centerPid}/exe`)).toMatch(/\bdeno$/);
      center.startAgent('a1');
      await center.ready('a1');
      const gate = join(center.directory, 'go');
      const began = join(center.directory, 'began');
      const command = ['sh', '-c', `touch ${began}; while [ ! -e ${gate} ]; do sleep 0.1; done; exit 3`];
      await center.call('POST', '/v1/jobs', { name: 'one', command });
      const { execution: id } = await center.call<{ execution: string }>('POST', '/v1/jobs/one/trigger');
      await until('it runs', () => existsSync(began));
      await center.killCenter();
      await Bun.write(gate, '');
      await center.startCenter();
      await until('it is done', async () => (await center.execution(id)).status === 'done');
      expect(await center.execution(id)).toMatchObject({ outcome: 'failed', shards: [{ attempt: 1, exitCode: 3 }] });
    } finally {
      await center.close();
      await database.drop();
    }
  });
});

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
