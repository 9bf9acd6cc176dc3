/** Starts and stops of the Cloudtask dialect, with a real agent and real processes. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aCluster, type Cluster, until } from '../support/cluster.ts';

setDefaultTimeout(60_000);

let cluster: Cluster;
beforeAll(async () => {
  cluster = await aCluster();
  await cluster.startCenter();
  cluster.startAgent('a1');
  await cluster.ready('a1');
});
afterAll(() => cluster?.close());

const act = (jobid: string, action: string) => cluster.call('PUT', '/cloudtask/v2/jobs/action', { jobid, action, runtime: 'default' });
const openOf = async (job: string): Promise<string> => {
  const { items } = await cluster.call<{ items: { id: string }[] }>('GET', `/v1/executions?job=${job}&limit=1`);
  return items[0]?.id ?? '';
};

/** A zombie counts as ended. */
function isAlive(pid: string): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe('a stop', () => {
  test('a stop ends the whole tree of a job that ignores TERM, after its grace, as cancelled; then the job starts again', async () => {
    const pids = join(cluster.directory, 'pids');
    const stubborn = `trap '' TERM; (trap '' TERM; echo $BASHPID >> ${pids}; sleep 1000) & echo $$ >> ${pids}; wait; sleep 1000`;
    const command = `exec bash -c ${JSON.stringify(stubborn.replaceAll('$', '\\$'))}`;
    const { id } = await cluster.call<{ id: string }>('POST', '/v1/jobs', { name: 'tree', command, shell: true, killGraceMs: 300 });
    await act(id, 'start');
    const read = () => (existsSync(pids) ? readFileSync(pids, 'utf8').trim().split('\n') : []);
    await until('both processes run', () => read().length === 2);
    const execution = await openOf('tree');
    await act(id, 'stop');
    await until('it is done', async () => (await cluster.execution(execution)).status === 'done');
    const { outcome, reason, shards } = await cluster.execution(execution);
    expect([outcome, reason, shards[0]?.outcome]).toEqual(['cancelled', expect.stringMatching(/^stopped by /), 'cancelled']);
    await until('no process of it is left', () => !read().some(isAlive));
    await act(id, 'start');
    await until('it runs again', () => read().length === 4);
    await act(id, 'stop');
    await until('no process of it is left', () => !read().some(isAlive));
  });

  test('a stop right behind a start leaves no process behind', async () => {
    const { id } = await cluster.call<{ id: string }>('POST', '/v1/jobs', { name: 'brief', command: ['sleep', '1000'], killGraceMs: 300 });
    for (let round = 0; round < 5; round++) {
      await act(id, 'start');
      await act(id, 'stop');
      const execution = await openOf('brief');
      await until('it is done', async () => (await cluster.execution(execution)).status === 'done');
      expect((await cluster.execution(execution)).outcome).toBe('cancelled');
    }
    await until('the host runs nothing', async () => {
      const { items } = await cluster.call<{ items: { running: number }[] }>('GET', '/v1/hosts');
      return items.every(({ running }) => running === 0);
    });
  });
});
