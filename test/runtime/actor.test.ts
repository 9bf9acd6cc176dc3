/** Messages between actors: order, repeats, absent receivers. */
import { describe, expect, test } from 'bun:test';
import { type ActorDependencies, createActor } from '../../src/runtime/actor.ts';
import { createActorState } from '../../src/runtime/actor-state.ts';
import { createCommitQueue } from '../../src/runtime/commit-queue.ts';
import type { Envelope, Taken } from '../../src/runtime/envelope.ts';
import { LIMITS } from '../../src/runtime/limits.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import type { Store } from '../../src/store/port.ts';
import { aJob } from '../support/builders.ts';
import { createFaultyStore } from '../support/faulty-store.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { countingIds } from '../support/runtime.ts';

const job = 'job/nightly';
const register = { type: 'job.register', config: aJob() };

function anActor(store: Store = createMemoryStore()) {
  const clock = createManualClock();
  const opened: string[] = [];
  const around: ActorDependencies = {
    clock,
    ids: countingIds(),
    store,
    committer: createCommitQueue({ store, clock }),
    log: () => {},
    woke: () => {},
    committed: () => {},
    acknowledgedOf: () => new Set<string>(),
    trimmed: () => {},
    opened: address => opened.push(address),
  };
  const actor = createActor(job, around);
  const received: string[] = [];
  const answerAs = (name: string) => (taken: Taken) => void received.push(`${name} ${taken.result}`);
  return {
    actor,
    clock,
    received,
    opened,
    settle: () => clock.settle(),
    ask: (name: string, event: { type: string }, kind: Envelope['kind'] = 'ask') =>
      actor.post({ kind, event, origin: null, failures: 0, answer: answerAs(name) }),
    /** An event of another actor, its `rev`-th; sent while its `behind`-th had not arrived. */
    tell: (name: string, rev: number, event: { type: string }, behind?: number) => {
      const origin = { from: 'app/a', rev, index: 0, ...(behind === undefined ? {} : { behind: `${behind}:0` }) };
      return actor.post({ kind: 'tell', event, origin, failures: 0, answer: answerAs(name) });
    },
  };
}
const kill = { type: 'job.kill', reason: 'x' };
const disable = { type: 'job.disable', kill: false };

describe('row 7: a message that was sent away', () => {
  test('a message that was sent away is not overtaken by a later one of its sender, when the actor opens between the two', async () => {
    const { actor, received, opened, settle, ask, tell } = anActor();
    ask('register', register);
    await settle();
    ask('poison', { type: 'job.update', config: aJob({ schedules: [{ type: 'cron', cron: 'no' }] }) } as { type: string });
    await settle();
    received.length = 0;
    tell('first', 5, kill);
    ask('release', { type: 'actor.release' }, 'release');
    tell('second', 6, kill, 5);
    await settle();
    expect(received).toEqual(['first refused', 'release done', 'second unavailable']);
    expect(opened).toContain(job);
    tell('first again', 5, kill);
    tell('second again', 6, kill, 5);
    tell('second once more', 6, kill, 5);
    await settle();
    expect(received.slice(3)).toEqual(['first again done', 'second again done', 'second once more done']);
    expect(actor.isIdle).toBe(true);
  });

  test('a message that was sent away is not overtaken in a turn that has to be decided twice', async () => {
    const store = createFaultyStore(createMemoryStore());
    const { clock, received, settle, ask, tell } = anActor(store);
    ask('register', register);
    await settle();
    ask('poison', { type: 'job.update', config: aJob({ schedules: [{ type: 'cron', cron: 'no' }] }) } as { type: string });
    await settle();
    tell('first', 5, disable);
    ask('release', { type: 'actor.release' }, 'release');
    await settle();
    received.length = 0;
    let commits = 0;
    store.plan(call => (call.method === 'commit' ? (['late', 'before'] as const)[commits++] : undefined));
    ask('under way', { type: 'job.update', config: aJob({ description: 'x' }) } as { type: string });
    await settle();
    tell('second', 6, { type: 'job.enable' }, 5);
    tell('first', 5, disable);
    await settle();
    store.answerNow();
    await clock.advance(1_000);
    tell('second', 6, { type: 'job.enable' }, 5);
    await settle();
    expect(received).toEqual(['under way done', 'second unavailable', 'first done', 'second done']);
    const state = JSON.parse((await store.load(job))?.state ?? '{}') as { seen: unknown; snapshot: unknown };
    expect(state).toMatchObject({ seen: { 'app/a': '6:0' }, snapshot: { value: { admin: 'enabled' } } });
  });

  test('a message that was sent away is not overtaken where the mailbox was full for it and has room for the next', async () => {
    const store = createFaultyStore(createMemoryStore());
    const { received, opened, settle, ask, tell } = anActor(store);
    ask('register', register);
    await settle();
    store.plan(call => (call.method === 'commit' ? 'late' : undefined));
    ask('under way', disable);
    await settle();
    for (let count = 1; count < LIMITS.mailbox; count++) ask('', { type: 'job.enable' });
    expect(tell('first', 5, kill)).toBe(false);
    store.heal();
    store.answerNow();
    await settle();
    expect(opened).toEqual([job]);
    received.length = 0;
    tell('second', 6, kill, 5);
    await settle();
    tell('first', 5, kill);
    tell('second', 6, kill, 5);
    await settle();
    expect(received).toEqual(['second unavailable', 'first done', 'second done']);
  });
});

describe('a message for the next owner', () => {
  test('a message for the next owner holds up the next one of its sender, and no message of others', async () => {
    const { received, settle, ask, tell } = anActor();
    ask('register', register);
    await settle();
    received.length = 0;
    // The earlier message went to the previous owner of this actor.
    tell('second', 6, kill, 5);
    ask('disable', disable);
    await settle();
    tell('first', 5, kill);
    tell('second', 6, kill, 5);
    await settle();
    expect(received).toEqual(['second unavailable', 'disable done', 'first done', 'second done']);
  });
});

describe('row 6: a message that was taken', () => {
  const stamp = { at: 1_700_000_000_000, chance: 0, salt: 'abc123' };
  const take = (life: ReturnType<typeof createActorState>, event: { type: string }, rev?: number) =>
    life.take({ kind: 'tell', event, origin: rev === undefined ? null : { from: 'app/a', rev, index: 0 } }, stamp);
  const write = (life: ReturnType<typeof createActorState>) => {
    const written = life.write('w', new Set());
    if (!written) throw new Error('nothing to write');
    life.adopt(written);
    return written.document;
  };

  test('a message that was taken is not taken again by the next actor of its address', () => {
    const first = createActorState(job, undefined);
    take(first, register);
    take(first, { type: 'job.deregister' }, 7);
    const tombstone = write(first);
    expect(tombstone.life).toBe('tombstone');
    const next = createActorState(job, tombstone);
    take(next, register);
    take(next, { type: 'job.deregister' }, 7);
    expect(write(next).life).toBe('live');
    expect(take(next, { type: 'job.deregister' }, 8).result).toBe('done');
    expect(write(next).life).toBe('tombstone');
  });

  test('a dedupe mark of one sender does not affect the messages of another', () => {
    const life = createActorState(job, undefined);
    take(life, register);
    take(life, disable, 9);
    life.take({ kind: 'tell', event: { type: 'job.enable' }, origin: { from: 'app/b', rev: 1, index: 0 } }, stamp);
    expect(JSON.parse(write(life).state)).toMatchObject({
      seen: { 'app/a': '9:0', 'app/b': '1:0' },
      snapshot: { value: { admin: 'enabled' } },
    });
  });
});
