/**
 * A host that refuses everything is no black hole: what it cannot start runs on another host, and
 * it gets work again once it can.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { aCluster, type Cluster, until } from '../support/cluster.ts';

setDefaultTimeout(60_000);

let cluster: Cluster;
afterEach(() => cluster.close());

type Refusing = { fault: string; reason: string; triedAt: string | null } | null;
const hostOf = async (name: string) =>
  (await cluster.call<{ items: { name: string; status: string; refusing: Refusing }[] }>('GET', '/v1/hosts')).items.find(
    host => host.name === name,
  );

async function tenTriggers() {
  const ids: string[] = [];
  for (let count = 0; count < 10; count++) ids.push((await cluster.call<{ execution: string }>('POST', '/v1/jobs/ten/trigger')).execution);
  const all = () => Promise.all(ids.map(id => cluster.execution(id)));
  await until('all ten are done', async () => (await all()).every(({ status }) => status === 'done'));
  return all();
}

/** Breaks the one host, and gives back how to mend it. */
const FAULTS: Record<string, (directory: string) => () => void> = {
  keeper(directory) {
    // Where the keeper's directory belongs.
    writeFileSync(join(directory, 'keeper'), 'in the way');
    return () => rmSync(join(directory, 'keeper'));
  },
  spawn() {
    const limit = (files: number) =>
      execFileSync('prlimit', ['--pid', String(cluster.keeperPid('bad')), `--nofile=${files}:4096`], { stdio: 'ignore' });
    limit(4);
    return () => limit(4_096);
  },
};

describe('of two hosts, one without', () => {
  test.each(Object.keys(FAULTS))('ten triggers run on the other host where one is without %s, and it is tried again', async fault => {
    cluster = await aCluster();
    await cluster.startCenter();
    const directory = join(cluster.directory, 'bad');
    mkdirSync(directory);
    let mend = () => {};
    if (fault === 'keeper') mend = FAULTS.keeper?.(directory) ?? mend;
    cluster.startAgent('bad');
    await cluster.ready('bad');
    cluster.startAgent('good');
    await cluster.ready('good');
    await cluster.call('POST', '/v1/jobs', { name: 'ten', command: ['true'], failover: true, overlap: 'allow', overlapLimit: 20 });
    if (fault === 'spawn') {
      // A runtime raises its limits when it begins: the keeper must be past that.
      await until('the keeper serves', () => existsSync(join(directory, 'keeper', 'socket')));
      mend = FAULTS.spawn?.(directory) ?? mend;
    }
    const done = await tenTriggers();
    expect(done.map(({ outcome, shards }) => [outcome, shards[0]?.hostName])).toEqual(done.map(() => ['succeeded', 'good']));
    expect(done.filter(({ shards }) => (shards[0]?.attempt ?? 0) > 1).length).toBeGreaterThan(0);
    expect((await hostOf('bad'))?.refusing).toMatchObject({ fault });

    mend();
    await until('it is tried again', async () => (await hostOf('bad'))?.refusing?.triedAt === null);
    expect((await tenTriggers()).every(({ outcome }) => outcome === 'succeeded')).toBe(true);
    await until('it has work again', async () => (await hostOf('bad'))?.refusing === null);
  });
});
