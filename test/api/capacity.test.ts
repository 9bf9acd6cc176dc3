/** Warnings about jobs that no host of their pool can hold. */
import { expect, test } from 'bun:test';
import { anApi } from './support.ts';

/**
 * A pool of one host of 2 cpu and 1,000 MB and one of 4 cpu and 500 MB; of the second everything is
 * taken.
 */
async function aPool() {
  const api = await anApi();
  await api.world.aHost('h1', { cpus: 2, memoryMB: 1_000 });
  await api.world.aHost('h2', { cpus: 4, memoryMB: 500 });
  await api.post('/v1/jobs', { name: 'taker', command: 'x', resources: { cpus: 4, memoryMB: 500 } });
  await api.post('/v1/jobs/taker/trigger');
  return api;
}
const warningsOf = async (api: Awaited<ReturnType<typeof aPool>>, job: object) => {
  const { status, body } = await api.post('/v1/jobs', { name: `j${Math.trunc(Bun.nanoseconds())}`, command: 'x', ...job });
  expect(status).toBe(201);
  return (body.warnings as { field: string; message: string }[]).map(({ field, message }) => `${field}: ${message}`);
};

test('a job that no host of its pool can ever hold is answered with a warning, at its creation and at a change', async () => {
  const api = await aPool();
  expect(await warningsOf(api, { resources: { cpus: 5, memoryMB: 10 } })).toEqual([
    'resources.cpus: no host of pool default can run a shard of 5 cpu and 10 MB; the largest has 4 cpu and 1000 MB: no execution starts there. Set less, or add a larger host.',
  ]);
  expect(await warningsOf(api, { resources: { cpus: 1, memoryMB: 1_001 } })).toMatchObject([
    expect.stringMatching(/^resources\.memoryMB: /),
  ]);
  // Each alone is there, but on no host both.
  expect(await warningsOf(api, { resources: { cpus: 3, memoryMB: 800 } })).toMatchObject([expect.stringMatching(/^resources: /)]);
  await api.post('/v1/jobs', { name: 'grows', command: 'x' });
  const { body } = await api.patch('/v1/jobs/grows', { resources: { cpus: 9 } });
  expect(body.warnings).toMatchObject([{ field: 'resources.cpus' }]);
});

test('shards that fit one by one and not together are a warning, unless what fits may start', async () => {
  const api = await aPool();
  const six = { shards: { total: 7 }, resources: { cpus: 1, memoryMB: 10 } };
  expect(await warningsOf(api, six)).toEqual([
    'shards.total: the hosts of pool default can run 6 of 7 shards of 1 cpu and 10 MB at once: no execution starts there. Set fewer or smaller shards or "partial", or add hosts.',
  ]);
  expect(await warningsOf(api, { ...six, partial: true })).toEqual([]);
  expect(await warningsOf(api, { ...six, shards: { total: 6 } })).toEqual([]);
});

test('the room of its app counts, and a job that only waits for others or whose pool is empty gets no warning', async () => {
  const api = await aPool();
  expect(await warningsOf(api, { resources: { cpus: 4, memoryMB: 500 } })).toEqual([]);
  await api.post('/v1/apps', { name: 'app', url: 'http://127.0.0.1:1/x', command: 'x', resources: { cpus: 1, memoryMB: 10 } });
  expect(await warningsOf(api, { app: 'app', resources: { cpus: 4, memoryMB: 10 } })).toMatchObject([
    expect.stringContaining('its app included'),
  ]);
  await api.post('/v1/pools', { name: 'empty' });
  expect(await warningsOf(api, { pool: 'empty', resources: { cpus: 400 } })).toEqual([]);
});
