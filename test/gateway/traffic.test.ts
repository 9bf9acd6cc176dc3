/** Reports, commands and output between gateway and agent. */
import { describe, expect, test } from 'bun:test';
import { agentLimits } from '../../src/agent/limits.ts';
import { CHUNK_OVERHEAD_BYTES } from '../../src/agent/runs/output.ts';
import { CENTER_FRAME_MAX, type Command, OUTPUT_TEXT_MAX } from '../../src/protocol/agent.ts';
import { Busy, NoSuchActor, Unavailable } from '../../src/runtime/errors.ts';
import { StoreUnavailable } from '../../src/store/port.ts';
import { aHello, aHub, aKey, aRun } from './support.ts';

const started = (id: number, run = aRun()) => ({ type: 'report', id, run, state: 'started', at: 5, pid: 77 });
const ended = (id: number, run = aRun()) => ({
  type: 'report',
  id,
  run,
  state: 'ended',
  outcome: 'failed',
  exitCode: 3,
  startedAt: 5,
  at: 9,
});
const output = (seq: number, changes: object = {}) => ({
  type: 'output',
  run: aRun(),
  seq,
  at: 7,
  stream: 'stdout',
  text: `line ${seq}\n`,
  bytes: 7,
  start: 7 * (seq - 1),
  ...changes,
});

const aStart = (run = aRun()): Command => ({
  type: 'start',
  key: `k ${run.execution}`,
  fence: { partition: 0, epoch: 1, rev: 1 },
  run,
  spec: { command: ['true'], shell: false, env: {}, timeoutMs: 0, killGraceMs: 1, disconnect: 'continue', disconnectMs: 0 },
});
const aStop = ({ as }: { as: 'cancelled' | 'superseded' }): Command => ({
  type: 'stop',
  key: 'stop',
  fence: { partition: 0, epoch: 1, rev: 2 },
  run: aRun(),
  as,
  reason: 'why',
});
const lines = (...frames: object[]) => frames.map(frame => JSON.stringify(frame)).join('\n');

/** A joined agent whose enrolment is removed, so that `delivered` holds reports only. */
async function aJoined(changes: Parameters<typeof aHub>[0] = {}) {
  const world = aHub(changes);
  const socket = await world.join();
  const host = String(world.delivered[0]?.event.id);
  world.delivered.length = 0;
  return { ...world, socket, host };
}

describe('a report', () => {
  test('a report is sent to its execution, and acknowledged only after the commit', async () => {
    const { socket, delivered, host, intercept, clock } = await aJoined();
    let commit = () => {};
    intercept.pass = () => new Promise<void>(resolve => (commit = resolve));
    socket.say(ended(4));
    await clock.settle();
    expect(socket.of('reportsAcknowledged')).toEqual([]);
    commit();
    await clock.settle();
    expect(socket.of('reportsAcknowledged')).toEqual([{ type: 'reportsAcknowledged', ids: [4] }]);
    const event = {
      type: 'shard.ended' as const,
      item: 0,
      attempt: 1,
      host,
      outcome: 'failed',
      exitCode: 3,
      signal: null,
      startedAt: 5,
      finishedAt: 9,
      reason: null,
      output: null,
    };
    expect(delivered).toEqual([{ to: 'execution/nightly@1', event }]);
  });

  test('a report follows the earlier ones of its run, while other runs go on', async () => {
    const { socket, delivered, intercept, clock } = await aJoined();
    let commit = () => {};
    intercept.pass = async ({ event }) => {
      if (event.type === 'shard.started' && event.item === 0) await new Promise<void>(resolve => (commit = resolve));
    };
    socket.say(started(1));
    await clock.settle();
    socket.say(ended(2));
    socket.say(started(3, aRun({ item: 1 })));
    await clock.settle();
    expect(delivered.map(({ event }) => event.item)).toEqual([1]);
    commit();
    await clock.settle();
    expect(delivered.map(({ event }) => `${event.item} ${event.type}`)).toEqual(['1 shard.started', '0 shard.started', '0 shard.ended']);
    expect(socket.of('reportsAcknowledged').flatMap(({ ids }) => ids)).toEqual([3, 1, 2]);
  });

  test('reports of one run in one message are sent together, so that one commit can take both', async () => {
    const { socket, delivered, intercept, clock } = await aJoined();
    const asked: string[] = [];
    let commit = () => {};
    const committed = new Promise<void>(resolve => (commit = resolve));
    intercept.pass = ({ event }) => {
      asked.push(event.type);
      return committed;
    };
    socket.say(lines(started(1), ended(2)));
    await clock.settle();
    expect(asked).toEqual(['shard.started', 'shard.ended']);
    expect(socket.of('reportsAcknowledged')).toEqual([]);
    commit();
    await clock.settle();
    expect(delivered.map(({ event }) => event.type)).toEqual(['shard.started', 'shard.ended']);
    expect(socket.of('reportsAcknowledged')).toEqual([{ type: 'reportsAcknowledged', ids: [1, 2] }]);
  });

  test('a report of a deleted execution is acknowledged', async () => {
    const { socket, intercept, clock } = await aJoined();
    intercept.pass = async ({ to }) => {
      throw new NoSuchActor(to);
    };
    for (let id = 1; id <= 3; id++) socket.say(ended(id, aRun({ item: id })));
    await clock.settle();
    expect(socket.of('reportsAcknowledged')).toEqual([{ type: 'reportsAcknowledged', ids: [1, 2, 3] }]);
  });

  test('row 14: a report waits out a store that is away and a full mailbox, and other runs are not held up', async () => {
    const { socket, delivered, intercept, clock } = await aJoined();
    let failures = 3;
    intercept.pass = async ({ event }) => {
      if (event.item === 0 && failures-- > 0) throw failures === 2 ? new Busy('full') : new Unavailable('away');
    };
    socket.say(started(1));
    await clock.settle();
    socket.say(ended(2));
    socket.say(ended(3, aRun({ item: 1 })));
    await clock.settle();
    expect(socket.of('reportsAcknowledged').flatMap(({ ids }) => ids)).toEqual([3]);
    await clock.advance(10_000);
    expect(socket.of('reportsAcknowledged').flatMap(({ ids }) => ids)).toEqual([3, 1, 2]);
    expect(delivered.filter(({ event }) => event.item === 0).map(({ event }) => event.type)).toEqual(['shard.started', 'shard.ended']);
  });

  test('a report of a session that ended is left to the next session, which brings it again', async () => {
    const { socket, delivered, intercept, clock, join } = await aJoined();
    intercept.pass = async ({ to }) => {
      if (to.startsWith('execution/')) throw new Unavailable('away');
    };
    socket.say(started(1));
    await clock.settle();
    socket.handlers.closed(1006, '');
    intercept.pass = async () => {};
    const again = await join();
    again.say(started(1));
    await clock.advance(30_000);
    expect(delivered.filter(({ to }) => to.startsWith('execution/'))).toHaveLength(1);
    expect(again.of('reportsAcknowledged')).toEqual([{ type: 'reportsAcknowledged', ids: [1] }]);
    expect(socket.of('reportsAcknowledged')).toEqual([]);
  });

  test('a report beyond the number that may wait ends the session', async () => {
    const { socket, intercept } = await aJoined({ limits: { reportsWaitingMax: 2 } });
    intercept.pass = () => new Promise(() => {});
    for (let id = 1; id <= 3; id++) socket.say(started(id, aRun({ item: id })));
    expect(socket.of('refused')[0]?.code).toBe('busy');
    expect(socket.state.closed).toBe(1013);
  });
});

describe('a command that an agent refuses because it has served a newer center', () => {
  test('a command that an agent of a newer center refuses leaves its shard lost with the reason, instead of waiting forever', async () => {
    const { hub, socket, delivered, host, clock } = await aJoined();
    const sent = hub.send(host, aStart());
    socket.say({ type: 'rejected', key: aStart().key, run: aRun(), reason: 'lowerEpoch' });
    await clock.settle();
    expect(await sent).toBeUndefined();
    expect(delivered).toMatchObject([
      { to: 'execution/nightly@1', event: { type: 'shard.ended', item: 0, attempt: 1, host, outcome: 'lost' } },
    ]);
    expect(String(delivered[0]?.event.reason)).toContain('newer center');
  });

  test('a command that was acknowledged ends nothing when an old frame of it is refused', async () => {
    const { hub, socket, delivered, host, clock } = await aJoined();
    const sent = hub.send(host, aStart());
    socket.say({ type: 'commandsAcknowledged', keys: [aStart().key] });
    expect(await sent).toBeUndefined();
    socket.say({ type: 'rejected', key: aStart().key, run: aRun(), reason: 'lowerEpoch', known: true });
    await clock.settle();
    expect(delivered).toEqual([]);
  });
});

describe('a command that its host does not carry out', () => {
  const event = (delivered: { event: { type: string; [field: string]: unknown } }[]) =>
    delivered.map(each => each.event).filter(({ type }) => type.startsWith('shard.'));

  test('an unreadable start ends its shard as failed with the reason of the agent, and is acknowledged', async () => {
    const { hub, socket, delivered, host, clock } = await aJoined();
    const sent = hub.send(host, aStart());
    await clock.settle();
    const { key } = aStart();
    socket.say({ type: 'rejected', key, run: aRun(), reason: 'unreadable', message: 'spec.lastArgument: too long' });
    await clock.settle();
    expect(await sent).toBeUndefined();
    expect(event(delivered)).toMatchObject([{ type: 'shard.ended', outcome: 'failed', startedAt: null, host }]);
    expect(String(event(delivered)[0]?.reason)).toContain('cannot read the command to start it (spec.lastArgument: too long)');
  });

  test('a command that fails in its agent ends its shard with the reason of the agent', async () => {
    const { hub, socket, delivered, host, clock } = await aJoined();
    void hub.send(host, aStart());
    socket.say({ type: 'rejected', key: aStart().key, run: aRun(), reason: 'failed', message: 'the agent failed: out of ideas' });
    await clock.settle();
    expect(event(delivered)).toMatchObject([
      { outcome: 'failed', reason: 'its agent cannot carry out the command to start it: the agent failed: out of ideas' },
    ]);
  });

  test('an unreadable stop ends its shard as lost, because its process may go on', async () => {
    const { hub, socket, delivered, host, clock } = await aJoined();
    void hub.send(host, aStop({ as: 'cancelled' }));
    socket.say({ type: 'rejected', key: 'stop', run: aRun(), reason: 'unreadable', message: 'reason: too long' });
    await clock.settle();
    expect(event(delivered)).toMatchObject([{ type: 'shard.ended', outcome: 'lost' }]);
  });

  test('an answer that does not reach the execution is sent again until it is committed', async () => {
    const { hub, socket, delivered, host, intercept, clock } = await aJoined();
    let failures = 2;
    intercept.pass = async () => {
      if (failures-- > 0) throw new Unavailable('away');
    };
    const sent = hub.send(host, aStart());
    socket.say({ type: 'rejected', key: aStart().key, run: aRun(), reason: 'unreadable' });
    await clock.advance(5_000);
    await sent;
    expect(event(delivered)).toHaveLength(1);
  });

  test('a start larger than a frame is not sent: its shard fails', async () => {
    const { hub, socket, delivered, host, clock } = await aJoined();
    const start = aStart();
    if (start.type !== 'start') throw new Error('no start');
    await hub.send(host, { ...start, spec: { ...start.spec, env: { BIG: 'x'.repeat(CENTER_FRAME_MAX) } } });
    await clock.settle();
    expect(socket.of('start')).toEqual([]);
    expect(event(delivered)).toMatchObject([{ type: 'shard.ended', outcome: 'failed' }]);
  });

  test('a start that a connected agent never acknowledges is lost after its time, and an acknowledged one is not', async () => {
    const { hub, socket, delivered, host, clock } = await aJoined();
    const sent = hub.send(host, aStart());
    void hub.send(host, { ...aStart(aRun({ item: 1 })), key: 'acknowledged' });
    socket.say({ type: 'commandsAcknowledged', keys: ['acknowledged'] });
    for (let beat = 0; beat < 30; beat++) {
      await clock.advance(5_000);
      socket.say({ type: 'ping', nonce: 'n' });
      if (beat === 22) expect(event(delivered)).toEqual([]);
    }
    await sent;
    expect(event(delivered)).toMatchObject([{ type: 'shard.unanswered', host, runs: [aRun()] }]);
  });
});

describe('output', () => {
  test('output of a run on another host is acknowledged, dropped, and recorded', async () => {
    const { socket, kept, logs, clock } = await aJoined();
    socket.say(output(1, { run: aRun({ execution: 'elsewhere@1' }) }));
    await clock.settle();
    expect(kept).toEqual([]);
    expect(socket.of('outputAcknowledged')).toHaveLength(1);
    expect(logs.filter(line => line.security)).toHaveLength(1);
  });

  test('output of a run is kept without a query of the store on its own host, and refused from another host', async () => {
    const { hub, host, socket, kept, clock } = await aJoined();
    const own = aRun({ execution: 'elsewhere@1' });
    const others = aRun({ execution: 'elsewhere@2' });
    void hub.send(host, aStart(own));
    await hub.send('another host', aStart(others)).catch(() => {});
    socket.say(lines(output(1, { run: own }), output(1, { run: others })));
    await clock.settle();
    expect(kept.map(({ execution }) => execution)).toEqual(['elsewhere@1']);
  });

  test('output is collected into few writes and acknowledged per run once it is durable', async () => {
    const writes: number[] = [];
    let durable = () => {};
    const keep = async (chunks: unknown[]) => {
      writes.push(chunks.length);
      await new Promise<void>(resolve => (durable = resolve));
    };
    const { socket, clock } = await aJoined({ output: { keep } });
    const other = aRun({ item: 1 });
    socket.say(output(1));
    socket.say(output(2));
    socket.say(output(1, { run: other }));
    await clock.settle();
    socket.say(output(3));
    await clock.settle();
    expect(writes).toEqual([3]);
    expect(socket.of('outputAcknowledged')).toEqual([]);
    durable();
    await clock.settle();
    expect(socket.of('outputAcknowledged')).toEqual([
      { type: 'outputAcknowledged', run: aRun(), through: 2 },
      { type: 'outputAcknowledged', run: other, through: 1 },
    ]);
    durable();
    await clock.settle();
    expect(writes).toEqual([3, 1]);
    expect(socket.of('outputAcknowledged').at(-1)?.through).toBe(3);
  });

  test('output waits out a store that is away, in order, and is acknowledged once', async () => {
    let failures = 2;
    const kept: number[] = [];
    const keep = async (chunks: { seq: number }[]) => {
      if (failures-- > 0) throw new StoreUnavailable('away');
      kept.push(...chunks.map(({ seq }) => seq));
    };
    const { socket, clock } = await aJoined({ output: { keep } });
    socket.say(output(1));
    await clock.settle();
    socket.say(output(2));
    await clock.advance(5_000);
    expect(kept).toEqual([1, 2]);
    expect(socket.of('outputAcknowledged').map(({ through }) => through)).toEqual([2]);
  });

  test.each([OUTPUT_TEXT_MAX, 200])(
    'row 15: output may fill the window of an agent with pieces of %i letters while the store is slow',
    async letters => {
      const { socket, clock } = await aJoined({ output: { keep: () => new Promise(() => {}) } });
      const { outputWindowAll, outputReadBytes } = agentLimits;
      // As the agent reckons: it reads until the window is full.
      let flight = 0;
      for (let seq = 1; flight < outputWindowAll + outputReadBytes; seq++) {
        socket.say({ ...output(seq), text: 'x'.repeat(letters) });
        flight += letters + CHUNK_OVERHEAD_BYTES;
      }
      await clock.settle();
      expect(socket.state.closed).toBeUndefined();
    },
  );

  test('output beyond the bytes that may wait ends the session, and the waiting bytes are dropped', async () => {
    const { socket, join, clock, kept } = await aJoined({ limits: { outputWaitingBytes: 1_000 } });
    for (let seq = 1; seq <= 10; seq++) socket.say(output(seq));
    expect(socket.state.closed).toBe(1013);
    await clock.settle();
    expect(kept).toEqual([]);
    const again = await join();
    again.say(output(1));
    await clock.settle();
    expect(again.of('outputAcknowledged')).toHaveLength(1);
  });
});

describe('several frames in one message', () => {
  test('several frames in one message are taken one after the other', async () => {
    const { socket, clock } = await aJoined();
    socket.say(lines(started(1), output(1), output(2)));
    await clock.settle();
    expect(socket.of('reportsAcknowledged')).toEqual([{ type: 'reportsAcknowledged', ids: [1] }]);
    expect(socket.of('outputAcknowledged').at(-1)?.through).toBe(2);
  });

  test('several frames in one message end at the first malformed one', async () => {
    const { socket, clock, kept } = await aJoined();
    socket.say(`${lines(started(1))}\n{\n${lines(output(1))}`);
    await clock.settle();
    expect(socket.state.closed).toBe(1008);
    expect(kept).toEqual([]);
  });
});

describe('a frame that makes no sense', () => {
  test('a malformed frame is named, ends the session with 1008, and sends no event', async () => {
    for (const frame of [
      '{',
      '[]',
      'null',
      '{"type":"nonsense"}',
      JSON.stringify({ ...started(1), run: { execution: 5 } }),
      JSON.stringify(output(0)),
    ]) {
      const { socket, delivered, clock, kept } = await aJoined();
      socket.say(frame);
      socket.say(started(9));
      await clock.settle();
      expect(socket.of('refused')[0]).toMatchObject({ code: 'malformed' });
      expect(socket.state.closed).toBe(1008);
      expect(delivered.map(({ event }) => event.type)).toEqual(['host.disconnected']);
      expect(kept).toEqual([]);
    }
  });

  test('a malformed frame is answered with what is wrong and where', async () => {
    const { socket } = await aJoined();
    socket.say({ ...started(1), run: { execution: 'e', item: -1, attempt: 1 } });
    expect(socket.of('refused')[0]?.message).toMatch(/^the "report" frame does not fit the protocol: run\.item: /);
  });

  test('a second hello, and any frame between hello and welcome, is malformed', async () => {
    const { socket, dial, intercept, clock, delivered } = await aJoined();
    socket.say(aHello('x'));
    expect(socket.of('refused')[0]?.code).toBe('unexpected');
    intercept.pass = () => new Promise(() => {});
    const eager = dial();
    eager.say(aHello(eager.of('challenge')[0]?.nonce ?? '', { publicKey: aKey(3) }));
    eager.say(started(1));
    await clock.settle();
    expect(eager.of('refused')[0]?.code).toBe('unexpected');
    expect(delivered.filter(({ to }) => to.startsWith('execution/'))).toEqual([]);
  });
});

describe('row 17: a storm of agents', () => {
  test('a storm of agents is admitted a few at a time, all get in, and those who left meanwhile cost nothing', async () => {
    const { dial, clock, intercept, delivered, hub } = aHub({ limits: { handshakesMax: 8 } });
    let busy = 0;
    let busiest = 0;
    let enrolled = 0;
    intercept.pass = async ({ event }) => {
      if (event.type === 'host.enroll') enrolled++;
      busiest = Math.max(busiest, ++busy);
      await Promise.resolve();
      busy--;
    };
    const sockets = Array.from({ length: 500 }, (_, number) => {
      const socket = dial();
      const publicKey = Buffer.from(Uint32Array.of(number, 0, 0, 0, 0, 0, 0, 0).buffer).toString('base64url');
      socket.say(aHello(socket.of('challenge')[0]?.nonce ?? '', { name: `box-${number}`, publicKey }));
      return socket;
    });
    for (const socket of sockets.slice(400)) socket.handlers.closed(1006, '');
    await clock.settle();
    expect(busiest).toBeLessThanOrEqual(8);
    expect(enrolled).toBe(400);
    expect(sockets.filter(socket => socket.of('welcome').length === 1)).toHaveLength(400);
    expect(hub.counts()).toEqual({ sockets: 400, hosts: 400 });
    expect(delivered).toHaveLength(800);
  });

  test('a storm of agents is asked to come later where the queue is full', async () => {
    const { dial, clock, intercept } = aHub({ limits: { handshakesMax: 1, handshakesWaitingMax: 2, socketsMax: 5 } });
    intercept.pass = () => new Promise(() => {});
    const sockets = [1, 2, 3, 4].map(number => {
      const socket = dial();
      socket.say(aHello(socket.of('challenge')[0]?.nonce ?? '', { publicKey: aKey(number) }));
      return socket;
    });
    await clock.settle();
    expect(sockets.map(socket => socket.of('refused')[0]?.code)).toEqual([undefined, undefined, undefined, 'busy']);
    expect([dial(), dial(), dial()].map(socket => socket.of('refused')[0]?.code)).toEqual([undefined, undefined, 'busy']);
  });
});
