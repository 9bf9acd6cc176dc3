/** Messages that fail, quarantine, actors that cannot be read. */
import { describe, expect, test } from 'bun:test';
import type { JobConfig } from '../../actors/job/types.ts';
import type { Effect } from '../../actors/types.ts';
import { decodeState, encodePendingEffects, encodeState } from '../../src/runtime/document.ts';
import { Refused, TurnFailed, type Unavailable } from '../../src/runtime/errors.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import type { ActorDocument, Store } from '../../src/store/port.ts';
import { aJob, anApp } from '../support/builders.ts';
import { createFaultyStore } from '../support/faulty-store.ts';
import { aRuntime, restarted, type TestRuntime } from '../support/runtime.ts';

const job = 'job/nightly' as const;
/** The machine throws on it: a schedule that the API refuses. */
const poison = { type: 'job.update', config: aJob({ schedules: [{ type: 'cron', cron: 'nonsense' }] }) } as const;

async function aRuntimeWith(...jobs: Partial<JobConfig>[]): Promise<TestRuntime> {
  const world = await aRuntime({ store: createMemoryStore() });
  for (const difference of jobs) await world.ask(`job/${difference.name ?? 'nightly'}`, { type: 'job.register', config: aJob(difference) });
  return world;
}

describe('row 27: a message that its actor cannot take', () => {
  test('a message that its actor cannot take fails three times, goes to the dead letters, and quarantines the actor', async () => {
    const world = await aRuntimeWith({});
    await expect(world.ask(job, poison)).rejects.toBeInstanceOf(TurnFailed);
    const view = await world.context(job);
    expect(view.deadLetters).toMatchObject([{ event: { type: 'job.update' } }]);
    expect(view.quarantine?.reason).toContain('"job.update" failed 3 times');
    expect(world.logs.filter(line => line.text.includes('failed (')).length).toBe(3);
    expect(world.facts.filter(fact => fact.type === 'actor.quarantined')).toHaveLength(1);
    const stored = await world.store.load(job);
    expect(stored?.quarantined).toBe(true);
  });

  test('a message that its actor cannot take takes none of its neighbours in the mailbox with it, and no other actor', async () => {
    const world = await aRuntimeWith({}, { name: 'other' });
    const [before, , after, elsewhere] = await Promise.all([
      world.runtime.ask(job, { type: 'job.update', config: aJob({ description: 'first' }) }).then(() => 'done'),
      world.runtime.ask(job, poison).catch(() => 'failed'),
      world.runtime.ask(job, { type: 'job.enable' }).catch((error: Refused) => error.code),
      world.runtime.ask('job/other', { type: 'job.trigger' }),
      world.settled(),
    ]);
    expect([before, after]).toEqual(['done', 'quarantined']);
    expect(elsewhere).toMatchObject({ joined: false });
  });

  test('a message that its actor cannot take leaves an actor that serves again once it is released', async () => {
    const world = await aRuntimeWith({});
    await world.ask(job, poison).catch(() => {});
    await expect(world.ask(job, { type: 'job.trigger' })).rejects.toMatchObject({ code: 'quarantined' });
    await world.runtime.release(job).finally(() => world.settled());
    await expect(world.ask(job, { type: 'job.trigger' })).resolves.toMatchObject({ joined: false });
    await expect(world.runtime.release(job).finally(() => world.settled())).rejects.toBeInstanceOf(Refused);
    expect((await world.context(job)).deadLetters).toHaveLength(1);
  });

  test('a message that its actor cannot take leaves an actor that a new configuration opens again', async () => {
    const world = await aRuntimeWith({});
    await world.ask(job, poison).catch(() => {});
    await world.ask(job, { type: 'job.update', config: aJob({ description: 'mended' }) });
    expect((await world.context(job)).quarantine).toBeNull();
  });

  test('a message that its actor cannot take at its creation leaves nothing behind', async () => {
    const world = await aRuntimeWith();
    await expect(world.ask(job, { ...poison, type: 'job.register' })).rejects.toBeInstanceOf(TurnFailed);
    expect(await world.store.load(job)).toBeUndefined();
    await world.ask(job, { type: 'job.register', config: aJob() });
    expect((await world.context(job)).rev).toBe(1);
    expect(world.facts.filter(fact => fact.type === 'actor.quarantined')).toEqual([]);
  });
});

describe('an actor in quarantine', () => {
  test('an actor in quarantine fires no timers until it is released, and then accounts for what it missed', async () => {
    const world = await aRuntimeWith({ schedules: [{ type: 'cron', cron: '0/10 * * * * ?' }] });
    await world.ask(job, poison).catch(() => {});
    await world.clock.advance(25_000);
    expect(await world.store.occurrences({ job: 'nightly', limit: 10 })).toEqual([]);
    await world.runtime.release(job).finally(() => world.settled());
    await world.clock.advance(10_000);
    const entries = await world.store.occurrences({ job: 'nightly', limit: 10 });
    expect(entries.map(({ verdict, count }) => [verdict, count])).toEqual([
      ['refused', 2],
      ['waiting', 1],
    ]);
  });

  test('an actor in quarantine gets the messages that others sent meanwhile, in order, when it is released', async () => {
    const world = await aRuntimeWith({ overlap: 'allow', overlapLimit: 9 });
    await world.aHost();
    for (let count = 0; count < 2; count++) await world.ask(job, { type: 'job.trigger' });
    await world.ask(job, poison).catch(() => {});
    for (const start of world.starts()) await world.ended(start);
    expect((await world.context(job)).context.open).toHaveLength(2);
    await world.runtime.release(job).finally(() => world.settled());
    expect((await world.context(job)).context.open).toEqual([]);
    await world.clock.advance(1_000);
    expect(await world.store.pending({ limit: 10 })).toEqual([]);
  });

  test('an actor in quarantine loses no message when it is released in the middle of a sending', async () => {
    const world = await aRuntimeWith({ overlap: 'allow', overlapLimit: 9 });
    await world.aHost();
    for (let count = 0; count < 3; count++) await world.ask(job, { type: 'job.trigger' });
    await world.ask(job, poison).catch(() => {});
    const [first, second, third] = world.starts();
    if (!first || !second || !third) throw new Error('three were to start');
    await Promise.all([
      world.ended(first),
      world.runtime.release(job).finally(() => {}),
      world.ended(second),
      world.ended(third),
      world.settled(),
    ]);
    await world.clock.advance(1_000);
    expect((await world.context(job)).context.open).toEqual([]);
  });

  test('an actor in quarantine is ended by the end of its app, so that nothing waits for it forever', async () => {
    const world = await aRuntimeWith();
    await world.ask('app/my_app', { type: 'app.publish', config: anApp() });
    await world.ask(job, { type: 'job.register', config: aJob({ app: 'my_app' }) });
    await world.ask(job, { type: 'job.trigger' });
    await world.ask(job, poison).catch(() => {});
    await world.ask('app/my_app', { type: 'app.delete' });
    await world.settled();
    expect(await world.views.get('app/my_app')).toBeUndefined();
    expect(await world.views.get(job)).toBeUndefined();
  });
});

describe('the message that ends a quarantine', () => {
  test('the message that ends a quarantine passes messages that wait for that end, before it and from the same sender', async () => {
    const world = await aRuntimeWith();
    await world.aHost();
    await world.ask('app/my_app', { type: 'app.publish', config: anApp() });
    await world.ask(job, { type: 'job.register', config: aJob({ app: 'my_app' }) });
    await world.ask(job, { type: 'job.trigger' });
    await world.ask(job, poison).catch(() => {});
    for (const start of world.starts()) await world.ended(start);
    await world.ask('app/my_app', { type: 'app.disable', kill: true });
    expect((await world.context(job)).quarantine).not.toBeNull();
    await world.ask('app/my_app', { type: 'app.delete' });
    await world.clock.advance(1_000);
    expect(await world.views.get(job)).toBeUndefined();
    expect(await world.views.get('app/my_app')).toBeUndefined();
    expect(await world.store.pending({ limit: 10 })).toEqual([]);
  });
});

describe('rows 23, 24: a stored actor that cannot be read', () => {
  const damaged: [string, RegExp, (document: ActorDocument) => ActorDocument][] = [
    ['of a newer version', /version 99/, document => ({ ...document, version: 99 })],
    ['that is not JSON', /damaged/, document => ({ ...document, state: '{"snapshot":' })],
    ['with another letter in it', /checksum/, document => ({ ...document, state: document.state.replace('"cpus":', '"cpux":') })],
    ['with another digit in what it owes', /checksum/, owing(1, pendingEffects => pendingEffects.replace('"rev":1', '"rev":7'))],
    [
      'in a state that its machine does not have',
      /does not have/,
      document => {
        const state = decodeState(document);
        const asleep = JSON.stringify(state.snapshot).replace('"admin":"enabled"', '"admin":"asleep"');
        return { ...document, state: encodeState(document.address, { ...state, snapshot: JSON.parse(asleep) }) };
      },
    ],
  ];
  test.each(damaged)(
    'a stored actor that cannot be read is quarantined and unchanged, and the rest serves: %s',
    async (_, reason, damage) => {
      const world = await aRuntimeWith({ schedules: [{ type: 'cron', cron: '0/10 * * * * ?' }] }, { name: 'other' });
      const { store } = world.durable;
      await replace(store, job, damage);
      const before = await store.load(job);
      const next = await restarted(world);
      await expect(next.ask(job, { type: 'job.trigger' })).rejects.toMatchObject({
        code: 'quarantined',
        message: expect.stringMatching(reason),
      });
      await expect(next.ask('job/other', { type: 'job.trigger' })).resolves.toMatchObject({ joined: false });
      await next.clock.advance(30_000);
      expect(await store.load(job)).toEqual(before);
    },
  );
});

describe('one document that the store cannot take', () => {
  test('one document that the store cannot take fails alone', async () => {
    const store = createFaultyStore(createMemoryStore());
    const world = await aRuntime({ store });
    const names = ['a', 'b', 'c', 'd'];
    await Promise.all([
      ...names.map(name => world.runtime.ask(`job/${name}`, { type: 'job.register', config: aJob({ name }) })),
      world.settled(),
    ]);
    store.plan(call => (call.method === 'commit' && JSON.stringify(call.args).includes('"address":"job/b"') ? 'broken' : undefined));
    const outcomes = await Promise.all([
      ...names.map(name =>
        world.runtime.ask(`job/${name}`, { type: 'job.disable', kill: false }).then(
          () => 'done',
          (error: Unavailable) => error.code,
        ),
      ),
      world.clock.advance(1_000),
    ]);
    expect(outcomes.slice(0, 4)).toEqual(['done', 'unavailable', 'done', 'done']);
  });
});

/** It has one pending effect, whose record was changed afterwards. */
const owing = (rev: number, change: (pendingEffects: string) => string) => (document: ActorDocument) => {
  const effect = { type: 'record', params: { entries: [] } } as unknown as Effect;
  return {
    ...document,
    pendingEffects: change(encodePendingEffects(document.address, [{ key: `${document.address}:${rev}:0`, rev, effect }])),
  };
};

async function replace(store: Store, address: string, change: (document: ActorDocument) => ActorDocument): Promise<void> {
  const document = await store.load(address);
  if (!document) throw new Error(`there is no ${address}`);
  await store.commit([{ document: { ...change(document), rev: document.rev + 1 }, facts: [] }]);
}
