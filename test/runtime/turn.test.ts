/** Turns of an actor: order, commits with unknown outcome, absent store. */
import { describe, expect, test } from 'bun:test';
import { Busy, NoSuchActor, Refused, Unavailable } from '../../src/runtime/errors.ts';
import { LIMITS } from '../../src/runtime/limits.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { aJob } from '../support/builders.ts';
import { createFaultyStore, type Fault } from '../support/faulty-store.ts';
import { aRuntime, type TestRuntime } from '../support/runtime.ts';

const job = 'job/nightly' as const;
const trigger = { type: 'job.trigger' } as const;

async function aFaultyRuntime() {
  const store = createFaultyStore(createMemoryStore());
  const world = await aRuntime({ store });
  await world.ask(job, { type: 'job.register', config: aJob() });
  await world.clock.advance(1_000);
  return { store, world };
}
const open = async (world: TestRuntime) => (await world.context(job)).context.open.map(each => each.id);
/** Resolves with the outcome of a promise, without handling its rejection. */
const outcomeOf = (work: Promise<unknown>) =>
  work.then(
    value => ({ value }),
    (error: unknown) => ({ error }),
  );

describe('a turn', () => {
  test('turns run one at a time and in order, and messages of one tick share a commit', async () => {
    const { store, world } = await aFaultyRuntime();
    const before = (await world.context(job)).rev;
    const commits = store.calls.filter(call => call.method === 'commit').length;
    const [, second, third] = await Promise.all([
      outcomeOf(world.runtime.ask(job, { type: 'job.disable', kill: false })),
      outcomeOf(world.runtime.ask(job, trigger)),
      outcomeOf(world.runtime.ask(job, { type: 'job.enable' })),
      world.settled(),
    ]);
    expect(second).toMatchObject({ error: { code: 'refused', message: 'job/nightly is disabled' } });
    expect(third).toEqual({ value: undefined });
    expect((await world.context(job)).rev).toBe(before + 1);
    expect(store.calls.filter(call => call.method === 'commit').length).toBe(commits + 1);
  });

  test('a turn takes all messages together that came during the commit before', async () => {
    const { store, world } = await aFaultyRuntime();
    const before = (await world.context(job)).rev;
    store.plan(call => (call.method === 'commit' ? 'late' : undefined));
    void world.runtime.ask(job, { type: 'job.disable', kill: false });
    await world.settled();
    void world.runtime.ask(job, { type: 'job.enable' });
    void world.runtime.ask(job, { type: 'job.disable', kill: false });
    await world.settled();
    store.heal();
    store.answerNow();
    await world.settled();
    expect((await world.context(job)).rev).toBe(before + 2);
  });

  test('a large table gathers messages after a commit, so that many of them share the next one', async () => {
    const world = await aRuntime();
    await world.aHost('h1');
    const config = (nth: number) => aJob({ name: `job${nth}`, id: String(nth).padStart(24, '0'), placement: 'sticky' });
    for (let nth = 0; nth < 1_000; nth++) void world.runtime.ask(`job/job${nth}`, { type: 'job.register', config: config(nth) });
    await world.clock.advance(1_000);
    const { rev, context } = await world.context('table/default');
    expect(context.shards).toBe(1_000);
    const release = async (nth: number) => {
      void world.runtime.tell('table/default', { type: 'table.release', job: `job${nth}` });
      await world.settled();
    };
    await release(0);
    expect((await world.context('table/default')).rev).toBe(rev + 1);
    for (const nth of [1, 2, 3]) await release(nth);
    expect((await world.context('table/default')).rev).toBe(rev + 1);
    await world.clock.advance(10);
    const after = await world.context('table/default');
    expect(after).toMatchObject({ rev: rev + 2, context: { shards: 996 } });
  });

  test('a turn answers a refusal only after the commit of what came before it', async () => {
    const { store, world } = await aFaultyRuntime();
    store.plan(call => (call.method === 'commit' ? 'late' : undefined));
    const received: string[] = [];
    void world.runtime.ask(job, { type: 'job.disable', kill: false }).then(() => received.push('disabled'));
    void world.runtime.ask(job, trigger).catch((error: Error) => received.push(error.message));
    await world.settled();
    expect(received).toEqual([]);
    store.heal();
    store.answerNow();
    await world.settled();
    expect(received).toEqual(['disabled', 'job/nightly is disabled']);
  });

  test('a turn lets nothing leave before its commit', async () => {
    const { store, world } = await aFaultyRuntime();
    store.plan(call => (call.method === 'commit' ? 'late' : undefined));
    const facts = world.facts.length;
    const asked = outcomeOf(world.runtime.ask(job, trigger));
    await world.settled();
    expect(world.facts.length).toBe(facts);
    expect(store.calls.filter(call => call.method === 'load' && String(call.args[0]).startsWith('execution/'))).toEqual([]);
    store.heal();
    store.answerNow();
    await world.settled();
    expect(await asked).toMatchObject({ value: { joined: false } });
    expect(world.facts.slice(facts).map(fact => fact.type)).toContain('job.triggered');
  });

  test('a turn that changes nothing is not written', async () => {
    const { store, world } = await aFaultyRuntime();
    const commits = store.calls.filter(call => call.method === 'commit').length;
    await world.ask(job, { type: 'job.enable' });
    await world.tell(job, { type: 'execution.finished', execution: 'x', outcome: 'lost', finishedAt: 0 });
    expect(store.calls.filter(call => call.method === 'commit').length).toBe(commits);
  });

  test('a turn of an unknown actor is refused as such', async () => {
    const { world } = await aFaultyRuntime();
    await expect(world.ask('job/nobody', trigger)).rejects.toBeInstanceOf(NoSuchActor);
    await expect(world.tell('execution/none', { type: 'execution.end', reason: '' })).rejects.toBeInstanceOf(NoSuchActor);
    await expect(world.ask(job, { type: 'job.register', config: aJob() })).rejects.toBeInstanceOf(Refused);
  });

  test('a turn is decided again from the store when another writer was first', async () => {
    const { world } = await aFaultyRuntime();
    const other = await aRuntime({ store: world.durable.store, clock: world.clock, pool: false });
    await other.ask(job, { type: 'job.disable', kill: false });
    await expect(world.ask(job, trigger)).rejects.toThrow('job/nightly is disabled');
    expect(world.logs.filter(line => line.text.startsWith('somebody else wrote'))).toHaveLength(1);
  });

  test('row 15: a turn waits in a bounded mailbox', async () => {
    const { store, world } = await aFaultyRuntime();
    store.plan(call => (call.method === 'commit' ? 'late' : undefined));
    const asked = Array.from({ length: LIMITS.mailbox + 1 }, () => outcomeOf(world.runtime.ask(job, { type: 'job.disable', kill: false })));
    const last = await Promise.race([asked.at(-1), world.settled()]);
    expect(last).toMatchObject({ error: expect.any(Busy) });
    store.heal();
    store.answerNow();
    await world.settled();
    expect((await Promise.all(asked)).filter(outcome => 'error' in outcome)).toHaveLength(1);
  });
});

describe('row 16: a commit whose outcome is not known', () => {
  const faults: [Fault, string, number][] = [
    ['before', 'was not applied: nothing of the command is left, and the caller hears that it may be asked again', 0],
    ['after', 'was applied: the command is answered as if nothing had been', 1],
  ];
  test.each(faults)('a commit whose outcome is not known (%s): %s', async (fault, _, executions) => {
    const { store, world } = await aFaultyRuntime();
    store.plan(call => (call.method === 'commit' ? fault : undefined));
    const asked = outcomeOf(world.runtime.ask(job, trigger));
    // The very first one only.
    await world.clock.advance(1);
    store.heal();
    await world.clock.advance(10_000);
    expect(await asked).toMatchObject(executions === 0 ? { error: expect.any(Unavailable) } : { value: { joined: false } });
    expect(await open(world)).toHaveLength(executions);
    expect(world.starts()).toEqual([]);
    const written = await store.list({ kind: 'execution', limit: 10 });
    expect(written.items).toHaveLength(executions);
  });

  test.each(['before', 'after'] as const)(
    'a commit whose outcome is not known (%s): an event of another actor is taken once and not lost',
    async fault => {
      const { store, world } = await aFaultyRuntime();
      await world.aHost();
      store.plan(call => (call.method === 'commit' && JSON.stringify(call.args).includes('"kind":"execution"') ? fault : undefined));
      const asked = outcomeOf(world.runtime.ask(job, trigger));
      await world.settled();
      store.heal();
      await world.clock.advance(10_000);
      expect(await asked).toMatchObject({ value: { joined: false } });
      expect(world.starts().map(start => start.run.attempt)).toEqual([1]);
      expect(await world.store.pending({ limit: 10 })).toEqual([]);
    },
  );

  test('a commit whose outcome is not known makes the feed read the store', async () => {
    const { store, world } = await aFaultyRuntime();
    const received: number[] = [];
    world.runtime.onFacts(facts => received.push(facts.length));
    store.plan(call => (call.method === 'commit' ? 'after' : undefined));
    await world.ask(job, { type: 'job.disable', kill: false });
    expect(received).toEqual([0]);
    expect((await world.store.history({ address: job, limit: 10 })).map(fact => fact.type)).toContain('job.disabled');
  });

  test('a commit whose outcome is not known is looked up until the store answers, so that its effects and facts go out without another message', async () => {
    const { store, world } = await aFaultyRuntime();
    await world.aHost();
    const received: number[] = [];
    world.runtime.onFacts(facts => received.push(facts.length));
    let isGone = false;
    store.plan(call => {
      if (isGone) return 'before';
      isGone = call.method === 'commit';
      return isGone ? 'after' : undefined;
    });
    const asked = outcomeOf(world.runtime.ask(job, trigger));
    await world.clock.advance(3_000);
    expect(await asked).toMatchObject({ error: expect.any(Unavailable) });
    expect(received).toEqual([]);
    store.heal();
    await world.clock.advance(10_000);
    expect(received[0]).toBe(0);
    expect(world.starts()).toHaveLength(1);
  });

  test('a commit whose outcome is not known is recognized as ours where the store met its own repetition of it', async () => {
    const { store, world } = await aFaultyRuntime();
    const { commit } = world.durable.store;
    world.durable.store.commit = async writes => {
      await commit(writes);
      return commit(writes);
    };
    await expect(world.ask(job, trigger)).resolves.toMatchObject({ joined: false });
    world.durable.store.commit = commit;
    expect(await open(world)).toHaveLength(1);
    expect(store.calls.length).toBeGreaterThan(0);
  });
});

describe('row 14: a store that is away', () => {
  test('a store that is away is reported to callers, and events are kept until it is back', async () => {
    const { store, world } = await aFaultyRuntime();
    await world.aHost();
    const { execution } = (await world.ask(job, trigger)) as { execution: string };
    const [start] = world.starts();
    if (!start) throw new Error('nothing was started');
    await world.started(start);
    await world.clock.advance(70_000);
    store.plan(() => 'before');
    await expect(
      world.runtime.ask('pool/default', { type: 'pool.modify', changes: {} }).finally(() => world.settled()),
    ).rejects.toBeInstanceOf(Unavailable);
    const ended = outcomeOf(world.runtime.tell(`execution/${execution}`, { type: 'execution.end', reason: 'enough' }));
    await world.clock.advance(60_000);
    expect(world.fleet.sent).toHaveLength(1);
    store.heal();
    await world.clock.advance(10_000);
    expect(await ended).toEqual({ value: undefined });
    expect(world.fleet.sent.map(each => each.command.type)).toEqual(['start', 'stop']);
  });
});
