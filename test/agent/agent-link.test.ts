/** The agent's connection: greeting, several centers, unacknowledged reports and output. */
import { describe, expect, test } from 'bun:test';
import { agentSpans } from '../../src/agent/limits.ts';
import { backOff } from '../../src/agent/link/index.ts';
import { ARGUMENT_BYTES_MAX, keyOfRun, OUTPUT_TEXT_MAX, STOP_REASON_MAX } from '../../src/protocol/agent.ts';
import { anAgentSetup, aRun, aStart, aStop } from './agent-setup.ts';

const KEY = keyOfRun(aRun());

describe('the link', () => {
  test('the link sends its key in the hello, and the join token until it was welcomed once', async () => {
    const world = anAgentSetup({ joinToken: 'once' });
    world.center.accept = { refused: 'busy' };
    await world.start();
    expect(world.sent('hello')).toMatchObject([
      { joinToken: 'once', publicKey: 'public', signature: 'signed(troupe-hello:nonce-1)', name: 'h1', pool: 'default' },
    ]);
    world.center.accept = 'welcome';
    await world.clock.advance(1_000);
    expect(world.sent('hello')).toMatchObject([{ joinToken: 'once', signature: 'signed(troupe-hello:nonce-2)' }]);
    world.center.cut();
    await world.clock.advance(1_000);
    expect(world.sent('hello')[0]?.joinToken).toBeUndefined();
    await world.kill();
    await world.start();
    expect(world.sent('hello')[0]?.joinToken).toBeUndefined();
    await world.quit();
  });

  test('the link tries one center after the other', async () => {
    const world = anAgentSetup({ centers: ['ws://a', 'ws://b'] });
    world.center.accept = 'closed';
    await world.start();
    await world.clock.advance(10_000);
    expect(world.center.dials.slice(0, 3)).toEqual(['ws://a', 'ws://b', 'ws://a']);
    await world.quit();
  });

  test('the link skips a standby or an absent center, and dials the center that served last first', async () => {
    const world = anAgentSetup({ centers: ['ws://a', 'ws://b', 'ws://c'] });
    world.center.closed = new Set(['ws://a', 'ws://c']);
    await world.start();
    expect(world.center.dials).toEqual(['ws://a', 'ws://b']);
    world.center.closed = new Set(['ws://a', 'ws://b']);
    world.center.cut();
    await world.clock.advance(1_000);
    expect(world.center.dials).toEqual(['ws://a', 'ws://b', 'ws://b', 'ws://c']);
    world.center.cut();
    world.center.closed = new Set();
    await world.clock.advance(1_000);
    expect(world.center.dials.at(-1)).toBe('ws://c');
    await world.quit();
  });

  test('the link goes on to the next center when one never welcomes', async () => {
    const world = anAgentSetup({ centers: ['ws://a', 'ws://b'] });
    world.center.accept = 'nothing';
    await world.start();
    await world.clock.advance(agentSpans.welcomeMs + 2_000);
    expect(world.center.dials).toEqual(['ws://a', 'ws://b']);
    expect(world.center.closes).toMatchObject([{ code: 4001 }]);
    await world.quit();
  });

  test('row 5: the link detects a half-open socket by three silent heartbeats, and dials elsewhere', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    world.center.hung = true;
    await world.clock.advance(2_900);
    expect(world.center.dials).toHaveLength(1);
    world.keeper.end(KEY, { exitCode: 0 });
    await world.clock.advance(200);
    expect(world.center.closes).toMatchObject([{ code: 4000 }]);
    world.center.hung = false;
    await world.clock.advance(1_000);
    expect(world.center.dials).toHaveLength(2);
    expect(world.ends()).toMatchObject([{ outcome: 'succeeded' }]);
    await world.quit();
  });

  test('the link ignores frames of an abandoned socket', async () => {
    const world = anAgentSetup();
    await world.start();
    const old = world.center.open;
    world.center.hung = true;
    await world.clock.advance(3_100);
    world.center.hung = false;
    await world.clock.advance(1_000);
    old?.frame(JSON.stringify(aStart()));
    old?.closed(1006, 'at last');
    await world.clock.settle();
    expect(world.keeper.processes).toEqual([]);
    await world.send(aStart());
    expect(world.keeper.processes).toEqual([KEY]);
    await world.quit();
  });

  test('the link answers pings, and stays up while the center answers its own', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send({ type: 'ping', nonce: 'n7' });
    expect(world.sent('pong')).toEqual([{ type: 'pong', nonce: 'n7' }]);
    await world.clock.advance(60_000);
    expect(world.sent('ping').length).toBeGreaterThan(50);
    expect(world.center.dials).toHaveLength(1);
    await world.quit();
  });

  test('the link ignores malformed frames', async () => {
    const world = anAgentSetup();
    await world.start();
    world.center.open?.frame('{"type":"danc');
    await world.send({ type: 'dance' });
    await world.send(aStart());
    expect(world.keeper.processes).toEqual([KEY]);
    await world.quit();
  });

  test('a start or a stop that the agent cannot read is answered with the reason, and frames behind it are read', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send({ ...aStart(), spec: { ...aStart().spec, lastArgument: 'a'.repeat(ARGUMENT_BYTES_MAX + 1) } });
    await world.send({ ...aStop(), reason: 'r'.repeat(STOP_REASON_MAX + 1), key: 'stop-key' });
    await world.send({ type: 'start', key: 5 });
    expect(world.sent('rejected')).toMatchObject([
      { key: aStart().key, run: aRun(), reason: 'unreadable', message: `spec.lastArgument: more than ${ARGUMENT_BYTES_MAX} bytes` },
      { key: 'stop-key', run: aRun(), reason: 'unreadable' },
    ]);
    expect(world.keeper.processes).toEqual([]);
    await world.send(aStart());
    expect(world.keeper.processes).toEqual([KEY]);
    await world.quit();
  });

  test('the link slows down after a final refusal and reports it', async () => {
    const world = anAgentSetup();
    world.center.accept = { refused: 'identityInUse' };
    await world.start();
    await world.clock.advance(29_000);
    expect(world.center.dials).toHaveLength(1);
    await world.clock.advance(31_000);
    expect(world.center.dials).toHaveLength(2);
    expect(world.log.join('\n')).toContain('(identityInUse); an operator must act');
    await world.quit();
  });

  test.each(['joinTokenInvalid', 'unknownKey'])(
    'the link ends when every center refuses it with %s and it never joined one',
    async code => {
      const world = anAgentSetup({ centers: ['ws://one', 'ws://two'], joinToken: 'wrong' });
      world.center.accept = { refused: code };
      await world.start();
      let how: unknown = 'runs';
      void world.ended().then(ended => {
        how = ended;
      });
      await world.clock.settle();
      expect([how, world.center.dials]).toEqual(['runs', ['ws://one']]);
      await world.clock.advance(60_000);
      expect([how, world.center.dials]).toEqual(['refused', ['ws://one', 'ws://two']]);
    },
  );

  test('the link goes on trying when a center that it had joined does not know it', async () => {
    const world = anAgentSetup();
    await world.start();
    world.center.accept = { refused: 'unknownKey' };
    await world.kill();
    await world.start();
    await world.clock.advance(600_000);
    expect(world.center.dials.length).toBeGreaterThan(10);
    await world.quit();
  });

  test('row 17: the link comes back with full jitter, doubling from a second to a minute', () => {
    const never = { final: false, isSeveral: false };
    const most = [1, 2, 3, 5, 6, 7, 50].map(failures => backOff(never, failures, 0.999, agentSpans));
    expect(most.map(ms => Math.ceil(ms / 1000))).toEqual([2, 4, 8, 32, 60, 60, 60]);
    expect(backOff(never, 50, 0, agentSpans)).toBe(0);
    expect(backOff(never, 0, 0.5, agentSpans)).toBe(500);
  });

  test('the link to several centers pauses at most four seconds, since a standby takes over within seconds', () => {
    const pauses = [1, 2, 3, 50].map(failures => backOff({ final: false, isSeveral: true }, failures, 0.999, agentSpans));
    expect(pauses.map(ms => Math.ceil(ms / 1000))).toEqual([2, 4, 4, 4]);
  });

  test('the link closes in order when the agent stops, and runs go on', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    await world.quit();
    expect(world.center.closes).toEqual([{ code: 1000, reason: 'the agent stops' }]);
    expect(world.keeper.stops).toEqual([]);
    await world.start();
    world.keeper.end(KEY, { exitCode: 0 });
    await world.clock.settle();
    expect(world.ends()).toMatchObject([{ outcome: 'succeeded' }]);
    await world.quit();
  });
});

describe('a center that takes several frames in one message', () => {
  test('a center that takes several frames in one message is sent the frames of one tick at once, in order', async () => {
    const world = anAgentSetup();
    world.center.batching = true;
    await world.start();
    const runs = Array.from({ length: 20 }, (_, item) => aRun({ item }));
    world.center.messages.length = 0;
    for (const run of runs) world.center.send(aStart({ run }));
    await world.clock.settle();
    expect(world.sent('commandsAcknowledged').flatMap(frame => frame.keys)).toHaveLength(20);
    expect(world.sent('report').map(frame => frame.run.item)).toEqual(runs.map(run => run.item));
    expect(world.center.messages.length).toBeLessThan(10);
    await world.quit();
  });

  test('a center that takes several frames in one message gets no message beyond the size it takes', async () => {
    const world = anAgentSetup();
    world.center.batching = true;
    world.center.eager = false;
    await world.start();
    await world.send(aStart());
    world.center.messages.length = 0;
    world.keeper.write(KEY, ...Array(12).fill('x'.repeat(20_000)));
    await world.clock.settle();
    expect(world.sent('output')).toHaveLength(12);
    expect(Math.max(...world.center.messages)).toBeLessThanOrEqual(4);
    await world.quit();
  });

  test('a center that takes several frames in one message gets unsent frames again after a cut', async () => {
    const world = anAgentSetup();
    world.center.batching = true;
    world.center.eager = false;
    await world.start();
    await world.send(aStart());
    world.keeper.end(KEY);
    world.center.cut();
    await world.clock.advance(10_000);
    expect(world.sent('report').map(({ state }) => state)).toEqual(['started', 'ended']);
    await world.quit();
  });
});

describe('a run whose center is out of reach', () => {
  const impatient = { spec: { disconnect: 'stop', disconnectMs: 20_000 } } as const;

  test('a run whose center is out of reach goes on by default', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart({ spec: { disconnect: 'continue', disconnectMs: 20_000 } }));
    world.center.accept = 'closed';
    world.center.cut();
    await world.clock.advance(3_600_000);
    expect(world.keeper.stops).toEqual([]);
    await world.quit();
  });

  test('a run whose center is out of reach is ended by its agent after its time', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart(impatient));
    world.center.accept = 'closed';
    world.center.cut();
    await world.clock.advance(19_000);
    expect(world.keeper.stops).toEqual([]);
    await world.clock.advance(1_500);
    expect(world.keeper.stops).toHaveLength(1);
    world.center.accept = 'welcome';
    await world.clock.advance(60_000);
    expect(world.ends()).toMatchObject([{ outcome: 'failed', reason: 'the center was out of reach for 20000 ms', signal: 'SIGTERM' }]);
    await world.quit();
  });

  test('a run whose center is out of reach goes on when the center is back in time, and its time begins anew', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart(impatient));
    for (let i = 0; i < 3; i++) {
      world.center.accept = 'closed';
      world.center.cut();
      await world.clock.advance(10_000);
      world.center.accept = 'welcome';
      await world.clock.advance(9_000);
    }
    expect(world.keeper.stops).toEqual([]);
    await world.quit();
  });

  test('the time of a run whose center is out of reach counts from the last frame, not from the detection of the silence', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart(impatient));
    world.center.hung = true;
    await world.clock.advance(20_000);
    expect(world.keeper.stops).toHaveLength(1);
    await world.quit();
  });
});

describe('output', () => {
  const chunk = 'x'.repeat(OUTPUT_TEXT_MAX);

  test('output goes out in a window of unacknowledged bytes, and on with each acknowledgement', async () => {
    const world = anAgentSetup({ limits: { outputWindowRun: 2 * OUTPUT_TEXT_MAX } });
    world.center.eager = false;
    await world.start();
    await world.send(aStart());
    world.keeper.write(KEY, ...Array(10).fill(chunk));
    await world.clock.settle();
    expect(world.sent('output').map(frame => frame.seq)).toEqual([1, 2]);
    await world.send({ type: 'outputAcknowledged', run: aRun(), through: 1 });
    expect(world.sent('output').map(frame => frame.seq)).toEqual([1, 2, 3]);
    await world.send({ type: 'outputAcknowledged', run: aRun(), through: 3 });
    expect(world.sent('output').map(frame => frame.seq)).toEqual([1, 2, 3, 4, 5]);
    await world.quit();
  });

  test('output that comes along with its event is not asked for', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    world.keeper.tell(KEY, 'hello');
    world.keeper.end(KEY);
    await world.clock.settle();
    expect(world.sent('output')).toMatchObject([{ seq: 1, text: 'hello' }]);
    expect([world.keeper.reads, world.keeper.removed]).toEqual([0, [KEY]]);
    await world.quit();
  });

  test('output that comes along out of its turn is read instead, none of it twice', async () => {
    const world = anAgentSetup({ limits: { outputWindowRun: 10 } });
    world.center.eager = false;
    await world.start();
    await world.send(aStart());
    world.keeper.tell(KEY, 'x'.repeat(20));
    world.keeper.tell(KEY, 'no room yet');
    await world.clock.settle();
    expect(world.sent('output').map(({ seq }) => seq)).toEqual([1]);
    world.center.cut();
    await world.clock.advance(10_000);
    world.keeper.tell(KEY, 'third');
    world.center.eager = true;
    for (const through of [1, 2, 3]) await world.send({ type: 'outputAcknowledged', run: aRun(), through });
    expect(world.sent('output').map(({ seq }) => seq)).toEqual([1, 2, 3]);
    world.keeper.end(KEY);
    await world.clock.settle();
    expect(world.keeper.removed).toEqual([KEY]);
    await world.quit();
  });

  describe('that no center takes', () => {
    /** Runs that have ended one second apart, each with so many characters of output. */
    const ended = async (world: ReturnType<typeof anAgentSetup>, ...sizes: number[]) => {
      world.center.eager = false;
      await world.start();
      for (const [item, size] of sizes.entries()) {
        const run = aRun({ item });
        await world.send(aStart({ run }));
        world.keeper.write(keyOfRun(run), 'x'.repeat(size));
        world.keeper.end(keyOfRun(run));
        await world.clock.advance(1_000);
      }
    };
    const saying = (world: ReturnType<typeof anAgentSetup>) => world.log.filter(line => line.includes('is dropped'));

    test('output that no center takes is dropped beyond so many bytes, oldest ends first', async () => {
      const world = anAgentSetup({ limits: { undeliveredBytes: 100_000 } });
      await ended(world, 40_000, 40_000, 40_000);
      expect(world.keeper.removed).toEqual([keyOfRun(aRun({ item: 0 }))]);
      expect(saying(world)).toHaveLength(1);
      await world.send({ type: 'outputAcknowledged', run: aRun({ item: 2 }), through: 1 });
      expect(world.keeper.removed).toEqual([0, 2].map(item => keyOfRun(aRun({ item }))));
      await world.quit();
    });

    test('output that no center takes is dropped beyond an age', async () => {
      const world = anAgentSetup({ limits: { undeliveredMs: 300_000 } });
      await ended(world, 10, 10);
      await world.clock.advance(295_000);
      expect(world.keeper.removed).toEqual([]);
      await world.clock.advance(70_000);
      expect(world.keeper.removed).toEqual([0, 1].map(item => keyOfRun(aRun({ item }))));
      expect(saying(world)).toContain('output of ended runs is dropped: no center took it for 300000 ms');
      await world.quit();
    });

    test('output that no center takes is counted anew by the next agent, and what the center keeps counts no more', async () => {
      const world = anAgentSetup({ limits: { undeliveredBytes: 100_000 } });
      await ended(world, 40_000, 40_000);
      await world.kill();
      await world.start();
      await world.send({ type: 'outputAcknowledged', run: aRun({ item: 0 }), through: 1 });
      for (const item of [2, 3]) {
        const run = aRun({ item });
        await world.send(aStart({ run }));
        world.keeper.write(keyOfRun(run), 'x'.repeat(40_000));
        world.keeper.end(keyOfRun(run));
        await world.clock.settle();
      }
      expect(world.keeper.removed).toEqual([0, 1].map(item => keyOfRun(aRun({ item }))));
      await world.quit();
    });
  });

  test('output of all runs together has a window too, and no run starves', async () => {
    const world = anAgentSetup({ limits: { outputWindowAll: 3 * OUTPUT_TEXT_MAX, outputReadBytes: 1 } });
    world.center.eager = false;
    await world.start();
    const runs = [0, 1, 2].map(item => aRun({ item }));
    for (const run of runs) await world.send(aStart({ run }));
    world.center.buffered = 1e9;
    for (const run of runs) world.keeper.write(keyOfRun(run), chunk, chunk);
    await world.clock.settle();
    expect(world.sent('output')).toEqual([]);
    world.center.buffered = 0;
    await world.clock.advance(100);
    expect(world.sent('output').map(frame => frame.run.item)).toEqual([0, 1, 2]);
    await world.quit();
  });

  test('output does not hold up the end of its run', async () => {
    const world = anAgentSetup();
    world.center.eager = false;
    await world.start();
    await world.send(aStart());
    world.keeper.write(KEY, ...Array(50).fill(chunk));
    world.keeper.end(KEY, { exitCode: 0 });
    await world.clock.settle();
    expect(world.ends()).toHaveLength(1);
    expect(world.keeper.removed).toEqual([]);
    world.center.eager = true;
    await world.send({ type: 'outputAcknowledged', run: aRun(), through: 1 });
    await world.send({ type: 'outputAcknowledged', run: aRun(), through: 4 });
    expect(world.keeper.removed).toEqual([KEY]);
    expect(new Set(world.sent('output').map(frame => frame.seq)).size).toBe(50);
    await world.quit();
  });

  test('output is sent again from the last acknowledged piece after a cut, and after a restart', async () => {
    const world = anAgentSetup();
    world.center.eager = false;
    await world.start();
    await world.send(aStart());
    world.keeper.write(KEY, 'a', 'b', 'c', 'd');
    await world.clock.settle();
    await world.send({ type: 'outputAcknowledged', run: aRun(), through: 2 });
    world.center.cut();
    await world.clock.advance(1_000);
    expect(world.sent('output').map(frame => frame.text)).toEqual(['c', 'd']);
    await world.kill();
    await world.start();
    expect(world.sent('output').map(frame => frame.text)).toEqual(['c', 'd']);
    await world.quit();
  });

  test('output of control characters alone still fits a frame', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    world.keeper.write(KEY, '\u001b'.repeat(OUTPUT_TEXT_MAX));
    await world.clock.settle();
    expect(world.sent('output')[0]?.text).toBe('\uFFFD'.repeat(OUTPUT_TEXT_MAX));
    await world.quit();
  });

  test('output of a stopped run is delivered as well', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    world.keeper.write(KEY, 'last words');
    await world.send(aStop());
    expect(world.sent('output')).toMatchObject([{ text: 'last words' }]);
    expect(world.keeper.removed).toEqual([KEY]);
    await world.quit();
  });
});
