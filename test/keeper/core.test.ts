/** The keeper's decisions, with imagined processes and time moved by hand. */
import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { createKeeperCore } from '../../src/keeper/core.ts';
import { createMemorySpool } from '../../src/keeper/memory-spool.ts';
import type { Spool } from '../../src/keeper/ports.ts';
import type { KeeperNews, KeptRun } from '../../src/protocol/keeper.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { aFakeHost } from './fakes.ts';
import { accounted, anOrder, textOf } from './keeper-system.ts';

function aCore(given: { spool?: Spool; host?: ReturnType<typeof aFakeHost> } = {}) {
  const clock = createManualClock();
  const host = given.host ?? aFakeHost();
  const spool = given.spool ?? createMemorySpool();
  const core = createKeeperCore({ clock, spawner: host, spool });
  const news: KeeperNews[] = [];
  core.onNews(one => news.push(one));
  const kept = async (run: string): Promise<KeptRun> => {
    await clock.settle();
    return (await core.list()).find(one => one.run === run) as KeptRun;
  };
  return { clock, host, spool, core, news, kept };
}

describe('the keeper', () => {
  test('writes its intent down before it starts a process, and never the environment', async () => {
    const { core, host, spool } = aCore();
    const before: unknown[] = [];
    const start = host.start;
    host.start = request => {
      before.push(...spool.records().map(({ kept, tree }) => [kept.run, tree.pid]));
      return start(request);
    };
    await core.start(anOrder('a', ['x'], { env: { SECRET: 'hush' } }));
    expect(before).toEqual([['a', null]]);
    expect(JSON.stringify(spool.records())).not.toContain('hush');
  });

  test('starts a run once, also when asked twice at the same time and after its end', async () => {
    const { core, host, kept } = aCore();
    await Promise.all([core.start(anOrder('a', ['x'])), core.start(anOrder('a', ['x']))]);
    host.of(0).ends(0);
    await kept('a');
    expect(await core.start(anOrder('a', ['x']))).toMatchObject({ state: 'ended', exitCode: 0 });
    expect(host.processes).toHaveLength(1);
  });

  test('starts nothing when it cannot write its intent down', async () => {
    const { core, host } = aCore({ spool: createMemorySpool({ recordsFit: () => false }) });
    expect(await core.start(anOrder('a', ['x']))).toMatchObject({
      state: 'ended',
      cause: 'startFailed',
      reason: '"x" was not started: the disk of the keeper is full',
    });
    expect(host.processes).toEqual([]);
  });

  test('passes on why a start failed', async () => {
    const { core, host } = aCore();
    host.refuses = 'no such thing';
    expect(await core.start(anOrder('a', ['x']))).toMatchObject({
      state: 'ended',
      cause: 'startFailed',
      reason: 'no such thing',
      pid: null,
    });
  });

  test('stops by TERM and waits as long as the grace before KILL', async () => {
    const { core, host, clock, kept } = aCore();
    await core.start(anOrder('a', ['x']));
    host.of(0).onSignal = name => name === 'KILL' && host.of(0).ends(null, 'SIGKILL');
    await core.stop('a', 10_000);
    await clock.advance(9_999);
    expect(host.of(0).signals).toEqual(['TERM']);
    expect(await kept('a')).toMatchObject({ state: 'ending', cause: 'stop' });
    await clock.advance(1_000);
    expect(host.of(0).signals).toEqual(['TERM', 'KILL']);
    expect(await kept('a')).toMatchObject({ state: 'ended', cause: 'stop', signal: 'SIGKILL' });
  });

  test('calls a run ended by itself when it had ended before the stop, though nobody had heard of it', async () => {
    const { core, host, kept } = aCore();
    for (const [name, children] of [
      ['alone', 0],
      ['with a child left', 1],
    ] as const) {
      await core.start(anOrder(name, ['x']));
      const process = host.processes.at(-1);
      if (process) process.children = children;
      const tell = process?.endsUnheard(0);
      await core.stop(name, 0);
      tell?.();
      expect(await kept(name)).toMatchObject({ run: name, state: 'ended', cause: 'exit', exitCode: 0, reason: null });
    }
  });

  test('lets a second stop shorten the grace, never lengthen it', async () => {
    const { core, host, clock } = aCore();
    await core.start(anOrder('a', ['x']));
    host.of(0).onSignal = name => name === 'KILL' && host.of(0).ends(null, 'SIGKILL');
    await core.stop('a', 10_000);
    await core.stop('a', 60_000);
    await core.stop('a', 100);
    await clock.advance(200);
    expect(host.of(0).signals).toEqual(['TERM', 'KILL']);
  });

  test('ends a run at its limit and calls it a timeout, whatever its exit code', async () => {
    const { core, host, clock, kept } = aCore();
    await core.start(anOrder('a', ['x'], { timeoutMs: 30_000 }));
    host.of(0).onSignal = () => host.of(0).ends(0);
    await clock.advance(29_999);
    expect((await kept('a')).state).toBe('running');
    await clock.advance(300);
    expect(await kept('a')).toMatchObject({ state: 'ended', cause: 'timeout', exitCode: 0 });
  });

  test('ends what a run left behind after a short grace, and only then calls the run ended', async () => {
    const { core, host, clock, kept } = aCore();
    await core.start(anOrder('a', ['x'], { killGraceMs: 60_000 }));
    host.of(0).children = 1;
    host.of(0).ends(3);
    expect(await kept('a')).toMatchObject({ state: 'ending', cause: 'exit', exitCode: 3 });
    await clock.advance(1_500);
    expect(host.of(0).signals).toEqual(['TERM', 'KILL']);
    expect(await kept('a')).toMatchObject({ state: 'ended', cause: 'exit', exitCode: 3 });
  });

  test('does not call a run ended while KILL has not ended all of it', async () => {
    const { core, host, clock, kept } = aCore();
    await core.start(anOrder('a', ['x']));
    host.of(0).children = 1;
    host.of(0).onSignal = () => host.of(0).ends(null, 'SIGKILL');
    await core.stop('a', 0);
    await clock.advance(60_000);
    expect((await kept('a')).state).toBe('ending');
    host.of(0).children = 0;
    await clock.advance(1_000);
    expect((await kept('a')).state).toBe('ended');
  });

  test('waits only a moment for pipes that a stranger holds', async () => {
    const { core, host, clock, kept } = aCore();
    await core.start(anOrder('a', ['x']));
    host.of(0).pipesHeld = true;
    host.of(0).says('stdout', 'last words');
    host.of(0).ends(0);
    await clock.advance(300);
    expect(await kept('a')).toMatchObject({ state: 'ended', exitCode: 0, stdoutBytes: 10 });
  });

  test('tells the first little output along with its news, and announces what follows once until somebody reads', async () => {
    const { core, host, clock, news } = aCore();
    await core.start(anOrder('a', ['x']));
    const announced = () => news.flatMap(one => (one.type === 'output' ? [one.pieces?.map(({ text }) => text)] : []));
    for (const text of ['1', '2', '3']) {
      host.of(0).says('stdout', text);
      await clock.advance(100);
    }
    expect(announced()).toEqual([['1'], undefined]);
    expect(textOf(await core.read('a', 0, 1000), 'stdout')).toBe('123');
    host.of(0).says('stdout', '4');
    await clock.advance(100);
    expect(announced()).toEqual([['1'], undefined, undefined]);
  });

  test('announces much output without telling it', async () => {
    const { core, host, clock, news } = aCore();
    await core.start(anOrder('a', ['x']));
    host.of(0).says('stdout', 'x'.repeat(5_000));
    await clock.advance(100);
    expect(news.at(-1)).toEqual({ type: 'output', run: 'a' });
  });

  test('gathers what comes in quick succession, in order', async () => {
    const { core, host, clock } = aCore();
    await core.start(anOrder('a', ['x']));
    for (let i = 0; i < 5; i++) {
      host.of(0).says('stdout', `${i}`);
      await clock.settle();
    }
    await clock.advance(50);
    const chunks = await core.read('a', 0, 1000);
    expect(chunks.map(({ text }) => text)).toEqual(['0', '1234']);
  });

  test('row 13: drops the oldest of the tail when the disk is full, counts it, and lets the job go on', async () => {
    let capacity = 1_000;
    const { core, host, clock, kept } = aCore({ spool: createMemorySpool({ capacityBytes: () => capacity }) });
    await core.start(anOrder('a', ['x'], { headBytes: 100, tailBytes: 100_000 }));
    for (let i = 0; i < 50; i++) {
      host.of(0).says(i % 2 ? 'stderr' : 'stdout', 'x'.repeat(100));
      await clock.advance(100);
      if (i === 40) capacity = 0;
    }
    host.of(0).ends(0);
    expect(await kept('a')).toMatchObject({ state: 'ended', exitCode: 0, stdoutBytes: 2_500, stderrBytes: 2_500 });
    expect(accounted(await core.read('a', 0, 100_000))).toEqual({ stdout: 2_500, stderr: 2_500 });
  });

  test('ends what its predecessor left and says so, and knows the rest as it was', async () => {
    const first = aCore();
    await first.core.start(anOrder('done', ['x']));
    first.host.of(0).ends(5);
    await first.kept('done');
    await first.core.start(anOrder('cut', ['x'], { killGraceMs: 500 }));
    first.host.of(1).children = 2;

    const { core, clock, kept } = aCore(first);
    expect((await kept('cut')).state).toBe('ending');
    expect(core.busy()).toBe(true);
    await clock.advance(1_000);
    expect(await kept('cut')).toMatchObject({ state: 'ended', cause: 'keeperDied', reason: 'its keeper died', exitCode: null });
    expect(first.host.of(1).signals).toContain('KILL');
    expect(await kept('done')).toMatchObject({ state: 'ended', cause: 'exit', exitCode: 5 });
    await core.start(anOrder('cut', ['x']));
    expect(first.host.processes).toHaveLength(2);
  });

  test('row 4: touches no process when the machine was started anew', async () => {
    const first = aCore();
    await first.core.start(anOrder('cut', ['x']));
    first.host.boot = 'another boot';
    const { kept } = aCore(first);
    expect(await kept('cut')).toMatchObject({ state: 'ended', cause: 'keeperDied' });
    expect(first.host.of(0).signals).toEqual([]);
  });

  test('touches no process when its directory is a copy: they are those of the keeper that has the original', async () => {
    const first = aCore({ spool: { ...createMemorySpool(), place: 'here' } });
    await first.core.start(anOrder('cut', ['x']));
    const { kept } = aCore({ ...first, spool: { ...first.spool, place: 'a copy' } });
    expect(await kept('cut')).toMatchObject({ state: 'ended', cause: 'keeperDied', reason: expect.stringContaining('was copied') });
    expect(first.host.of(0).signals).toEqual([]);
  });

  test('touches the world through its ports alone', () => {
    for (const file of ['core', 'run', 'recovered-runs', 'terminate', 'write-buffer', 'output-log', 'utf8', 'memory-spool']) {
      const source = readFileSync(new URL(`../../src/keeper/${file}.ts`, import.meta.url), 'utf8');
      expect(source).not.toMatch(
        /Date\.now|new Date|setTimeout|setImmediate|Math\.random|performance\.|'node:|process\.(?!std|exit\b)|Bun\./,
      );
    }
  });
});
