/** The keeper's decisions, with imagined processes and time moved by hand. */
import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { createKeeperCore } from '../../src/keeper/core.ts';
import { createMemorySpool } from '../../src/keeper/memory-spool.ts';
import type { Spool } from '../../src/keeper/ports.ts';
import type { KeeperEvent, RunStatus } from '../../src/protocol/keeper.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { aFakeHost } from './fakes.ts';
import { accounted, aStartRequest, textOf } from './keeper-system.ts';

function aCore(given: { spool?: Spool; host?: ReturnType<typeof aFakeHost> } = {}) {
  const clock = createManualClock();
  const host = given.host ?? aFakeHost();
  const spool = given.spool ?? createMemorySpool();
  const core = createKeeperCore({ clock, spawner: host, spool });
  const events: KeeperEvent[] = [];
  core.onEvent(one => events.push(one));
  const status = async (run: string): Promise<RunStatus> => {
    await clock.settle();
    return (await core.list()).find(one => one.run === run) as RunStatus;
  };
  return { clock, host, spool, core, events, status };
}

describe('the keeper', () => {
  test('the keeper writes its intent down before it starts a process, and never the environment', async () => {
    const { core, host, spool } = aCore();
    const before: unknown[] = [];
    const start = host.start;
    host.start = request => {
      before.push(...spool.records().map(({ status, tree }) => [status.run, tree.pid]));
      return start(request);
    };
    await core.start(aStartRequest('a', ['x'], { env: { SECRET: 'hush' } }));
    expect(before).toEqual([['a', null]]);
    expect(JSON.stringify(spool.records())).not.toContain('hush');
  });

  test('the keeper starts a run once, also when asked twice at the same time and after its end', async () => {
    const { core, host, status } = aCore();
    await Promise.all([core.start(aStartRequest('a', ['x'])), core.start(aStartRequest('a', ['x']))]);
    host.of(0).ends(0);
    await status('a');
    expect(await core.start(aStartRequest('a', ['x']))).toMatchObject({ state: 'ended', exitCode: 0 });
    expect(host.processes).toHaveLength(1);
  });

  test('the keeper starts nothing when it cannot write its intent down', async () => {
    const { core, host } = aCore({ spool: createMemorySpool({ recordsFit: () => false }) });
    expect(await core.start(aStartRequest('a', ['x']))).toMatchObject({
      state: 'ended',
      cause: 'startFailed',
      reason: '"x" was not started: the disk of the keeper is full',
    });
    expect(host.processes).toEqual([]);
  });

  test('the keeper passes on why a start failed', async () => {
    const { core, host } = aCore();
    host.refuses = 'no such thing';
    expect(await core.start(aStartRequest('a', ['x']))).toMatchObject({
      state: 'ended',
      cause: 'startFailed',
      reason: 'no such thing',
      pid: null,
    });
  });

  test('the keeper stops by TERM and waits as long as the grace before KILL', async () => {
    const { core, host, clock, status } = aCore();
    await core.start(aStartRequest('a', ['x']));
    host.of(0).onSignal = name => name === 'KILL' && host.of(0).ends(null, 'SIGKILL');
    await core.stop('a', 10_000);
    await clock.advance(9_999);
    expect(host.of(0).signals).toEqual(['TERM']);
    expect(await status('a')).toMatchObject({ state: 'ending', cause: 'stop' });
    await clock.advance(1_000);
    expect(host.of(0).signals).toEqual(['TERM', 'KILL']);
    expect(await status('a')).toMatchObject({ state: 'ended', cause: 'stop', signal: 'SIGKILL' });
  });

  test('the keeper calls a run ended by itself when it had ended before the stop, even if its end was not reported yet', async () => {
    const { core, host, status } = aCore();
    for (const [name, children] of [
      ['alone', 0],
      ['with a child left', 1],
    ] as const) {
      await core.start(aStartRequest(name, ['x']));
      const process = host.processes.at(-1);
      if (process) process.children = children;
      const tell = process?.endsUnheard(0);
      await core.stop(name, 0);
      tell?.();
      expect(await status(name)).toMatchObject({ run: name, state: 'ended', cause: 'exit', exitCode: 0, reason: null });
    }
  });

  test('the keeper lets a second stop shorten the grace, never lengthen it', async () => {
    const { core, host, clock } = aCore();
    await core.start(aStartRequest('a', ['x']));
    host.of(0).onSignal = name => name === 'KILL' && host.of(0).ends(null, 'SIGKILL');
    await core.stop('a', 10_000);
    await core.stop('a', 60_000);
    await core.stop('a', 100);
    await clock.advance(200);
    expect(host.of(0).signals).toEqual(['TERM', 'KILL']);
  });

  test('the keeper ends a run at its limit and calls it a timeout, whatever its exit code', async () => {
    const { core, host, clock, status } = aCore();
    await core.start(aStartRequest('a', ['x'], { timeoutMs: 30_000 }));
    host.of(0).onSignal = () => host.of(0).ends(0);
    await clock.advance(29_999);
    expect((await status('a')).state).toBe('running');
    await clock.advance(300);
    expect(await status('a')).toMatchObject({ state: 'ended', cause: 'timeout', exitCode: 0 });
  });

  test('the keeper ends what a run left behind after a short grace, and only then calls the run ended', async () => {
    const { core, host, clock, status } = aCore();
    await core.start(aStartRequest('a', ['x'], { killGraceMs: 60_000 }));
    host.of(0).children = 1;
    host.of(0).ends(3);
    expect(await status('a')).toMatchObject({ state: 'ending', cause: 'exit', exitCode: 3 });
    await clock.advance(1_500);
    expect(host.of(0).signals).toEqual(['TERM', 'KILL']);
    expect(await status('a')).toMatchObject({ state: 'ended', cause: 'exit', exitCode: 3 });
  });

  test('the keeper does not call a run ended while KILL has not ended all of it', async () => {
    const { core, host, clock, status } = aCore();
    await core.start(aStartRequest('a', ['x']));
    host.of(0).children = 1;
    host.of(0).onSignal = () => host.of(0).ends(null, 'SIGKILL');
    await core.stop('a', 0);
    await clock.advance(60_000);
    expect((await status('a')).state).toBe('ending');
    host.of(0).children = 0;
    await clock.advance(1_000);
    expect((await status('a')).state).toBe('ended');
  });

  test('the keeper waits only a moment for pipes that a stranger holds', async () => {
    const { core, host, clock, status } = aCore();
    await core.start(aStartRequest('a', ['x']));
    host.of(0).pipesHeld = true;
    host.of(0).prints('stdout', 'last words');
    host.of(0).ends(0);
    await clock.advance(300);
    expect(await status('a')).toMatchObject({ state: 'ended', exitCode: 0, stdoutBytes: 10 });
  });

  test('the keeper sends the first little output along with its events, and announces what follows once until it is read', async () => {
    const { core, host, clock, events } = aCore();
    await core.start(aStartRequest('a', ['x']));
    const announced = () => events.flatMap(one => (one.type === 'output' ? [one.chunks?.map(({ text }) => text)] : []));
    for (const text of ['1', '2', '3']) {
      host.of(0).prints('stdout', text);
      await clock.advance(100);
    }
    expect(announced()).toEqual([['1'], undefined]);
    expect(textOf(await core.read('a', 0, 1000), 'stdout')).toBe('123');
    host.of(0).prints('stdout', '4');
    await clock.advance(100);
    expect(announced()).toEqual([['1'], undefined, undefined]);
  });

  test('the keeper announces much output without its bytes', async () => {
    const { core, host, clock, events } = aCore();
    await core.start(aStartRequest('a', ['x']));
    host.of(0).prints('stdout', 'x'.repeat(5_000));
    await clock.advance(100);
    expect(events.at(-1)).toEqual({ type: 'output', run: 'a' });
  });

  test('the keeper collects output in quick succession, in order', async () => {
    const { core, host, clock } = aCore();
    await core.start(aStartRequest('a', ['x']));
    for (let i = 0; i < 5; i++) {
      host.of(0).prints('stdout', `${i}`);
      await clock.settle();
    }
    await clock.advance(50);
    const chunks = await core.read('a', 0, 1000);
    expect(chunks.map(({ text }) => text)).toEqual(['0', '1234']);
  });

  test('row 13: the keeper drops the oldest of the tail when the disk is full, counts it, and lets the job go on', async () => {
    let capacity = 1_000;
    const { core, host, clock, status } = aCore({ spool: createMemorySpool({ capacityBytes: () => capacity }) });
    await core.start(aStartRequest('a', ['x'], { headBytes: 100, tailBytes: 100_000 }));
    for (let i = 0; i < 50; i++) {
      host.of(0).prints(i % 2 ? 'stderr' : 'stdout', 'x'.repeat(100));
      await clock.advance(100);
      if (i === 40) capacity = 0;
    }
    host.of(0).ends(0);
    expect(await status('a')).toMatchObject({ state: 'ended', exitCode: 0, stdoutBytes: 2_500, stderrBytes: 2_500 });
    expect(accounted(await core.read('a', 0, 100_000))).toEqual({ stdout: 2_500, stderr: 2_500 });
  });

  test('the keeper ends what its predecessor left and reports it, and knows the rest as it was', async () => {
    const first = aCore();
    await first.core.start(aStartRequest('done', ['x']));
    first.host.of(0).ends(5);
    await first.status('done');
    await first.core.start(aStartRequest('cut', ['x'], { killGraceMs: 500 }));
    first.host.of(1).children = 2;

    const { core, clock, status } = aCore(first);
    expect((await status('cut')).state).toBe('ending');
    expect(core.busy()).toBe(true);
    await clock.advance(1_000);
    expect(await status('cut')).toMatchObject({ state: 'ended', cause: 'keeperDied', reason: 'its keeper died', exitCode: null });
    expect(first.host.of(1).signals).toContain('KILL');
    expect(await status('done')).toMatchObject({ state: 'ended', cause: 'exit', exitCode: 5 });
    await core.start(aStartRequest('cut', ['x']));
    expect(first.host.processes).toHaveLength(2);
  });

  test('row 4: the keeper touches no process when the machine restarted', async () => {
    const first = aCore();
    await first.core.start(aStartRequest('cut', ['x']));
    first.host.bootId = 'another boot';
    const { status } = aCore(first);
    expect(await status('cut')).toMatchObject({ state: 'ended', cause: 'keeperDied' });
    expect(first.host.of(0).signals).toEqual([]);
  });

  test('the keeper touches no process when its directory is a copy: they belong to the keeper of the original', async () => {
    const first = aCore({ spool: { ...createMemorySpool(), directoryId: 'here' } });
    await first.core.start(aStartRequest('cut', ['x']));
    const { status } = aCore({ ...first, spool: { ...first.spool, directoryId: 'a copy' } });
    expect(await status('cut')).toMatchObject({ state: 'ended', cause: 'keeperDied', reason: expect.stringContaining('was copied') });
    expect(first.host.of(0).signals).toEqual([]);
  });

  test('the keeper reaches the operating system through its ports alone', () => {
    for (const file of [
      'core',
      'run',
      'recovered-runs',
      'terminate',
      'write-buffer',
      'output-log',
      'output-pump',
      'segment-table',
      'stored-chunks',
      'utf8',
      'memory-spool',
    ]) {
      const source = readFileSync(new URL(`../../src/keeper/${file}.ts`, import.meta.url), 'utf8');
      expect(source).not.toMatch(
        /Date\.now|new Date|setTimeout|setImmediate|Math\.random|performance\.|'node:|process\.(?!std|exit\b)|Bun\./,
      );
    }
  });
});
