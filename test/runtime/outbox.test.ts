/** Pending effects over restarts, lanes and retries. */
import { describe, expect, test } from 'bun:test';
import { runKeyOf } from '../../actors/execution/run-spec.ts';
import { HostAway } from '../../src/runtime/fleet.ts';
import { LIMITS } from '../../src/runtime/limits.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { aJob } from '../support/builders.ts';
import { createFaultyStore, type StoreCall } from '../support/faulty-store.ts';
import { aRuntime, restarted, scriptedFleet, type TestRuntime } from '../support/runtime.ts';

const job = 'job/nightly' as const;

async function triggered(world: TestRuntime, difference: Parameters<typeof aJob>[0] = {}): Promise<string> {
  await world.ask(job, { type: 'job.register', config: aJob(difference) });
  return ((await world.ask(job, { type: 'job.trigger' })) as { execution: string }).execution;
}
const sent = (world: TestRuntime) =>
  world.fleet.sent.map(({ host, command }) => `${command.type} ${host} ${command.run.item}:${command.run.attempt}`);
const connected = (session: string, runs: { execution: string; item: number; attempt: number }[] = []) => ({
  type: 'host.connected' as const,
  session,
  address: '',
  capabilities: {
    os: 'linux',
    arch: 'x64',
    cpus: 4,
    memoryMB: 4096,
    labels: {},
    agentVersion: '1',
    hostname: 'h1',
    treeKill: 'group',
    appIsolation: 'copy',
    runAs: { user: null, allowed: [] },
  },
  bootId: 'b',
  runs,
});

describe('pending effects', () => {
  test('row 1: a pending effect is sent again after a restart, under the same key', async () => {
    const world = await aRuntime();
    await world.aHost();
    world.fleet.send = () => new Promise(() => {});
    const keys: string[] = [];
    await triggered(world);
    world.fleet.send = async (_, command) => void keys.push(command.key);
    const next = await restarted(world);
    await next.settled();
    const again = await restarted(next);
    await again.clock.advance(1_000);
    // The second restart came before the first could note that it was done.
    expect(new Set(keys).size).toBe(1);
    const pendingEffects = await again.store.pending({ limit: 10 });
    expect(pendingEffects).toEqual([]);
  });

  test('row 8: a pending effect is carried out by the new owner, with its epoch', async () => {
    const world = await aRuntime();
    await world.aHost();
    const seen: { key: string; epoch: number; rev: number }[] = [];
    world.fleet.send = (_, command) => {
      seen.push({ key: command.key, epoch: command.fence.epoch, rev: command.fence.rev });
      return new Promise(() => {});
    };
    await triggered(world);
    await restarted(world);
    const [first, second] = seen;
    expect(second?.key).toBe(first?.key as string);
    expect(second?.rev).toBe(first?.rev as number);
    expect(second?.epoch).toBe((first?.epoch ?? 0) + 1);
  });

  test('row 6: a pending effect to another actor arrives once, however often it is sent', async () => {
    const store = createFaultyStore(createMemoryStore());
    const world = await aRuntime({ store });
    // Nothing is ever trimmed: each restart sends everything again.
    store.plan(call => (call.method === 'acknowledge' ? 'before' : undefined));
    await world.aHost();
    const execution = await triggered(world);
    const revs = async (of: TestRuntime) => [(await of.context(`execution/${execution}`)).rev, (await of.context('pool/default')).rev];
    const before = await revs(world);
    const next = await restarted(world);
    const last = await restarted(next);
    await last.settled();
    expect(await revs(last)).toEqual(before);
    expect((await last.context('pool/default')).context.hosts.h1?.used.cpu).toBe(100);
    expect(new Set(last.starts().map(start => start.key)).size).toBe(1);
  });

  test('pending effects to a host that is busy are tried again at an even pace, all of them together', async () => {
    const world = await aRuntime();
    await world.aHost();
    await world.ask(job, { type: 'job.register', config: aJob({ shards: { total: 4, parameters: {} } }) });
    let tries = 0;
    world.fleet.send = async () => {
      tries += 1;
      throw new Error('it has too many commands that it did not acknowledge');
    };
    await world.ask(job, { type: 'job.trigger' });
    await world.settled();
    tries = 0;
    await world.clock.advance(5 * LIMITS.storeRetryMs);
    expect(tries).toBe(5 * 4);
    expect(world.logs.filter(({ text }) => text.includes('could not be sent')).length).toBeLessThanOrEqual(6);
  });

  test('a pending effect to a retired host is dropped, also where the store was away at the look-up', async () => {
    const store = createFaultyStore(createMemoryStore());
    const world = await aRuntime({ store });
    await world.aHost();
    world.fleet.here.delete('h1');
    await triggered(world);
    await world.clock.advance(1_000);
    const isLookUp = ({ method, args }: StoreCall) => method === 'load' && args[0] === 'host/h1';
    let loads = 0;
    store.plan(call => (isLookUp(call) && ++loads > 0 ? 'before' : undefined));
    await world.ask('host/h1', { type: 'host.retire' });
    await world.settled();
    expect(loads).toBeGreaterThan(0);
    expect(await store.pending({ limit: 10 })).not.toEqual([]);
    store.heal();
    await world.clock.advance(LIMITS.storeRetryMaxMs + 1_000);
    expect(await store.pending({ limit: 10 })).toEqual([]);
  });

  test('a pending effect to an unknown actor is answered to a sender in quarantine once that has ended', async () => {
    const store = createFaultyStore(createMemoryStore());
    const world = await aRuntime({ store });
    store.plan(call => (call.method === 'load' && call.args[0] === 'pool/gone' ? 'before' : undefined));
    await world.ask('host/h9', { type: 'host.enroll', id: 'h9', name: 'h9', pool: 'gone', publicKey: 'k', graceMs: 60_000 });
    await world.tell('host/h9', connected('s1'));
    const poison = { ...connected('s2'), capabilities: null } as unknown as ReturnType<typeof connected>;
    await Promise.all([world.runtime.tell('host/h9', poison).catch(() => {}), world.settled()]);
    store.heal();
    await world.clock.advance(20_000);
    expect((await world.context('host/h9')).quarantine).not.toBeNull();
    await Promise.all([world.runtime.release('host/h9'), world.settled()]);
    await world.clock.advance(20_000);
    expect((await world.context('host/h9')).context.rejectedByPool).toBe('pool gone does not exist');
    expect(await world.store.pending({ limit: 10 })).toEqual([]);
  });

  test('pending effects are trimmed in the background once they are done, and no rev moves by that', async () => {
    const world = await aRuntime();
    await world.aHost();
    const execution = await triggered(world);
    const rev = (await world.context(`execution/${execution}`)).rev;
    await world.clock.advance(1_000);
    expect(await world.store.pending({ limit: 10 })).toEqual([]);
    expect((await world.context(`execution/${execution}`)).rev).toBe(rev);
  });

  test('a pending effect stays where a slow trim of older ones ends after a later commit', async () => {
    const store = createFaultyStore(createMemoryStore());
    const world = await aRuntime({ store });
    const execution = await triggered(world);
    store.plan(call => (call.method === 'acknowledge' ? 'late' : undefined));
    await world.clock.advance(300);
    await world.aHost();
    expect(sent(world)).toEqual(['start h1 0:1']);
    world.fleet.here.delete('h1');
    await world.tell(`execution/${execution}`, {
      type: 'shard.unaccounted',
      host: 'h1',
      runs: [{ execution, item: 0, attempt: 1 }],
      session: 9,
    });
    store.heal();
    store.answerNow();
    await world.settled();
    await world.tell(`execution/${execution}`, { type: 'execution.end', reason: 'enough' });
    const document = await world.store.load(`execution/${execution}`);
    const pendingEffects = JSON.parse(document?.pendingEffects ?? '[]') as { effect: { type: string } }[];
    expect(pendingEffects.map(each => each.effect.type)).toEqual(['start', 'stop']);
  });

  test('pending effects leave no marks at a busy receiver once their senders have acknowledged them', async () => {
    const world = await aRuntime();
    await world.aHost();
    await world.ask(job, { type: 'job.register', config: aJob({ overlap: 'allow', overlapLimit: 50 }) });
    for (let count = 0; count < 20; count++) await world.ask(job, { type: 'job.trigger' });
    for (const start of world.starts()) await world.ended(start);
    await world.clock.advance(1_000);
    await world.ask('pool/default', { type: 'pool.modify', changes: { description: 'new' } });
    const stored = await world.store.load('pool/default');
    expect(Object.keys(JSON.parse(stored?.state ?? '{}').seen)).toEqual([]);
  });
});

describe('commands to a host', () => {
  test('commands to a host wait while it is away, and arrive in order when it is back', async () => {
    const world = await aRuntime();
    await world.aHost();
    world.fleet.here.delete('h1');
    await triggered(world, { shards: { total: 3, parameters: {} } });
    expect(sent(world)).toEqual([]);
    world.fleet.ready('h1');
    await world.settled();
    expect(sent(world)).toEqual(['start h1 0:1', 'start h1 1:1', 'start h1 2:1']);
  });

  test('commands to a host never start what was cancelled while the host was away', async () => {
    const world = await aRuntime();
    await world.aHost();
    world.fleet.here.delete('h1');
    const execution = await triggered(world);
    await world.ask(`execution/${execution}`, { type: 'execution.cancel', reason: 'enough' });
    world.fleet.ready('h1');
    await world.clock.advance(1_000);
    expect(sent(world)).toEqual(['stop h1 0:1']);
    expect(await world.store.pending({ limit: 10 })).toEqual([]);
  });

  test('commands to a host never start on a host that was lost meanwhile, and end what did start there', async () => {
    const world = await aRuntime();
    await world.aHost();
    world.fleet.here.delete('h1');
    const execution = await triggered(world);
    await world.tell('host/h1', { type: 'host.disconnected', session: 'h1-1', reason: 'cut' });
    await world.clock.advance(60_000);
    expect((await world.context(`execution/${execution}`)).context.outcome).toBe('lost');
    world.fleet.ready('h1');
    await world.settled();
    expect(sent(world)).toEqual(['stop h1 0:1']);
    expect(world.fleet.sent[0]?.command).toMatchObject({ as: 'superseded' });
  });

  test('commands to a host are no longer pending once the host is retired', async () => {
    const world = await aRuntime();
    await world.aHost();
    world.fleet.here.delete('h1');
    await triggered(world);
    await world.ask('host/h1', { type: 'host.retire' });
    await world.clock.advance(1_000);
    expect(await world.store.pending({ limit: 10 })).toEqual([]);
    const next = await restarted(world);
    await next.clock.advance(1_000);
    expect(sent(next)).toEqual([]);
  });

  test('commands to a host that the agent did not get before its session ended are sent again with the next', async () => {
    const fleet = scriptedFleet();
    const world = await aRuntime({ fleet });
    await world.aHost();
    const { send } = fleet;
    const cut: (() => void)[] = [];
    fleet.send = () => new Promise((_, reject) => cut.push(() => reject(new HostAway('cut'))));
    await triggered(world);
    fleet.send = send;
    for (const end of cut) end();
    await world.settled();
    expect(sent(world)).toEqual([]);
    fleet.ready('h1');
    await world.settled();
    expect(sent(world)).toEqual(['start h1 0:1']);
  });

  test('commands to a host are repeated for a run whose start did not arrive, and a run that began in this very session is not lost', async () => {
    const world = await aRuntime();
    await world.aHost();
    const execution = await triggered(world);
    await world.tell('host/h1', connected('s2'));
    expect(sent(world)).toEqual(['start h1 0:1', 'start h1 0:1']);
    expect(new Set(world.fleet.sent.map(each => runKeyOf(each.command.run))).size).toBe(1);
    const started = { type: 'shard.started', item: 0, attempt: 1, host: 'h1', startedAt: 1, pid: 1, session: 3 } as const;
    // The report overtakes what the pool makes of the hello.
    await Promise.all([
      world.runtime.tell('host/h1', connected('s3')),
      world.runtime.tell(`execution/${execution}`, started),
      world.settled(),
    ]);
    expect((await world.context(`execution/${execution}`)).context.shards[0]).toMatchObject({ status: 'running', attempt: 1 });
    await world.tell('host/h1', connected('s4'));
    expect((await world.context(`execution/${execution}`)).context.shards[0]).toMatchObject({ status: 'done', outcome: 'lost' });
  });
});
