/** A hundred sticky jobs on three hosts: a host is lost and comes back, and what runs stays. */
import { expect, test } from 'bun:test';
import { rowsOf } from '../../actors/table/entries.ts';
import { choose } from '../../actors/table/ring.ts';
import { aJob } from '../support/builders.ts';
import { aRuntime, restarted, type TestRuntime } from '../support/runtime.ts';

const HOSTS = ['h1', 'h2', 'h3'];
const idOf = (nth: number): string => (nth * 7919 + 17).toString(16).padStart(24, 'a5');

async function aWorld(): Promise<TestRuntime> {
  const world = await aRuntime();
  for (const host of HOSTS) await world.aHost(host, { cpus: 64, graceMs: 5_000 });
  for (let nth = 0; nth < 100; nth++) {
    const config = aJob({ name: `job${nth}`, id: idOf(nth), placement: 'sticky' });
    await world.ask(`job/job${nth}`, { type: 'job.register', config });
  }
  return world;
}

async function read(world: TestRuntime) {
  const { context } = await world.context('table/default');
  const rows = Object.fromEntries(rowsOf(context).map(({ job, hosts }) => [job, hosts[0] as string]));
  for (const [job, host] of Object.entries(rows)) expect((await world.context(`job/${job}`)).context.allocatedHosts).toEqual([host]);
  return { version: context.version, rows };
}

test('the jobs of a lost host go to the others and come back with it; nothing else moves, and what runs stays', async () => {
  let world = await aWorld();
  const before = await read(world);
  expect(Object.keys(before.rows)).toHaveLength(100);
  const names = Object.keys(before.rows);
  for (const [nth, name] of names.entries()) expect(before.rows[name]).toBe(choose(HOSTS, idOf(nth), () => true) as string);

  await world.tell('host/h2', { type: 'host.disconnected', session: 'h2-1', reason: 'gone' });
  expect((await read(world)).rows).toEqual(before.rows);
  await world.clock.advance(5_100);
  const lost = await read(world);
  const own = names.filter(name => before.rows[name] === 'h2');
  expect(own.length).toBeGreaterThan(10);
  expect(names.filter(name => lost.rows[name] !== before.rows[name])).toEqual(own);
  for (const name of own) expect(lost.rows[name]).toBe(choose(['h1', 'h3'], idOf(names.indexOf(name)), () => true) as string);
  expect(lost.version).toBeGreaterThan(before.version);

  // One of them runs while its host comes back.
  const busy = own[0] as string;
  await world.ask(`job/${busy}`, { type: 'job.trigger' });
  const [start] = world.starts();
  if (!start) throw new Error('nothing was started');
  expect(world.fleet.sent.map(({ host }) => host)).toEqual([lost.rows[busy] as string]);
  await world.started(start, lost.rows[busy]);
  await world.tell('host/h2', {
    ...{ type: 'host.connected', session: 'h2-2', address: '127.0.0.1', bootId: 'b', runs: [] },
    capabilities: (await world.context('host/h1')).context.capabilities as never,
  });
  const back = await read(world);
  expect(back.rows).toEqual({ ...before.rows, [busy]: lost.rows[busy] as string });

  world = await restarted(world);
  expect(await read(world)).toEqual(back);
  await world.ended(start, 'succeeded', lost.rows[busy]);
  const after = await read(world);
  expect(after.rows).toEqual(before.rows);
  expect(after.version).toBeGreaterThan(back.version);
});

test('the messages of a large table gather for one write, and none of them is lost', async () => {
  const host = 'host-with-a-name-of-forty-letters-or-more';
  const world = await aRuntime();
  await world.aHost(host, { cpus: 64 });
  const register = (name: string, total: number, id: number) =>
    world.ask(`job/${name}`, {
      type: 'job.register',
      config: aJob({ name, id: idOf(id), placement: 'sticky', shards: { total, parameters: {} } }),
    });
  await register('large', 8_000, 1);
  await world.clock.advance(1_000);
  await register('first', 1, 2);
  const { rev, context } = await world.context('table/default');
  // Far apart: without the wait each of them is a write of its own.
  for (let nth = 0; nth < 20; nth++) {
    await register(`more${nth}`, 1, 3 + nth);
    await world.settled();
  }
  expect(await world.context('table/default')).toMatchObject({ rev, context: { version: context.version } });
  await world.clock.advance(1_000);
  const after = await world.context('table/default');
  expect(rowsOf(after.context)).toHaveLength(22);
  // Claims and moves of all of them.
  expect(after.rev).toBeLessThanOrEqual(rev + 3);
  for (let nth = 0; nth < 20; nth++) expect((await world.context(`job/more${nth}`)).context.allocatedHosts).toEqual([host]);
});
