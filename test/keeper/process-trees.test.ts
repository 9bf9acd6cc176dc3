/**
 * Rows 3, 19 and 20 of the failure matrix: nothing of a run remains, for every way to escape and
 * every kill.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readProcess } from '../../src/keeper/process-tree.ts';
import { createSpawner } from '../../src/keeper/spawner.ts';
import { until } from '../support/cluster.ts';
import { aKeeperSystem, alive, aShell, aSleep, type KeeperSystem, textOf, zombiesOf } from './keeper-system.ts';

/** A daemon in the old manner: two forks and a session of its own. */
const daemon = (command: string) => `(setsid sh -c '(${command}) & exit' &);`;

let system: KeeperSystem;
beforeAll(async () => {
  system = await aKeeperSystem();
});
afterAll(() => system.leave());

const escapes = (sleep: string): [string, string][] => [
  ['children', `${sleep} & ${sleep} &`],
  ['a grandchild with a session of its own', `setsid ${sleep} &`],
  ['a daemon that forked twice', daemon(sleep)],
  ['a daemon that emptied its environment', `env -i setsid sh -c '(${sleep}) & exit' &`],
  ['a child that ignores TERM', `(trap '' TERM; ${sleep}) &`],
  ['a stopped child', `setsid sh -c 'kill -STOP $$; ${sleep}' &`],
];

describe('rows 19, 20: a run that is stopped', () => {
  for (const [name] of escapes('')) {
    test(`a run that is stopped leaves nothing behind: ${name}`, async () => {
      const sleep = aSleep();
      const script = escapes(sleep).find(([other]) => other === name)?.[1];
      await system.keeper.start(aShell(name, `${script} echo up; exec ${sleep}`));
      await system.prints(name, 'up');
      await system.keeper.stop(name, 300);
      expect(await system.ended(name)).toMatchObject({ cause: 'stop' });
      expect(alive(sleep)).toEqual([]);
      expect(zombiesOf(system.keeper.pid)).toEqual([]);
    });
  }
});

describe('a run that ends by itself', () => {
  test('a run that ends by itself is known to have ended before it was signalled, also before its end was reported', async () => {
    const spawner = createSpawner(undefined);
    const start = async (script: string) => {
      const answer = await spawner.start({
        argv: ['sh', '-c', script],
        cwd: '/',
        env: { PATH: '/usr/bin:/bin' },
        tag: spawner.createTag(),
      });
      if ('failed' in answer) throw new Error(answer.failed);
      return answer.started;
    };
    const over = await start('exit 0');
    const alive = await start(`exec ${aSleep()}`);
    // Without a turn of this process the exit cannot be reported.
    for (const until = performance.now() + 5_000; readProcess(over.tree.pid ?? 0)?.dead === false && performance.now() < until; )
      Bun.sleepSync(1);
    expect((await spawner.signal(over.tree, 'TERM')).firstHadExited).toBe(true);
    expect((await spawner.signal(alive.tree, 'TERM')).firstHadExited).toBe(false);
    expect([await over.exit, await alive.exit]).toEqual([
      { code: 0, signal: null },
      { code: null, signal: 'SIGTERM' },
    ]);
  });

  for (const [name] of escapes('')) {
    test(`row 19: a run that ends by itself keeps its exit code and leaves nothing behind: ${name}`, async () => {
      const sleep = aSleep();
      const script = escapes(sleep).find(([other]) => other === name)?.[1];
      await system.keeper.start(aShell(`own ${name}`, `${script} exit 4`, { killGraceMs: 200 }));
      expect(await system.ended(`own ${name}`)).toMatchObject({ cause: 'exit', exitCode: 4 });
      expect(alive(sleep)).toEqual([]);
      expect(zombiesOf(system.keeper.pid)).toEqual([]);
    });
  }

  test('a run that ends by itself leaves no daemon without an environment behind, though an older run goes on that could have started it', async () => {
    const sleep = aSleep();
    await system.keeper.start(aShell('older', `echo up; exec ${aSleep()}`));
    await system.prints('older', 'up');
    await system.keeper.start(aShell('younger', `env -i setsid sh -c '(${sleep}) & exit'; exit 0`));
    await system.ended('younger');
    expect(alive(sleep)).toEqual([]);
    expect((await system.keeper.list()).find(({ run }) => run === 'older')?.state).toBe('running');
    await system.keeper.stop('older', 0);
    await system.ended('older');
  });

  test('a run that ends by itself leaves the daemon of a run that goes on alone', async () => {
    const sleep = aSleep();
    await system.keeper.start(aShell('goes on', `${daemon(sleep)} echo up; exec sleep 1000000`));
    await system.prints('goes on', 'up');
    await until('the daemon is there', () => alive(sleep).length > 0);
    await system.keeper.start(aShell('short', `${aSleep()} & exit 0`));
    await system.ended('short');
    expect(alive(sleep)).not.toEqual([]);
    await system.keeper.stop('goes on', 0);
    await system.ended('goes on');
    expect(alive(sleep)).toEqual([]);
  });
});

describe('row 22: a fork bomb', () => {
  test('a fork bomb is ended as a whole', async () => {
    const sleep = aSleep();
    // Bounded, for the sake of the machine that runs this: 100 processes that each fork as long as
    // they live.
    const script = `i=0; while [ $i -lt 100 ]; do (while :; do ${sleep} & sleep 0.2; kill $!; done) & i=$((i+1)); done; echo up; wait`;
    await system.keeper.start(aShell('bomb', script));
    await system.prints('bomb', 'up');
    await system.keeper.stop('bomb', 0);
    await system.ended('bomb');
    expect(alive(sleep)).toEqual([]);
  });
});

describe('the successor of a keeper that was killed', () => {
  test('row 3: the successor of a keeper that was killed ends what it left, reports it, and knows how the others ended', async () => {
    const own = await aKeeperSystem();
    const [first, second] = [aSleep(), aSleep()];
    await own.keeper.start(aShell('done', 'echo result; exit 6'));
    await own.ended('done');
    await own.keeper.start(aShell('cut', `${daemon(first)} echo early; ${second}`));
    await own.prints('cut', 'early');
    await own.killKeeper();
    expect(alive(second)).not.toEqual([]);

    const next = await aKeeperSystem(own.directory);
    expect(await next.ended('cut')).toMatchObject({ cause: 'keeperDied', reason: 'its keeper died', exitCode: null, stdoutBytes: 6 });
    expect([...alive(first), ...alive(second)]).toEqual([]);
    expect(textOf(await next.output('cut'), 'stdout')).toBe('early\n');
    expect(await next.ended('done')).toMatchObject({ cause: 'exit', exitCode: 6, stdoutBytes: 7 });
    expect(textOf(await next.output('done'), 'stdout')).toBe('result\n');
    // Known from before, so not started again.
    expect(await next.keeper.start(aShell('cut', second))).toMatchObject({ state: 'ended', cause: 'keeperDied' });
    expect(alive(second)).toEqual([]);
    await next.leave();
  });

  test('the successor of a keeper that was killed finds a process whose start was never written down, by its tag', async () => {
    const own = await aKeeperSystem();
    const sleep = aSleep();
    const started = own.keeper.start(aShell('cut', sleep));
    await started;
    // Pid and start time are written down only later.
    await own.killKeeper();
    const next = await aKeeperSystem(own.directory);
    expect(await next.ended('cut')).toMatchObject({ cause: 'keeperDied' });
    expect(alive(sleep)).toEqual([]);
    await next.leave();
  });
});

describe('a keeper that is stopped', () => {
  test('a keeper that is stopped ends its runs first', async () => {
    const own = await aKeeperSystem();
    const sleep = aSleep();
    await own.keeper.start(aShell('a', sleep));
    process.kill(own.keeper.pid, 'SIGTERM');
    await own.keeper.lost;
    const next = await aKeeperSystem(own.directory);
    expect(await next.ended('a')).toMatchObject({ cause: 'keeperDied', reason: 'its keeper was ended by SIGTERM' });
    expect(alive(sleep)).toEqual([]);
    await next.leave();
  });
});
