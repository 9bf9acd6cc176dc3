/** Refusals because of the host carry its fault class; those of a run do not. */
import { describe, expect, test } from 'bun:test';
import { ArtifactError } from '../../src/agent/ports.ts';
import { keyOfRun } from '../../src/protocol/agent.ts';
import { anAgentSetup, anArtifact, aRun, aStart } from './agent-setup.ts';

const KEY = keyOfRun(aRun());
const faults = (world: ReturnType<typeof anAgentSetup>) => world.ends().map(({ outcome, hostFault }) => [outcome, hostFault]);

describe('a host fault', () => {
  test('a host fault is reported where the journal cannot be written', async () => {
    const world = anAgentSetup();
    await world.start();
    world.disk.full = true;
    await world.send(aStart());
    expect(faults(world)).toEqual([['failed', 'journal']]);
    world.disk.full = false;
    await world.quit();
  });

  test('a host fault is reported where the agent runs as many processes as it takes', async () => {
    const world = anAgentSetup({ limits: { runsMax: 1 } });
    await world.start();
    await world.send(aStart());
    await world.send(aStart({ run: aRun({ item: 1 }) }));
    expect(faults(world)).toEqual([['failed', 'runs']]);
    await world.quit();
  });

  test.each(['disk', 'spawn'] as const)('a host fault of the keeper is reported: %s', async fault => {
    const world = anAgentSetup();
    await world.start();
    world.keeper.startFails = 'no room';
    world.keeper.startFault = fault;
    await world.send(aStart());
    expect(faults(world)).toEqual([['failed', fault]]);
    await world.quit();
  });

  test('no host fault is reported where the program cannot be started', async () => {
    const world = anAgentSetup();
    await world.start();
    world.keeper.startFails = 'there is no such program';
    await world.send(aStart());
    expect(faults(world)).toEqual([['failed', undefined]]);
    await world.quit();
  });

  test('a host fault is reported where no work directory can be made', async () => {
    const world = anAgentSetup();
    await world.start();
    world.workDirFails = new Error('ENOSPC: no space left on device');
    await world.send(aStart());
    expect(faults(world)).toEqual([['failed', 'disk']]);
    await world.quit();
  });

  test('a host fault is reported where no keeper can be opened, also for an earlier run; a later keeper takes runs again', async () => {
    const world = anAgentSetup();
    world.keeper.cannotConnect = new Error('none answers');
    await world.start();
    await world.send(aStart());
    await world.clock.advance(1_000);
    await world.send(aStart({ run: aRun({ item: 1 }) }));
    expect(faults(world)).toEqual([
      ['failed', 'keeper'],
      ['failed', 'keeper'],
    ]);
    expect(world.ends()[0]?.reason).toContain('none answers');
    world.keeper.cannotConnect = undefined;
    await world.clock.advance(1_000);
    await world.send(aStart({ run: aRun({ item: 2 }) }));
    expect(world.keeper.processes).toEqual([keyOfRun(aRun({ item: 2 }))]);
    await world.quit();
  });

  test('a host fault is not reported for a run that a lost keeper had received: it may have begun', async () => {
    const world = anAgentSetup();
    await world.start();
    world.keeper.dieAtStart = true;
    await world.send(aStart());
    world.keeper.cannotConnect = new Error('none answers');
    await world.clock.advance(5_000);
    expect(world.ends()).toEqual([]);
    world.keeper.cannotConnect = undefined;
    world.keeper.dieAtStart = false;
    await world.clock.advance(5_000);
    expect(world.keeper.processes).toEqual([KEY]);
    await world.quit();
  });

  test('a full disk that does not take an app is a host fault, and an app that alone is too large is none', async () => {
    const world = anAgentSetup();
    await world.start();
    world.apps.prepare = async () => {
      throw new ArtifactError('disk', 'no space left', { transient: true });
    };
    await world.send(aStart({ spec: { artifact: anArtifact } }));
    expect(faults(world)).toEqual([['failed', undefined]]);
    world.disk.probeFails = true;
    await world.send(aStart({ run: aRun({ item: 1 }), spec: { artifact: anArtifact } }));
    expect(faults(world)[1]).toEqual(['failed', 'disk']);
    await world.quit();
  });
});
