/**
 * A schedule that silently stopped, on a real center with several workers: found, repaired, and
 * shown on every surface.
 */
import { afterEach, expect, test } from 'bun:test';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { aCluster, type Cluster, until } from '../support/cluster.ts';

let cluster: Cluster | undefined;
afterEach(async () => {
  await cluster?.close();
  cluster = undefined;
});

interface Ready {
  detail?: string[];
}

test('a job that lost its due time in the store is armed again by the schedule audit, and every surface says so', async () => {
  cluster = await aCluster({ env: { TROUPE_WORKERS: '2', TROUPE_STORE: 'sqlite' } });
  const { directory, call, url } = cluster;
  await cluster.startCenter();
  for (const name of ['stopped', 'fine']) {
    await call('POST', '/v1/jobs', { name, command: ['true'], schedules: [{ type: 'cron', cron: '0 0 3 * * ?' }] });
  }
  await cluster.stopCenter();
  const dues = () => {
    const db = new DatabaseSync(join(directory, 'center', 'troupe.sqlite'));
    try {
      return db.prepare(`select _id as id, next_due as due from actors where kind = 'job' order by _id`).all();
    } finally {
      db.close();
    }
  };
  const before = dues();
  const db = new DatabaseSync(join(directory, 'center', 'troupe.sqlite'));
  db.exec(`update actors set next_due = null where _id = 'job/stopped'`);
  db.close();

  await cluster.startCenter();
  await until('the audit has found it', async () => ((await call<Ready>('GET', '/v1/ready')).detail ?? []).length > 0);
  const { detail } = await call<Ready>('GET', '/v1/ready');
  expect(detail?.join()).toMatch(/^schedule audit: at .*Z the schedule of 1 job was not armed, and armed again: stopped$/);
  expect(dues()).toEqual(before);
  const metrics = await (await fetch(`${url}/v1/metrics`)).text();
  expect(metrics).toMatch(/^troupe_schedules_unarmed(_total)? 1$/m);
  const { sentence } = await call<{ sentence: string }>('GET', '/v1/jobs/stopped/why');
  expect(sentence).toContain('the schedule audit found at');
  expect((await call<{ sentence: string }>('GET', '/v1/jobs/fine/why')).sentence).not.toContain('audit');
  const facts = await cluster.all<{ type: string }>('/v1/history/job/stopped');
  expect(facts.filter(({ type }) => type === 'schedule.unarmed')).toHaveLength(1);
});
