/**
 * What retention has removed is not there: nothing comes to life again by it, nothing waits for it,
 * and a name that is used anew begins behind its past.
 */
import { describe, expect, test } from 'bun:test';
import type { Effect } from '../../actors/types.ts';
import { encodePendingEffects } from '../../src/runtime/document.ts';
import { endedAt, executionsOf } from '../../src/runtime/retention-guards.ts';
import type { ActorDocument } from '../../src/store/port.ts';
import { aJob, anApp } from '../support/builders.ts';
import { aRuntime, restarted, type TestRuntime } from '../support/runtime.ts';
import { aDocument } from '../support/store-builders.ts';

const EVER = Number.MAX_SAFE_INTEGER;

/** A runtime with a job that ran once, and the id of that execution. */
async function afterOneRun() {
  const world = await aRuntime();
  await world.aHost();
  await world.ask('job/nightly', { type: 'job.register', config: aJob() });
  const { execution } = (await world.ask('job/nightly', { type: 'job.trigger' })) as { execution: string };
  const [start] = world.starts();
  if (!start) throw new Error('nothing was started');
  await world.started(start);
  await world.ended(start);
  await world.clock.advance(1_000);
  return { world, execution, start };
}

const load = async (world: TestRuntime, address: string) => (await world.store.load(address)) as ActorDocument;
const forget = (world: TestRuntime, execution: string) =>
  world.store.deleteExecutions({ addresses: [`execution/${execution}`], limit: 100 }).then(({ gone }) => gone.length);

describe('a name whose tombstone was deleted', () => {
  const app = anApp({ name: 'alpha' });
  const config = aJob({ app: 'alpha' });

  async function registeredAgain() {
    const before = await aRuntime();
    await before.ask('app/alpha', { type: 'app.publish', config: app });
    await before.ask('job/nightly', { type: 'job.register', config });
    for (const parameter of ['a', 'b']) await before.ask('job/nightly', { type: 'job.update', config: { ...config, parameter } });
    await before.ask('job/nightly', { type: 'job.deregister' });
    await before.clock.advance(1_000);
    const { rev } = await load(before, 'job/nightly');
    expect(await before.store.deleteTombstones({ before: EVER, keep: 0, limit: 9 })).toBe(1);
    // The app's marks are in its document only; its memory would have let go of them.
    const world = await restarted(before);
    await world.ask('job/nightly', { type: 'job.register', config });
    return { world, rev };
  }

  test('a name whose tombstone was deleted goes on behind the revs of its past', async () => {
    const { world, rev } = await registeredAgain();
    expect((await load(world, 'job/nightly')).rev).toBeGreaterThan(rev);
    const revs = (await world.store.history({ address: 'job/nightly', limit: 99 })).map(fact => fact.rev);
    expect(revs).toEqual(revs.toSorted((a, b) => a - b));
  });

  test('a name whose tombstone was deleted is accepted by receivers that have marks of its past', async () => {
    const { world } = await registeredAgain();
    expect((await world.context('job/nightly')).context.app?.config.name).toBe('alpha');
    expect((await world.context('app/alpha')).context.jobs).toEqual(['nightly']);
  });

  test('a name whose tombstone was deleted may be used at once, by the very actor that was its tombstone', async () => {
    const world = await aRuntime();
    await world.ask('job/nightly', { type: 'job.register', config: aJob() });
    await world.ask('job/nightly', { type: 'job.deregister' });
    await world.clock.advance(1_000);
    const { rev } = await load(world, 'job/nightly');
    await world.store.deleteTombstones({ before: EVER, keep: 0, limit: 9 });
    await world.ask('job/nightly', { type: 'job.register', config: aJob() });
    expect(await load(world, 'job/nightly')).toMatchObject({ rev: rev + 1, life: 'live' });
  });

  test('a tombstone is kept from its end on, not from its beginning', async () => {
    const world = await aRuntime();
    await world.ask('job/nightly', { type: 'job.register', config: aJob() });
    await world.clock.advance(100_000);
    await world.ask('job/nightly', { type: 'job.deregister' });
    const { index } = await load(world, 'job/nightly');
    expect(index.at).toBeGreaterThanOrEqual(world.clock.now() - 1_000);
  });
});

describe('an execution that was deleted', () => {
  test('an execution that was deleted is unknown to late events, whether it is in memory or not', async () => {
    const { world, execution, start } = await afterOneRun();
    expect(await forget(world, execution)).toBe(1);
    await expect(world.started(start, 'h2')).rejects.toThrow(`execution not found: ${execution}`);
    const next = await restarted(world);
    await expect(next.started(start, 'h2')).rejects.toThrow(`execution not found: ${execution}`);
    await expect(next.ended(start)).rejects.toThrow(`execution not found: ${execution}`);
    expect(await next.store.load(`execution/${execution}`)).toBeUndefined();
    expect([...world.logs, ...next.logs].filter(({ level }) => level === 'error')).toEqual([]);
    expect(await next.store.pending({ limit: 9 })).toEqual([]);
  });

  test('an execution that was deleted and that a host still runs is ended there', async () => {
    const { world, execution, start } = await afterOneRun();
    await forget(world, execution);
    const next = await restarted(world);
    await next.tell('pool/default', {
      type: 'pool.hostReady',
      host: 'h1',
      name: 'h1',
      hostname: 'h1',
      address: '10.0.0.1',
      cpus: 4,
      memoryMB: 4096,
      open: true,
      runs: [start.run],
      session: 2,
    });
    await next.clock.advance(1_000);
    const stops = next.fleet.sent.map(({ command }) => command).filter(({ type }) => type === 'stop');
    expect(stops).toMatchObject([{ run: start.run, as: 'superseded' }]);
    expect(await next.store.pending({ limit: 9 })).toEqual([]);
  });
});

describe('the values of a document for retention', () => {
  test('the document of an execution gives retention its end, once it has one', async () => {
    const { world, execution } = await afterOneRun();
    const document = await load(world, `execution/${execution}`);
    expect(endedAt(document)).toBe(world.clock.now() - 1_000);
    expect(endedAt({ ...document, version: 99 })).toBeNull();
    expect(endedAt({ ...document, state: '{"snapshot":' })).toBeNull();
    expect(endedAt({ ...document, version: 1, state: '{"snapshot":{"context":{}}}' })).toBeNull();
  });

  test('the document of a job gives retention the executions that are open or still to be reported', async () => {
    const world = await aRuntime();
    await world.ask('job/nightly', { type: 'job.register', config: aJob() });
    const { execution } = (await world.ask('job/nightly', { type: 'job.trigger' })) as { execution: string };
    await world.clock.advance(1_000);
    const document = await load(world, 'job/nightly');
    expect([...(executionsOf(document) ?? [])]).toEqual([`execution/${execution}`]);
    const effect = { type: 'tell', params: { to: 'execution/x', event: { type: 'execution.create' } } } as unknown as Effect;
    const idle = { ...document, pendingEffects: encodePendingEffects('job/nightly', [{ key: 'job/nightly:9:0', rev: 9, effect }]) };
    expect(executionsOf(idle)?.has('execution/x')).toBe(true);
    expect(executionsOf(aDocument({ state: 'damaged' }))).toBeNull();
  });
});
