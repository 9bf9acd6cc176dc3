/** Starts on a real host: accepted jobs can start, and a failed start is recorded. */
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { aCluster, type Cluster, until } from '../support/cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await aCluster();
  await cluster.startCenter();
  cluster.startAgent('a1', { cpus: 2 });
  await cluster.ready('a1');
}, 60_000);
afterAll(() => cluster.close());

const ended = async (job: string) => {
  const { execution } = await cluster.call<{ execution: string }>('POST', `/v1/jobs/${job}/trigger`);
  await until(`${execution} is done`, async () => (await cluster.execution(execution)).status === 'done');
  return cluster.execution(execution);
};

test('the largest parameter that a job may have, and the context that carries it again, reach the process whole', async () => {
  const command = `test "$(printf %s "$TROUPE_JOB_PARAMETER" | wc -c)" = 131050 && test "$(printf %s "$1" | wc -c)" -gt 40000`;
  const largest = `${'中'.repeat(43_683)}a`;
  await cluster.call('POST', '/v1/jobs', { name: 'largest', shell: true, command: command.replace(/ && .*/, ''), parameter: largest });
  expect(await ended('largest')).toMatchObject({ outcome: 'succeeded', reason: null });
  const twice = { shell: true, shardingContext: true, command: command.replace('131050', '40000'), parameter: '"'.repeat(40_000) };
  await cluster.call('POST', '/v1/jobs', { name: 'twice', ...twice });
  expect(await ended('twice')).toMatchObject({ outcome: 'succeeded', reason: null });
  const larger = cluster.call('POST', '/v1/jobs', { name: 'larger', command: ['true'], parameter: `${largest}a` });
  expect(await larger.catch(String)).toContain('parameter takes 131051 bytes');
});

test('a due time waits until its execution begins, has run when it did, and is given up where its job says so', async () => {
  const everySecond = [{ type: 'cron', cron: '* * * * * ?' }];
  const created = await cluster.call<{ warnings: { field: string }[] }>('POST', '/v1/jobs', {
    ...{ name: 'stuck', command: ['true'], schedules: everySecond, resources: { cpus: 3 }, startWithinMs: 1_500 },
  });
  expect(created.warnings.map(({ field }) => field)).toContain('resources.cpus');
  await cluster.call('POST', '/v1/jobs', { name: 'fits', command: ['true'], schedules: everySecond });
  type Due = { verdict: string; execution: string | null; reason: string | null };
  const dues = (job: string, verdict: string) => cluster.all<Due>(`/v1/jobs/${job}/occurrences?verdict=${verdict}`);
  await until('one waits', async () => (await dues('stuck', 'waiting')).length === 1);
  await until('two were given up, one after the other', async () => (await dues('stuck', 'notStarted')).length >= 2);
  await until('others ran', async () => (await dues('fits', 'ran')).length >= 2);
  expect(await dues('stuck', 'ran')).toEqual([]);
  const [first] = await dues('stuck', 'notStarted');
  expect(first?.reason).toStartWith('not started within 1500ms: needs 1 x 3 cpu');
  expect(await cluster.execution(first?.execution ?? '')).toMatchObject({ outcome: 'failed', reason: first?.reason ?? '' });
});
