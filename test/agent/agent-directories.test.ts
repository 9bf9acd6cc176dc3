/** Runs that work in the directory of their job, on a host in memory. */
import { describe, expect, test } from 'bun:test';
import { ArtifactError } from '../../src/agent/ports.ts';
import { keyOfRun } from '../../src/protocol/agent.ts';
import { anAgentSetup, aRun, aStart, aStop } from './agent-setup.ts';

const KEY = keyOfRun(aRun());
const file = { name: 'a.tgz', sha256: 'a'.repeat(64), size: 10 };
const directory = { job: 'j1', file, asOf: 5 };
const inJob = { spec: { directory } };
const never = () => new Promise<string>(() => {});

describe('a run in the directory of its job', () => {
  test('a run in the directory of its job has no other directory, and uses it until its end', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart({ spec: { directory, shell: true, command: './start.sh | tee log' } }));
    const [request] = world.keeper.requests;
    expect(request).toMatchObject({ argv: ['/bin/sh', '-c', './start.sh | tee log'], cwd: '/jobs/x/work' });
    expect(request?.env).toEqual({ PATH: '/bin', LC_ALL: 'C', TROUPE_WORK_DIR: '/jobs/x/work' });
    expect([...world.directories.used]).toEqual([[KEY, directory]]);
    expect(world.workDirs.size).toBe(0);
    world.keeper.end(KEY);
    await world.clock.settle();
    expect(world.directories.used.size).toBe(0);
    await world.quit();
  });

  test('a command without a shell is looked up in the directory of the job first', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart({ spec: { directory, command: 'start.sh a' } }));
    expect(world.keeper.requests).toMatchObject([{ argv: ['/jobs/x/work/start.sh', 'a'] }]);
    await world.quit();
  });

  test('a run whose file cannot be had fails with the reason, and nothing is started', async () => {
    const world = anAgentSetup();
    world.directories.prepare = async () => {
      throw new ArtifactError('status', 'the center has no file', { transient: false });
    };
    await world.start();
    await world.send(aStart(inJob));
    expect(world.ends()).toMatchObject([{ outcome: 'failed', reason: 'the center has no file' }]);
    expect([world.keeper.requests, world.directories.used.size]).toEqual([[], 0]);
    await world.quit();
  });

  test('a run whose directory a full disk does not take is moved to another host', async () => {
    const world = anAgentSetup();
    world.directories.prepare = async () => {
      throw new ArtifactError('disk', 'no space left', { transient: true });
    };
    world.disk.probeFails = true;
    await world.start();
    await world.send(aStart(inJob));
    expect(world.ends()).toMatchObject([{ outcome: 'failed', hostFault: 'disk' }]);
    await world.quit();
  });

  test('a run that is stopped while its file is fetched ends at once, and lets go of the directory', async () => {
    const world = anAgentSetup();
    world.directories.prepare = never;
    await world.start();
    await world.send(aStart(inJob));
    await world.send(aStop());
    expect(world.ends()).toMatchObject([{ outcome: 'cancelled' }]);
    expect([world.keeper.requests, world.directories.used.size]).toEqual([[], 0]);
    await world.quit();
  });

  test('a run that was being prepared when its agent died is prepared again, and parked after the second time', async () => {
    const world = anAgentSetup();
    world.directories.prepare = never;
    await world.start();
    await world.send(aStart(inJob));
    for (const uses of [1, 1, 0]) {
      expect(world.directories.used.size).toBe(uses);
      world.directories.used.clear();
      await world.kill();
      await world.start();
    }
    expect(world.ends()).toMatchObject([{ outcome: 'failed', parked: true }]);
    await world.quit();
  });
});

describe('a new agent', () => {
  test('a new agent says once which runs live: those of its journal, and those of the keeper alone', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart(inJob));
    const other = aRun({ item: 1 });
    await world.send(aStart({ run: other, ...inJob }));
    world.keeper.end(keyOfRun(other));
    await world.clock.settle();
    expect(world.directories.settled).toEqual([[]]);
    await world.kill();
    await world.start();
    expect(world.directories.settled.slice(1)).toEqual([[KEY]]);
    world.keeper.die();
    await world.clock.advance(10_000);
    expect(world.directories.settled).toHaveLength(2);
    await world.quit();
  });

  test('a run that the journal lost keeps its directory until the keeper has ended it', async () => {
    const world = anAgentSetup();
    world.keeper.obedient = false;
    await world.start();
    await world.send(aStart(inJob));
    await world.kill();
    world.disk.files.delete('journal.jsonl');
    await world.start();
    expect(world.directories.settled.at(-1)).toEqual([KEY]);
    expect([...world.directories.used.keys()]).toEqual([KEY]);
    world.keeper.end(KEY, { cause: 'stop', signal: 'SIGTERM' });
    await world.clock.settle();
    expect(world.directories.used.size).toBe(0);
    await world.quit();
  });

  test('an agent sweeps the directories of jobs every minute', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.clock.advance(180_000);
    expect(world.directories.swept).toBe(3);
    await world.quit();
  });
});
