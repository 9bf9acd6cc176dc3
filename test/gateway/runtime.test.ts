/** A run through gateway and runtime, from trigger to outcome. */

import { describe, expect, test } from 'bun:test';
import type { Address, Events, Kind } from '../../actors/types.ts';
import { createAgentHub } from '../../src/gateway/index.ts';
import { createRuntime } from '../../src/runtime/create.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { createViews } from '../../src/runtime/views.ts';
import { createOutputService } from '../../src/services/output/index.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import type { Store } from '../../src/store/port.ts';
import { aJob } from '../support/builders.ts';
import { inThisThread } from '../support/in-this-thread.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { scriptedNotifier } from '../support/notifier.ts';
import { countingIds } from '../support/runtime.ts';
import { aHello, aSocket } from './support.ts';

/** The hub in front of the production runtime; only sockets, clock and store are ours. */
async function aCenter(store: Store = createMemoryStore(), clock = createManualClock(), ids = countingIds()) {
  let runtime: Runtime;
  const doors = {
    ask: <K extends Kind>(to: Address<K>, event: Events[K]) => runtime.ask(to, event),
    tell: <K extends Kind>(to: Address<K>, event: Events[K]) => runtime.tell(to, event),
    raiseEpochs: (known: Parameters<Runtime['raiseEpochs']>[0]) => runtime.raiseEpochs(known),
    epoch: () => runtime.epoch(),
  };
  const views = createViews({ store });
  const hub = createAgentHub({
    runtime: doors,
    views,
    store,
    output: createOutputService({ store }),
    clock,
    ids,
    heartbeatMs: 5_000,
    hostGraceMs: 60_000,
    verify: () => true,
    readJoinToken: async () => undefined,
    spendJoinToken: async () => undefined,
    closedGraceMs: 3_000,
    installation: () => ({ publicKey: 'center', sign: text => text }),
    auth: 'off',
    onLog: () => {},
  });
  const workerHosts = inThisThread({ store, clock, ids, owner: 'test' });
  runtime = createRuntime({ store, clock, ids, fleet: hub, notifier: scriptedNotifier(), owner: 'test', log: () => {}, workerHosts });
  const settled = async <T>(work: Promise<T>): Promise<T> => {
    await clock.settle();
    return work;
  };
  await settled(runtime.start());
  await settled(hub.restartGrace());
  runtime.arm();
  const join = async (changes: Parameters<typeof aHello>[1] = {}) => {
    const socket = aSocket(hub.accept({ address: '127.0.0.1' }));
    socket.say(aHello(socket.of('challenge')[0]?.nonce ?? '', changes));
    await clock.settle();
    return socket;
  };
  return { store, clock, ids, views, hub, runtime, settled, join };
}

const POOL = { name: 'default', timeZone: null, servers: [], description: '' };

describe('a run, from trigger to outcome', () => {
  test('a run survives a restart of the center in its middle', async () => {
    const first = await aCenter();
    await first.settled(first.runtime.ask('pool/default', { type: 'pool.create', config: POOL }));
    const agent = await first.join();
    await first.settled(first.runtime.ask('job/nightly', { type: 'job.register', config: aJob({ name: 'nightly' }) }));
    await first.settled(first.runtime.ask('job/nightly', { type: 'job.trigger' }));
    const [start] = agent.of('start');
    if (!start) throw new Error('no start came');
    agent.say({ type: 'commandsAcknowledged', keys: [start.key] });
    agent.say({ type: 'report', id: 1, run: start.run, state: 'started', at: first.clock.now(), pid: 7 });
    await first.clock.settle();
    expect(agent.of('reportsAcknowledged')).toEqual([{ type: 'reportsAcknowledged', ids: [1] }]);

    first.hub.stop();
    await first.settled(first.runtime.stop(1_000));
    const second = await aCenter(first.store, first.clock, first.ids);
    const again = await second.join({ runs: [{ run: start.run, state: 'running' }] });
    expect(again.of('start')).toEqual([]);
    again.say({ type: 'report', id: 2, run: start.run, state: 'ended', outcome: 'succeeded', exitCode: 0, at: second.clock.now() });
    await second.clock.settle();
    expect(again.of('reportsAcknowledged')).toEqual([{ type: 'reportsAcknowledged', ids: [2] }]);
    const view = await second.views.get(`execution/${start.run.execution}`);
    expect(view?.context.outcome).toBe('succeeded');
  });
});
