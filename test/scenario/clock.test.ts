/**
 * Failure rows 9 and 10: the clock of the center's machine is set while it runs, an hour ahead and
 * an hour back.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aCluster, type Cluster, until } from '../support/cluster.ts';
import { type FakeTime, findFakeTime } from '../support/fake-time.ts';

setDefaultTimeout(60_000);

const HOUR_S = 3_600;
const fakeTime = findFakeTime();
if (!fakeTime) console.warn('SKIPPED: no libfaketime, so nothing is shown of clocks that are set (apt-get install libfaketime)');

let cluster: Cluster;
let time: FakeTime;
let directory: string;

const hostStatus = async (name: string) =>
  (await cluster.call<{ items: { name: string; status: string }[] }>('GET', '/v1/hosts')).items.find(host => host.name === name)?.status;
const isLogged = (text: string) => readFileSync(join(cluster.directory, 'center.log'), 'utf8').includes(text);
interface Fired {
  id: string;
  dueAt: string | null;
  trigger: string;
  status: string;
  outcome: string | null;
}
const runsOf = (job: string) => cluster.all<Fired>(`/v1/executions?job=${job}`);
const verdictsOf = (job: string) => cluster.call<Record<string, number>>('GET', `/v1/jobs/${job}/occurrences?summary=true`);
const everySecond = (name: string, more: object = {}) =>
  cluster.call('POST', '/v1/jobs', { name, command: 'true', schedules: [{ type: 'cron', cron: '* * * * * ?' }], ...more });

describe.skipIf(!fakeTime)('a center whose clock is set', () => {
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'troupe-clock-'));
    time = (fakeTime as NonNullable<typeof fakeTime>)(join(directory, 'offset'));
    const graces = { TROUPE_HOST_GRACE_MS: '60000', TROUPE_CLOSED_GRACE_MS: '60000' };
    cluster = await aCluster({ env: { ...time.env, ...graces, TROUPE_HEARTBEAT_MS: '250' } });
    await cluster.startCenter();
    cluster.startAgent('a1');
    // Too small for any job, so that nothing waits for it when it is away.
    cluster.startAgent('a2', { cpus: 0.01, memoryMB: 1 });
    await cluster.ready('a1', 'a2');
    await everySecond('skips', { misfire: { policy: 'skip' } });
    await everySecond('catches-up', { misfire: { policy: 'once' } });
    for (const job of ['skips', 'catches-up']) await until(`${job} runs`, async () => (await runsOf(job)).length > 0);
  });
  afterAll(async () => {
    await cluster?.close();
    if (directory) rmSync(directory, { recursive: true, force: true });
  });

  test('row 9: a center whose clock is set an hour ahead reports it, gives each due time of that hour its verdict, and starts no storm', async () => {
    await cluster.killAgent('a2');
    await until('a2 is missed', async () => (await hostStatus('a2')) === 'suspect');
    time.set(HOUR_S);
    await until('it is said', () => isLogged('the wall clock jumped ahead by 3600 s'));
    await until('the hour is accounted for', async () => {
      const { missedDown = 0 } = await verdictsOf('skips');
      const { coalesced = 0 } = await verdictsOf('catches-up');
      return missedDown > HOUR_S - 100 && coalesced > HOUR_S - 100;
    });
    await until('they go on', async () => {
      const [newest] = await runsOf('skips');
      return newest?.outcome === 'succeeded' && Date.parse(newest.dueAt ?? '') > Date.now() + HOUR_S * 1_000 - 30_000;
    });
    // One second each since it began, and not one for each second of that hour.
    for (const job of ['skips', 'catches-up']) expect((await runsOf(job)).length).toBeLessThan(90);
    expect((await runsOf('catches-up')).filter(({ trigger }) => trigger === 'misfire')).toHaveLength(1);
    expect((await runsOf('skips')).filter(({ trigger }) => trigger === 'misfire')).toEqual([]);
  });

  test('a center whose clock is set loses no host by it', async () => {
    expect([await hostStatus('a1'), await hostStatus('a2')]).toEqual(['ready', 'suspect']);
  });

  test('row 10: a center whose clock is set back reports it, starts no due time twice, and goes on with all that waits', async () => {
    await cluster.call('POST', '/v1/jobs', {
      name: 'again',
      command: 'false',
      retry: { attempts: 3, backoffMs: 3_000, maxBackoffMs: 3_000 },
    });
    const { execution } = await cluster.call<{ execution: string }>('POST', '/v1/jobs/again/trigger');
    await until('it has failed once', async () => ((await cluster.execution(execution)).shards[0]?.attempt ?? 0) >= 1);
    time.set(0);
    await until('it is said', () => isLogged('the wall clock was set back by 3600 s'));
    const before = await runsOf('skips');
    await everySecond('fresh');
    await until('what is new runs each second', async () => (await runsOf('fresh')).filter(({ status }) => status === 'done').length >= 2);
    await until('what waited for its next attempt has had all of them', async () => (await cluster.execution(execution)).status === 'done');
    expect((await cluster.execution(execution)).shards[0]?.attempt).toBe(3);
    const after = await runsOf('skips');
    // A due time or two may have passed on the way to the other clock.
    expect(after.length - before.length).toBeLessThanOrEqual(2);
    for (const job of ['skips', 'catches-up']) {
      const dues = (await runsOf(job)).map(({ dueAt }) => dueAt);
      expect(new Set(dues).size).toBe(dues.length);
    }
    expect(await hostStatus('a1')).toBe('ready');
  });
});
