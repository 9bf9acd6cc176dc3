/** Notices of jobs and pools through the runtime, with a notifier by hand. */
import { describe, expect, test } from 'bun:test';
import type { NotifySettings } from '../../actors/notice/types.ts';
import type { NoticeOrder } from '../../src/runtime/notifier.ts';
import { aJob } from '../support/builders.ts';
import { aRuntime, restarted, type TestRuntime } from '../support/runtime.ts';

const MINUTE_MS = 60_000;
const OPS = 'ops@example.org';
const notify = (to = [OPS]): NotifySettings => {
  const notice = { enabled: true, subject: '', to, content: '' };
  return { succeed: notice, failed: notice };
};

async function aJobThatNotifies(world: TestRuntime, difference: Parameters<typeof aJob>[0] = {}): Promise<void> {
  await world.ask('job/nightly', { type: 'job.register', config: aJob({ notify: notify(), ...difference }) });
}

/** One execution from its trigger to its end. */
async function run(
  world: TestRuntime,
  outcome: 'succeeded' | 'failed' | 'timedOut' | 'cancelled' = 'failed',
  advanceMs = 0,
): Promise<void> {
  await world.ask('job/nightly', { type: 'job.trigger' });
  await world.settled();
  const command = world.starts().at(-1);
  if (!command) throw new Error('nothing was started');
  await world.started(command);
  await world.ended(command, outcome);
  await world.settled();
  await world.clock.advance(advanceMs);
}

const factsOf = (world: TestRuntime, type: string) => world.facts.filter(fact => fact.type === type).map(({ data }) => data);
const kinds = (world: TestRuntime) => world.notifier.orders.map(({ message }) => message.kind);
const fails = (world: TestRuntime) => {
  world.notifier.answer = to => ({ to, outcome: 'failed', reason: 'ECONNREFUSED' });
};
const works = (world: TestRuntime) => {
  world.notifier.answer = to => ({ to, outcome: 'sent', reason: null });
};

describe('a job that notifies', () => {
  test('a job that notifies sends the end of an execution with its host, its outcome and its reason', async () => {
    const world = await aRuntime();
    await world.aHost();
    await aJobThatNotifies(world);
    await run(world);
    expect(world.notifier.orders).toMatchObject([
      {
        from: 'notice/nightly',
        message: {
          about: { type: 'job', name: 'nightly', pool: 'default' },
          kind: 'failed',
          count: 1,
          last: { outcome: 'failed', host: 'h1', exitCode: 1 },
        },
        recipients: [{ to: OPS }],
      },
    ]);
    expect(factsOf(world, 'notification.sent')).toEqual([{ notice: 'nightly', delivery: 1, kind: 'failed', to: [OPS], count: 1 }]);
  });

  test('a job that notifies says succeed of a success, failed of a timeout, and nothing of a cancelled execution', async () => {
    const world = await aRuntime();
    await world.aHost();
    await aJobThatNotifies(world);
    await run(world, 'succeeded', MINUTE_MS);
    await run(world, 'timedOut', MINUTE_MS);
    await run(world, 'cancelled', MINUTE_MS);
    expect(kinds(world)).toEqual(['succeed', 'failed']);
  });

  test('a job whose notice is switched off, or names nobody, notifies nobody and has no notice actor', async () => {
    const world = await aRuntime();
    await world.aHost();
    const off = { enabled: false, subject: '', to: [OPS], content: '' };
    await aJobThatNotifies(world, { notify: { succeed: null, failed: off } });
    await run(world);
    await run(world, 'succeeded');
    expect(world.notifier.orders).toEqual([]);
    expect(await world.views.get('notice/nightly')).toBeUndefined();
  });

  test('the configuration that runs get does not name who is notified', async () => {
    const world = await aRuntime();
    await world.aHost();
    await aJobThatNotifies(world);
    await run(world);
    const execution = world.starts().at(-1)?.run.execution ?? '';
    expect(JSON.stringify(await world.context(`execution/${execution}`))).not.toContain(OPS);
  });

  test('an hour without a mail server and 1,000 failures lose nothing, and are one delivery a minute afterwards', async () => {
    const world = await aRuntime();
    await world.aHost();
    await aJobThatNotifies(world);
    fails(world);
    let largest = 0;
    for (let each = 0; each < 1_000; each++) {
      await run(world, 'failed', (60 * MINUTE_MS) / 1_000);
      if (each % 50 === 0) largest = Math.max(largest, JSON.stringify((await world.context('notice/nightly')).context).length);
    }
    expect(largest).toBeLessThan(64 * 1024);
    expect(factsOf(world, 'notification.sent')).toEqual([]);
    works(world);
    const at: number[] = [];
    world.notifier.answer = to => {
      at.push(world.clock.now());
      return { to, outcome: 'sent', reason: null };
    };
    await world.clock.advance(30 * MINUTE_MS);
    const counts = factsOf(world, 'notification.sent').map(({ count }) => Number(count));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1_000);
    expect(at.slice(1).every((each, index) => each - (at[index] ?? 0) >= MINUTE_MS)).toBe(true);
    expect(counts.length).toBeLessThan(5);
  }, 60_000);

  test('a center that dies between the end of a run and its mail sends it once it is back, with the same id', async () => {
    const world = await aRuntime();
    await world.aHost();
    await aJobThatNotifies(world);
    world.notifier.answer = () => new Promise(() => {});
    await run(world);
    const [before] = world.notifier.orders as [NoticeOrder];
    works(world);
    const next = await restarted(world);
    await next.clock.advance(100);
    const after = next.notifier.orders.at(-1);
    expect(next.notifier.orders).toHaveLength(2);
    expect(after?.message).toEqual(before.message);
    expect(factsOf(next, 'notification.sent')).toHaveLength(1);
  });

  test('a job that is deleted and there again keeps its waiting notices, and one that is deleted for good ends its actor', async () => {
    const world = await aRuntime();
    await world.aHost();
    await aJobThatNotifies(world);
    await run(world);
    await run(world);
    await world.ask('job/nightly', { type: 'job.deregister' });
    await world.settled();
    expect((await world.context('notice/nightly')).value).toBe('closing');
    await aJobThatNotifies(world);
    await run(world);
    expect((await world.context('notice/nightly')).value).toBe('open');
    await world.ask('job/nightly', { type: 'job.deregister' });
    await world.clock.advance(2 * MINUTE_MS);
    expect(factsOf(world, 'notification.sent').map(({ count }) => count)).toEqual([1, 2]);
    expect(await world.views.get('notice/nightly')).toBeUndefined();
  });

  test('a recipient that the notifier limits waits for its minute', async () => {
    const world = await aRuntime();
    await world.aHost();
    await aJobThatNotifies(world);
    world.notifier.answer = to => ({ to, outcome: 'limited', reason: 'full', slot: world.clock.now() + 2 * MINUTE_MS });
    await run(world);
    works(world);
    await world.clock.advance(MINUTE_MS);
    expect(world.notifier.orders).toHaveLength(1);
    await world.clock.advance(MINUTE_MS);
    expect(world.notifier.orders).toHaveLength(2);
  });
});

describe('a pool with owners', () => {
  const lose = async (world: TestRuntime) => {
    await world.tell('host/h1', { type: 'host.disconnected', session: 'h1-1', reason: 'gone' });
    await world.clock.advance(61_000);
  };
  const anOwnedPool = async (world: TestRuntime) => {
    await world.ask('pool/default', { type: 'pool.modify', changes: { owners: [OPS] } });
  };

  test('a pool with owners notifies them of a host that is new, lost and back', async () => {
    const world = await aRuntime();
    await anOwnedPool(world);
    await world.aHost();
    await lose(world);
    await world.tell('host/h1', {
      ...{ type: 'host.connected', session: 'h1-2', address: '10.0.0.1', bootId: 'b', runs: [] },
      capabilities: (await world.context('host/h1')).context.capabilities as never,
    });
    await world.settled();
    expect(kinds(world)).toEqual(['hostJoined', 'hostLost', 'hostReturned']);
    expect(world.notifier.orders[1]).toMatchObject({
      from: 'notice/pool:default',
      message: { about: { type: 'pool', name: 'default' }, last: { name: 'h1' } },
    });
  });

  test('a pool with owners says nothing of a host that is away for less than its grace, drained, or retired', async () => {
    const world = await aRuntime();
    await anOwnedPool(world);
    await world.aHost();
    await world.ask('host/h1', { type: 'host.drain' });
    await world.ask('host/h1', { type: 'host.resume' });
    await world.tell('host/h1', { type: 'host.disconnected', session: 'h1-1', reason: 'gone' });
    await world.clock.advance(1_000);
    await world.ask('host/h1', { type: 'host.retire' });
    await world.clock.advance(2 * MINUTE_MS);
    expect(kinds(world)).toEqual(['hostJoined']);
  });

  test('a pool with owners folds a hundred hosts that are lost at once', async () => {
    const world = await aRuntime();
    for (let each = 0; each < 100; each++) await world.aHost(`x${each}`);
    await anOwnedPool(world);
    for (let each = 0; each < 100; each++)
      await world.tell(`host/x${each}`, { type: 'host.disconnected', session: `x${each}-1`, reason: 'gone' });
    await world.clock.advance(3 * MINUTE_MS);
    expect(world.notifier.orders.map(({ message }) => message.count)).toEqual([1, 99]);
    expect(world.notifier.orders[1]?.message.entries).toHaveLength(99);
  });
});
