/**
 * What a run wrote, what of it the log has, and what a run left behind: on real processes, one
 * figure wherever it is shown.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
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

type Output = { stdoutBytes: number; stderrBytes: number; leftOutBytes: number };
type Ended = Execution & { shards: { output: Output | null; outcome: string }[] };

async function run(name: string, job: Record<string, unknown>): Promise<Ended> {
  await cluster.call('POST', '/v1/jobs', { name, ...job });
  const { execution } = await cluster.call<{ execution: string }>('POST', `/v1/jobs/${name}/trigger`);
  await until(`${execution} is done`, async () => (await cluster.execution(execution).catch(() => undefined))?.status === 'done');
  return (await cluster.execution(execution)) as Ended;
}

const logOf = async (id: string, query = ''): Promise<{ stream: string; text: string; leftOut?: number }[]> => {
  const answer = await fetch(`${cluster.url}/v1/executions/${encodeURIComponent(id)}/logs?shard=0${query}`);
  return (await answer.text())
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line));
};

/** Bytes that a log shows and bytes that it counts as left out, per stream. */
function sumsOf(lines: Awaited<ReturnType<typeof logOf>>) {
  const sums = { stdout: { shown: 0, leftOut: 0 }, stderr: { shown: 0, leftOut: 0 } };
  for (const { stream, text, leftOut = 0 } of lines) {
    const sum = sums[stream as 'stdout' | 'stderr'];
    sum.shown += Buffer.byteLength(text);
    sum.leftOut += leftOut;
  }
  return sums;
}

describe('the bytes that are left out of a log', () => {
  test('the bytes left out of a log are one number, exact on both streams: execution, list, log, followed log, also after restarts', async () => {
    const [stdoutBytes, stderrBytes] = [3_038_895, 1_388_894];
    const { id } = await run('much', { shell: true, command: 'seq 1 450000 & seq 1 215000 | head -c 1388894 >&2; wait' });
    // Who follows while it is written may see what the limits of the log drop later, and misses as
    // much less.
    const live = sumsOf(await logOf(id, '&follow=true'));
    expect(live.stdout.shown + live.stdout.leftOut).toBe(stdoutBytes);
    expect(live.stderr.shown + live.stderr.leftOut).toBe(stderrBytes);
    const check = async () => {
      const followed = sumsOf(await logOf(id, '&follow=true'));
      const read = sumsOf(await logOf(id));
      expect(read).toEqual(followed);
      expect(read.stdout.shown + read.stdout.leftOut).toBe(stdoutBytes);
      expect(read.stderr.shown + read.stderr.leftOut).toBe(stderrBytes);
      const leftOutBytes = read.stdout.leftOut + read.stderr.leftOut;
      expect(leftOutBytes).toBeGreaterThan(3_000_000);
      const output = { stdoutBytes, stderrBytes, leftOutBytes };
      const one = (await cluster.execution(id)) as Ended;
      const { items } = await cluster.call<{ items: Ended[] }>('GET', '/v1/executions?job=much');
      expect([one.shards[0]?.output, items[0]?.shards[0]?.output]).toEqual([output, output]);
      return output;
    };
    const before = await check();
    await cluster.killAgent('a1');
    cluster.startAgent('a1');
    await cluster.stopCenter();
    await cluster.startCenter();
    await cluster.ready('a1');
    expect(await check()).toEqual(before);
  });
});

describe('a run that leaves processes running', () => {
  test('a run that leaves processes running succeeds, and its reason, a fact and why say that they were ended', async () => {
    const { id, outcome, shards } = await run('leaves', { shell: true, command: 'sleep 300 & echo started' });
    expect({ outcome, reason: shards[0]?.reason }).toEqual({ outcome: 'succeeded', reason: 'left 1 process running; ended' });
    const { items } = await cluster.call<{ items: { type: string; data: Record<string, unknown> }[] }>(
      'GET',
      `/v1/history/execution/${encodeURIComponent(id)}`,
    );
    expect(items.find(({ type }) => type === 'shard.leftRunning')?.data).toMatchObject({ item: 0, attempt: 1, processes: 1 });
    for (const what of [`executions/${encodeURIComponent(id)}`, 'jobs/leaves']) {
      const why = await cluster.call<{ sentence: string; facts: unknown[] }>('GET', `/v1/${what}/why`);
      expect(JSON.stringify(why)).toContain('left 1 process running; ended');
    }
  });

  test('a failed run that leaves processes running keeps its exit code, and reports them too', async () => {
    const { outcome, shards } = await run('fails', { shell: true, command: 'sleep 300 & sleep 301 & exit 3' });
    expect({ outcome, ...shards[0] }).toMatchObject({ outcome: 'failed', exitCode: 3, reason: 'left 2 processes running; ended' });
  });

  test('a run that leaves no processes running has no reason', async () => {
    const { outcome, shards } = await run('clean', { shell: true, command: 'sleep 0.01 & wait' });
    expect({ outcome, reason: shards[0]?.reason }).toEqual({ outcome: 'succeeded', reason: null });
  });
});
