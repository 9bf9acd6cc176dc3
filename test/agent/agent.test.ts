/** Runs of an agent: start, stop, repeats, late centers. */
import { describe, expect, test } from 'bun:test';
import { ArtifactError } from '../../src/agent/ports.ts';
import { keyOfRun } from '../../src/protocol/agent.ts';
import { anAgentSetup, anArtifact, aRun, aStart, aStop } from './agent-setup.ts';

const KEY = keyOfRun(aRun());
const app = { spec: { artifact: anArtifact } };

describe('a run on its host', () => {
  test('a run is started, reported, and deleted once every report is acknowledged', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart({ spec: { env: { GREETING: 'hi', PATH: '/opt/bin' }, lastArgument: '{"item":0}' } }));
    expect(world.acknowledged()).toEqual([aStart().key]);
    expect(world.keeper.requests).toMatchObject([{ run: KEY, argv: ['/bin/true', '{"item":0}'], cwd: `/work/${KEY}`, killGraceMs: 5_000 }]);
    expect(world.keeper.requests[0]?.env).toEqual({ PATH: '/opt/bin', LC_ALL: 'C', GREETING: 'hi', TROUPE_WORK_DIR: `/work/${KEY}` });
    expect(world.sent('report')).toMatchObject([{ state: 'started', pid: 1001, id: 1 }]);

    world.keeper.write(KEY, 'one\n', 'two\n');
    await world.clock.settle();
    world.keeper.end(KEY, { exitCode: 0 });
    await world.clock.settle();
    expect(world.sent('output').map(frame => [frame.seq, frame.text])).toEqual([
      [1, 'one\n'],
      [2, 'two\n'],
    ]);
    expect(world.ends()).toMatchObject([{ outcome: 'succeeded', exitCode: 0, output: { stdoutBytes: 8 } }]);
    expect(world.keeper.removed).toEqual([KEY]);
    expect(world.workDirs.size).toBe(0);
    expect(world.apps.released).toEqual(['nightly@1']);
    await world.quit();
  });

  test('a run fetches its app by the rules of the last center that served', async () => {
    const world = anAgentSetup();
    world.center.apps = { fileUrls: true, hosts: ['app-host'] };
    await world.start();
    await world.send(aStart({ spec: { artifact: anArtifact } }));
    expect(world.apps.rules).toEqual({ fileUrls: true, hosts: ['app-host'] });
    await world.quit();
    world.center.apps = undefined;
    await world.start();
    await world.send(aStart({ run: aRun({ attempt: 2 }), spec: { artifact: anArtifact } }));
    expect(world.apps.rules).toEqual({ fileUrls: false, hosts: null });
    await world.quit();
  });

  test('a run works in its app directory', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart({ spec: { artifact: anArtifact, command: 'start.sh "a b"' } }));
    expect(world.keeper.requests).toMatchObject([
      { argv: ['/apps/x/start.sh', 'a b'], cwd: '/apps/x', env: { TROUPE_APP_DIR: '/apps/x', TROUPE_WORK_DIR: `/work/${KEY}` } },
    ]);
    await world.quit();
  });

  test.each([
    [{ cause: 'exit', exitCode: 0 } as const, { outcome: 'succeeded' }],
    [{ cause: 'exit', exitCode: 3 } as const, { outcome: 'failed', exitCode: 3 }],
    [{ cause: 'exit', signal: 'SIGSEGV' } as const, { outcome: 'failed', signal: 'SIGSEGV' }],
    [{ cause: 'timeout', signal: 'SIGTERM' } as const, { outcome: 'timedOut', reason: 'it ran longer than 60000 ms' }],
    [{ cause: 'keeperDied' } as const, { outcome: 'lost', reason: 'its keeper died' }],
  ])('a run ends by %j as %j', async (how, report) => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart({ spec: { timeoutMs: 60_000 } }));
    world.keeper.end(KEY, how);
    await world.clock.settle();
    expect(world.ends()).toMatchObject([report]);
    await world.quit();
  });

  test('a run fails with the reason when its process cannot be started', async () => {
    const world = anAgentSetup();
    world.keeper.startFails = 'there is no such program';
    await world.start();
    await world.send(aStart());
    expect(world.ends()).toMatchObject([{ outcome: 'failed', reason: 'there is no such program' }]);
    expect(world.sent('report')).toHaveLength(1);
    await world.quit();
  });

  test('a run fails with the reason when its app cannot be fetched', async () => {
    const world = anAgentSetup();
    world.apps.prepare = () => Promise.reject(new ArtifactError('status', 'the app host answered 404', { transient: false }));
    await world.start();
    await world.send(aStart(app));
    expect(world.ends()).toMatchObject([{ outcome: 'failed', reason: 'the app host answered 404' }]);
    expect(world.keeper.requests).toEqual([]);
    await world.quit();
  });

  test('a run reports with its end that an older copy of the app served', async () => {
    const world = anAgentSetup();
    world.apps.prepare = async () => ({ directory: '/apps/x', script: undefined, note: 'an older copy serves' });
    await world.start();
    await world.send(aStart(app));
    world.keeper.end(KEY, { exitCode: 0 });
    await world.clock.settle();
    expect(world.ends()).toMatchObject([{ outcome: 'succeeded', reason: 'an older copy serves' }]);
    await world.quit();
  });

  test('a run without an app waits for no download', async () => {
    const world = anAgentSetup({ limits: { preparingMax: 1 } });
    world.apps.prepare = () => new Promise(() => {});
    await world.start();
    await world.send(aStart(app));
    const run = aRun({ item: 1 });
    await world.send(aStart({ run }));
    expect(world.keeper.processes).toEqual([keyOfRun(run)]);
    await world.quit();
  });

  test('a run waits its turn behind those that are being prepared', async () => {
    const world = anAgentSetup({ limits: { preparingMax: 2 } });
    const waiting: (() => void)[] = [];
    world.apps.prepare = () =>
      new Promise(resolve => waiting.push(() => resolve({ directory: '/apps/x', script: undefined, note: undefined })));
    await world.start();
    for (const item of [0, 1, 2]) await world.send(aStart({ run: aRun({ item }), ...app }));
    expect(world.apps.prepared).toBe(2);
    waiting[0]?.();
    await world.clock.settle();
    expect(world.apps.prepared).toBe(3);
    await world.quit();
  });

  test('a run is refused where too many run', async () => {
    const world = anAgentSetup({ limits: { runsMax: 1 } });
    await world.start();
    await world.send(aStart());
    await world.send(aStart({ run: aRun({ item: 1 }) }));
    expect(world.ends()).toMatchObject([{ run: { item: 1 }, outcome: 'failed' }]);
    expect(world.keeper.processes).toEqual([KEY]);
    await world.quit();
  });
});

describe('a stop', () => {
  test('a stop ends the running process within its grace', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    await world.send(aStop());
    expect(world.keeper.stops).toEqual([{ run: KEY, graceMs: 5_000 }]);
    expect(world.ends()).toMatchObject([{ outcome: 'cancelled', reason: 'somebody asked', signal: 'SIGTERM' }]);
    expect(world.acknowledged()).toContain(aStop().key);
    await world.quit();
  });

  test('a stop reports that the verdict stood already', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    await world.send(aStop({ as: 'superseded' }));
    expect(world.ends()).toMatchObject([{ outcome: 'cancelled', reason: 'superseded: somebody asked' }]);
    await world.quit();
  });

  test('a stop leaves the true outcome of a run that ended by itself before', async () => {
    const world = anAgentSetup();
    world.keeper.obedient = false;
    await world.start();
    await world.send(aStart());
    await world.send(aStop());
    world.keeper.end(KEY, { cause: 'exit', exitCode: 0 });
    await world.clock.settle();
    expect(world.ends()).toMatchObject([{ outcome: 'succeeded' }]);
    await world.quit();
  });

  test('a stop breaks a download off', async () => {
    const world = anAgentSetup();
    world.apps.prepare = () => new Promise(() => {});
    await world.start();
    await world.send(aStart(app));
    await world.send(aStop());
    expect(world.ends()).toMatchObject([{ outcome: 'cancelled' }]);
    expect(world.keeper.requests).toEqual([]);
    await world.quit();
  });

  test('a stop reaches a run that waits its turn', async () => {
    const world = anAgentSetup({ limits: { preparingMax: 1 } });
    world.apps.prepare = () => new Promise(() => {});
    await world.start();
    await world.send(aStart(app));
    const run = aRun({ item: 1 });
    await world.send(aStart({ run, ...app }));
    await world.send(aStop({ run }));
    expect(world.apps.prepared).toBe(1);
    expect(world.ends()).toMatchObject([{ run, outcome: 'cancelled' }]);
    await world.quit();
  });

  test('a stop that overtook its start keeps the run from ever starting', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStop({ rev: 6 }));
    expect(world.ends()).toMatchObject([{ outcome: 'cancelled' }]);
    await world.send(aStart({ rev: 5 }));
    expect(world.sent('rejected')).toMatchObject([{ reason: 'lowerFence', key: aStart().key }]);
    // The same start from a new owner of the partition has a higher fence, and is the same run all
    // the same.
    await world.send(aStart({ epoch: 4, rev: 5 }));
    await world.kill();
    await world.start();
    await world.send(aStart({ epoch: 5, rev: 5 }));
    expect(world.keeper.processes).toEqual([]);
    expect(world.acknowledged().filter(key => key === aStart().key)).toHaveLength(2);
    await world.quit();
  });
});

describe('repeats, reorders and late centers', () => {
  test('row 6: a repeated start is acknowledged and dropped', async () => {
    const world = anAgentSetup();
    await world.start();
    for (let i = 0; i < 3; i++) center(world, aStart());
    await world.clock.settle();
    await world.send(aStart());
    expect(world.keeper.processes).toEqual([KEY]);
    expect(world.acknowledged()).toHaveLength(4);
    await world.quit();
  });

  test('a run keeps its app over a restart of the agent, and releases it at its end', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart({ spec: { artifact: { app: 'a', url: 'http://apps/a.tgz', cache: true, version: 1 } } }));
    await world.kill();
    await world.start();
    expect(world.apps.swept).toEqual([[], [KEY]]);
    expect(world.apps.released).toEqual([]);
    world.keeper.end(KEY, { exitCode: 0 });
    await world.clock.settle();
    expect(world.apps.released).toEqual(['nightly@1']);
    await world.quit();
  });

  test('a start of a run that is over is not started again, also after a restart', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    world.keeper.end(KEY);
    await world.clock.settle();
    await world.send(aStart());
    await world.kill();
    await world.start();
    await world.send(aStart());
    expect(world.keeper.processes).toEqual([KEY]);
    expect(world.acknowledged()).toHaveLength(3);
    await world.quit();
  });

  test('row 8: a lower epoch of the partition is rejected, also after a restart', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart({ epoch: 4 }));
    const run = aRun({ item: 1 });
    await world.send(aStart({ run, epoch: 3 }));
    await world.kill();
    await world.start();
    await world.send(aStart({ run, epoch: 3 }));
    await world.send(aStop({ epoch: 3, rev: 99 }));
    expect(world.center.all.flatMap(frame => (frame.type === 'rejected' ? [frame.reason] : []))).toEqual([
      'lowerEpoch',
      'lowerEpoch',
      'lowerEpoch',
    ]);
    expect(world.keeper.processes).toEqual([KEY]);
    expect(world.keeper.stops).toEqual([]);
    await world.quit();
  });

  test('another partition has epochs of its own', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart({ epoch: 4 }));
    const other = aStart({ run: aRun({ item: 1 }), epoch: 1 });
    await world.send({ ...other, fence: { ...other.fence, partition: 8 } });
    expect(world.keeper.processes).toHaveLength(2);
    await world.quit();
  });

  test('a stop with a lower fence than the start is rejected', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart({ rev: 5 }));
    await world.send(aStop({ rev: 4 }));
    expect(world.sent('rejected')).toMatchObject([{ reason: 'lowerFence' }]);
    expect(world.keeper.stops).toEqual([]);
    await world.quit();
  });

  test('a stop by another partition is measured by its own epoch, and leaves the fence of the start in place', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart({ epoch: 4, rev: 5 }));
    // A pool finds a run whose execution is no longer kept: its partition was never taken over, and
    // its revs count another actor.
    const stray = aStop({ epoch: 1, rev: 2, as: 'superseded' });
    await world.send({ ...stray, fence: { ...stray.fence, partition: 8 } });
    expect(world.sent('rejected')).toEqual([]);
    expect(world.keeper.stops).toMatchObject([{ run: KEY }]);
    await world.send(aStop({ epoch: 4, rev: 4 }));
    expect(world.sent('rejected')).toMatchObject([{ reason: 'lowerFence' }]);
    await world.quit();
  });

  test('row 7: commands in any order lead to one process at most, and to none once the stop came first', async () => {
    const orders = <T>(things: T[]): T[][] =>
      things.length < 2 ? [things] : things.flatMap((thing, at) => orders(things.toSpliced(at, 1)).map(rest => [thing, ...rest]));
    for (const order of orders([aStart(), aStart({ epoch: 4 }), aStop(), aStop({ epoch: 4 })])) {
      const world = anAgentSetup();
      await world.start();
      for (const command of order) await world.send(command);
      // The owner of the partition sends the command again that was rejected for its epoch.
      for (const command of order) await world.send({ ...command, fence: { ...command.fence, epoch: 4 } });
      const where = order.map(({ type, fence }) => `${type} ${fence.epoch}`).join(', ');
      const stopFirst = order[0]?.type === 'stop' ? 0 : 1;
      expect([where, world.keeper.processes.length]).toEqual([where, stopFirst]);
      expect([where, ...world.ends().map(end => end.outcome)]).toEqual([where, 'cancelled']);
      await world.quit();
    }
  });

  test('the agent remembers ended runs up to a number', async () => {
    const world = anAgentSetup({ limits: { endedKeptMax: 2 } });
    await world.start();
    for (const item of [0, 1, 2, 3]) {
      await world.send(aStart({ run: aRun({ item }) }));
      world.keeper.end(keyOfRun(aRun({ item })));
      await world.clock.settle();
    }
    await world.clock.advance(60_000);
    await world.quit();
    await world.start();
    await world.send(aStart({ run: aRun({ item: 3 }) }));
    expect(world.keeper.processes).toHaveLength(4);
    await world.quit();
  });
});

describe('a run that is asked back', () => {
  test('a withdrawn run is given back when it has not begun, and never begins', async () => {
    const world = anAgentSetup();
    let prepared = () => {};
    world.apps.prepare = () =>
      new Promise(resolve => (prepared = () => resolve({ directory: '/apps/x', script: undefined, note: undefined })));
    await world.start();
    await world.send(aStart(app));
    await world.send(aStop({ as: 'withdrawn' }));
    prepared();
    await world.clock.settle();
    expect(world.ends()).toMatchObject([{ outcome: 'cancelled', reason: 'given back before it began: somebody asked' }]);
    expect(world.keeper.processes).toEqual([]);
    await world.send(aStart(app));
    expect(world.keeper.processes).toEqual([]);
    await world.quit();
  });

  test('a withdrawn run stays given back when the agent is killed right after the withdrawal', async () => {
    const world = anAgentSetup();
    world.apps.prepare = () => new Promise(() => {});
    await world.start();
    await world.send(aStart(app));
    await world.send(aStop({ as: 'withdrawn' }));
    await world.kill();
    await world.start();
    await world.clock.advance(5_000);
    expect(world.ends()).toMatchObject([{ outcome: 'cancelled', reason: 'given back before it began: somebody asked' }]);
    expect(world.keeper.processes).toEqual([]);
    await world.quit();
  });

  test('a withdrawn run goes on when it has begun, until somebody cancels it', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    await world.send(aStop({ as: 'withdrawn' }));
    await world.kill();
    await world.start();
    expect([world.ends(), world.keeper.stops]).toEqual([[], []]);
    await world.send(aStop());
    expect(world.keeper.stops).toHaveLength(1);
    await world.quit();
  });
});

describe('an agent whose host was retired', () => {
  test('an agent whose host was retired ends its runs: their verdicts stand, and nobody will ask for them', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    world.center.accept = { refused: 'retired' };
    await world.kill();
    await world.start();
    await world.clock.advance(1_000);
    expect(world.keeper.stops).toMatchObject([{ run: KEY }]);
    await world.clock.advance(120_000);
    expect(await world.ended()).toBe('refused');
  });
});

describe('the keeper of an agent', () => {
  test('the keeper of an agent gets the alive notice of the present session', async () => {
    const world = anAgentSetup();
    await world.start();
    expect(world.keeper.notices).toEqual([]);
    world.center.livenessToken = 'word-2';
    await world.kill();
    await world.start();
    expect(world.keeper.notices.at(-1)).toEqual({ center: expect.any(String), livenessToken: 'word-2' });
    await world.quit();
  });
});

describe('an agent that was killed', () => {
  test('an agent that was killed goes on with what runs and reports the true end of what ended meanwhile', async () => {
    const world = anAgentSetup();
    await world.start();
    const other = aRun({ item: 1 });
    await world.send(aStart());
    await world.send(aStart({ run: other }));
    await world.kill();
    world.keeper.write(KEY, 'while you were away');
    world.keeper.end(KEY, { exitCode: 7 });
    await world.start();
    expect(world.sent('hello')).toMatchObject([
      {
        runs: [
          { run: aRun(), state: 'running' },
          { run: other, state: 'running' },
        ],
      },
    ]);
    expect(world.ends()).toMatchObject([{ run: aRun(), outcome: 'failed', exitCode: 7 }]);
    expect(world.sent('output')).toMatchObject([{ text: 'while you were away' }]);
    world.keeper.end(keyOfRun(other));
    await world.clock.settle();
    expect(world.ends()).toHaveLength(2);
    expect(world.keeper.processes).toHaveLength(2);
    await world.quit();
  });

  test('an agent that was killed starts the accepted runs that had not begun', async () => {
    const world = anAgentSetup();
    world.apps.prepare = () => new Promise(() => {});
    await world.start();
    await world.send(aStart(app));
    await world.kill();
    world.apps.prepare = async () => ({ directory: '/apps/x', script: undefined, note: undefined });
    await world.start();
    expect(world.keeper.processes).toEqual([KEY]);
    await world.quit();
  });

  test('an agent that was killed never starts an accepted run that is stopped at its return', async () => {
    const world = anAgentSetup({ resumeMs: 500 });
    world.apps.prepare = () => new Promise(() => {});
    await world.start();
    await world.send(aStart(app));
    await world.kill();
    world.apps.prepare = async () => ({ directory: '/apps/x', script: undefined, note: undefined });
    await world.start();
    await world.send(aStop());
    await world.clock.advance(1_000);
    expect(world.keeper.processes).toEqual([]);
    expect(world.ends()).toMatchObject([{ outcome: 'cancelled' }]);
    await world.quit();
  });

  test('row 28: an agent that was killed parks a run that killed it twice while it was prepared', async () => {
    const world = anAgentSetup();
    world.apps.prepare = () => new Promise(() => {});
    await world.start();
    await world.send(aStart(app));
    await world.kill();
    await world.start();
    await world.kill();
    await world.start();
    expect(world.ends()).toMatchObject([
      { outcome: 'failed', parked: true, reason: 'parked: the agent died 2 times while it prepared this run; it is not tried again' },
    ]);
    expect(world.apps.prepared).toBe(2);
    await world.quit();
  });

  test('an agent that was killed prepares interrupted runs one by one, so that a second death has one cause', async () => {
    const world = anAgentSetup();
    world.apps.prepare = () => new Promise(() => {});
    await world.start();
    for (const item of [0, 1, 2]) await world.send(aStart({ ...app, run: aRun({ item }) }));
    await world.kill();
    await world.start();
    await world.kill();
    await world.start();
    expect(world.ends()).toMatchObject([{ run: aRun({ item: 0 }), parked: true }]);
    await world.quit();
  });

  test('an agent does not count its own orderly stops as deaths', async () => {
    const world = anAgentSetup();
    world.apps.prepare = () => new Promise(() => {});
    await world.start();
    await world.send(aStart(app));
    for (let i = 0; i < 4; i++) {
      await world.quit();
      await world.start();
    }
    expect(world.ends()).toEqual([]);
    await world.quit();
  });

  test('an agent on a copy of its directory begins nothing that its journal accepted elsewhere, and keeps what has a process', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    world.apps.prepare = () => new Promise(() => {});
    const promised = aRun({ item: 1 });
    await world.send(aStart({ ...app, key: 'k2', run: promised }));
    await world.kill();
    world.dataDirId = 'a copy';
    await world.start();
    expect(world.ends()).toMatchObject([{ run: promised, outcome: 'lost', reason: expect.stringContaining('was copied before it began') }]);
    expect(world.keeper.processes).toHaveLength(1);
    expect(world.sent('hello')).toMatchObject([{ dataDirId: 'a copy' }]);
    await world.quit();
  });

  test('row 4: an agent reports every earlier run as lost when its machine restarted', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    await world.kill();
    world.keeper.runs.clear();
    world.bootId = 'boot-2';
    await world.start();
    expect(world.ends()).toMatchObject([{ outcome: 'lost', reason: 'the machine restarted while it ran' }]);
    expect(world.sent('hello')).toMatchObject([{ bootId: 'boot-2', runs: [{ state: 'ended' }] }]);
    // No earlier run is alive, so the rest of its app is deleted.
    expect(world.apps.swept.at(-1)).toEqual([]);
    expect(world.keeper.processes).toHaveLength(1);
    await world.quit();
  });

  test('an agent that was killed sends the reports again that no center took, in their order', async () => {
    const world = anAgentSetup();
    world.center.eager = false;
    await world.start();
    await world.send(aStart());
    world.keeper.end(KEY);
    await world.clock.settle();
    await world.kill();
    await world.start();
    expect(world.sent('report').map(report => [report.id, report.state])).toEqual([
      [1, 'started'],
      [2, 'ended'],
    ]);
    await world.send({ type: 'reportsAcknowledged', ids: [1, 2] });
    await world.quit();
    await world.start();
    expect(world.sent('report')).toEqual([]);
    await world.quit();
  });
});

describe('a keeper that is gone', () => {
  test('a keeper that is gone is followed by the next one, and its runs are lost', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    world.keeper.die();
    await world.clock.advance(1_000);
    expect(world.ends()).toMatchObject([{ outcome: 'lost', reason: 'its keeper died' }]);
    await world.quit();
  });

  test('a keeper whose socket alone is gone goes on with its runs', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    world.keeper.hangUp();
    await world.clock.advance(1_000);
    world.keeper.end(KEY, { exitCode: 0 });
    await world.clock.settle();
    expect(world.ends()).toMatchObject([{ outcome: 'succeeded' }]);
    expect(world.keeper.processes).toHaveLength(1);
    await world.quit();
  });

  test('a keeper that is gone does not lead to a later start of what was stopped meanwhile', async () => {
    const world = anAgentSetup();
    await world.start();
    world.keeper.hangUp();
    await world.clock.settle();
    await world.send(aStart());
    await world.send(aStop());
    await world.clock.advance(1_000);
    expect(world.keeper.processes).toEqual([]);
    expect(world.ends()).toMatchObject([{ outcome: 'cancelled' }]);
    await world.quit();
  });

  test('a keeper with a run that the agent does not know is asked to end it', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart());
    await world.kill();
    world.disk.files.clear();
    await world.start();
    expect(world.keeper.stops.map(one => one.run)).toEqual([KEY]);
    expect(world.keeper.removed).toEqual([KEY]);
    await world.quit();
  });
});

function center(world: ReturnType<typeof anAgentSetup>, frame: object) {
  world.center.send(frame);
}
