/** Whole stories in one runtime: triggers, schedules, budgets. */
import { describe, expect, test } from 'bun:test';
import { aJob, anApp } from '../support/builders.ts';
import { aRuntime, restarted, type TestRuntime } from '../support/runtime.ts';

describe('a trigger', () => {
  test('a trigger becomes a run on a host and comes back as an outcome', async () => {
    const world = await aRuntime();
    await world.aHost();
    await world.ask('app/my_app', { type: 'app.publish', config: anApp() });
    await world.ask('job/nightly', { type: 'job.register', config: aJob({ app: 'my_app', command: null }) });
    const answer = (await world.ask('job/nightly', { type: 'job.trigger' })) as { execution: string };
    expect(answer.execution).toStartWith('nightly@20261122T080000.000Z~');
    const [start] = world.starts();
    expect(start?.run).toEqual({ execution: answer.execution, item: 0, attempt: 1 });
    expect(start?.spec.artifact?.url).toBe('http://apps.example/my_app.tar.gz');
    if (!start) throw new Error('nothing was started');
    await world.started(start);
    await world.ended(start);
    const execution = await world.context(`execution/${answer.execution}`);
    expect(execution.context.outcome).toBe('succeeded');
    expect((await world.context('job/nightly')).context.open).toEqual([]);
    expect((await world.context('pool/default')).context.hosts.h1?.used).toEqual({ cpu: 0, memory: 0 });
    await world.clock.advance(1000);
    expect(await world.store.pending({ limit: 10 })).toEqual([]);
    expect(world.logs).toEqual([]);
  });
});

describe('a schedule', () => {
  test('a schedule makes one execution per due time, with a verdict each', async () => {
    const world = await aRuntime();
    await world.aHost();
    await world.ask('job/nightly', { type: 'job.register', config: aJob({ schedules: [{ type: 'cron', cron: '0/5 * * * * ?' }] }) });
    await world.clock.advance(12_000);
    expect(world.starts().map(each => each.run.execution)).toEqual(['nightly@20261122T080005.000Z']);
    const entries = await world.store.occurrences({ job: 'nightly', limit: 10 });
    expect(entries.map(each => each.verdict)).toEqual(['waiting', 'skippedOverlap']);
  });
});

describe('the budgets of a shard', () => {
  test('the budgets of a shard are spent once each, also where the center starts again between two attempts', async () => {
    let world: TestRuntime = await aRuntime();
    await world.aHost();
    const retry = { attempts: 3, backoffMs: 1_000, maxBackoffMs: 1_000, jitter: 'equal' as const };
    await world.ask('job/nightly', { type: 'job.register', config: aJob({ retry, failover: true, failoverLimit: 1 }) });
    const { execution } = (await world.ask('job/nightly', { type: 'job.trigger' })) as { execution: string };
    const budgets: unknown[] = [];
    for (const outcome of ['failed', 'lost', 'failed', 'failed'] as const) {
      const start = world.starts().at(-1);
      if (!start) throw new Error('nothing was started');
      await world.started(start);
      await world.ended(start, outcome);
      world = await restarted(world);
      await world.clock.advance(2_000);
      const [shard] = (await world.context(`execution/${execution}`)).context.shards;
      budgets.push([start.run.attempt, shard?.failures, shard?.losses, shard?.outcome]);
    }
    expect(budgets).toEqual([
      [1, 1, 0, null],
      [2, 1, 1, null],
      [3, 2, 1, null],
      [4, 3, 1, 'failed'],
    ]);
    expect(new Set(world.starts().map(({ run }) => run.attempt))).toEqual(new Set([1, 2, 3, 4]));
  });
});
