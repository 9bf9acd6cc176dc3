/** A center with an earlier state of its store does not know later reports of this agent. */
import { describe, expect, test } from 'bun:test';
import { AGENT_FRAME_MAX, EPOCH_MAX, keyOfRun, readEpochs, writeEpochs } from '../../src/protocol/agent.ts';
import { anAgentSetup, aRun, aStart, aStop } from './agent-setup.ts';

const KEY = keyOfRun(aRun());

async function anEndedRun(how: Parameters<ReturnType<typeof anAgentSetup>['keeper']['end']>[1] = { exitCode: 3 }) {
  const world = anAgentSetup();
  await world.start();
  await world.send(aStart({ epoch: 3 }));
  world.keeper.end(KEY, how);
  await world.clock.settle();
  expect(world.ends()).toHaveLength(1);
  return world;
}

describe('a center that lost the end of a run', () => {
  test('a center that lost the end of a run receives the end again when it starts the run, and nothing runs twice', async () => {
    const world = await anEndedRun();
    await world.send(aStart({ epoch: 1_000_003 }));
    expect(world.ends().slice(1)).toMatchObject([{ outcome: 'failed', exitCode: 3 }]);
    expect(world.keeper.processes).toEqual([KEY]);
    await world.quit();
  });

  test('a center that lost the end of a run receives it also from an agent that was restarted', async () => {
    const world = await anEndedRun();
    await world.kill();
    await world.start();
    await world.send(aStart({ epoch: 1_000_003 }));
    expect(world.ends().at(-1)).toMatchObject({ outcome: 'failed', exitCode: 3 });
    expect(world.keeper.processes).toEqual([KEY]);
    await world.quit();
  });

  test('a center that lost the end of a run receives lost for a run that was stopped, since it did not ask for that', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart({ epoch: 3 }));
    await world.send(aStop({ epoch: 3, as: 'superseded' }));
    await world.send(aStart({ epoch: 1_000_003 }));
    expect(world.ends().map(({ outcome }) => outcome)).toEqual(['cancelled', 'lost']);
    await world.quit();
  });

  test.each([
    ['lower than what the agent has served', 2, true],
    ['raised', 1_000_003, true],
    ['one that only started anew', 4, false],
    ['one that does not say', undefined, false],
  ])(
    'a center that lost the end of a run (%s) gets ended runs with the hello, and their ends after the welcome: %p %p',
    async (_, epoch, expected) => {
      const world = await anEndedRun();
      world.center.epoch = epoch;
      world.center.cut();
      await world.clock.advance(1_000);
      expect(world.sent('hello')[0]?.runs).toEqual(expected ? [{ run: aRun(), state: 'ended' }] : []);
      expect(world.ends()).toHaveLength(expected ? 2 : 1);
      expect(world.sent('hello')[0]?.epochs).toBe('7:3');
      await world.quit();
    },
  );

  test('a center that lost the end of a run gets as many ended runs as one frame takes', async () => {
    const world = anAgentSetup();
    await world.start();
    const runs = Array.from({ length: 1_500 }, (_, item) => ({
      execution: `${'x'.repeat(100)}@20261122T080000.000Z~abc123`,
      item,
      attempt: 1,
    }));
    for (const run of runs.slice(0, 900)) {
      await world.send(aStart({ epoch: 3, run }));
      world.keeper.end(keyOfRun(run), { exitCode: 0 });
    }
    for (const run of runs.slice(900)) await world.send(aStart({ epoch: 3, run }));
    await world.clock.settle();
    world.center.epoch = 1_000_003;
    world.center.cut();
    await world.clock.advance(1_000);
    const [hello] = world.sent('hello');
    expect(Buffer.byteLength(JSON.stringify(hello))).toBeLessThanOrEqual(AGENT_FRAME_MAX);
    const named = (hello?.runs ?? []).map(({ run, state }) => `${state} ${run.item}`);
    expect(named.slice(0, 600).every(each => !each.startsWith('ended'))).toBe(true);
    // Of those that ended the latest.
    expect(named.at(-1)).toBe('ended 899');
    await world.quit();
  });

  test('a center that lost the end of a run is sent the output of what still runs from its beginning', async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart({ epoch: 3 }));
    world.keeper.write(KEY, 'one', 'two');
    await world.clock.settle();
    world.center.epoch = 1_000_003;
    world.center.cut();
    await world.clock.advance(1_000);
    expect(world.sent('output').map(({ seq }) => seq)).toEqual([1, 2]);
    await world.quit();
  });
});

describe('epochs on the wire', () => {
  test('epochs on the wire come back as they were', () => {
    const epochs: [number, number][] = [
      [0, 0],
      [255, EPOCH_MAX],
    ];
    expect(readEpochs(writeEpochs(epochs))).toEqual(epochs);
    expect(readEpochs(writeEpochs([]))).toEqual([]);
  });

  test.each(['1', '1:', ':1', '256:1', '1:-1', '1:1.5', `1:${EPOCH_MAX * 2}`, '1:NaN', '1:1  2:2', 'x:1'])(
    'the value %p is no list of epochs',
    text => {
      expect(readEpochs(text)).toBeUndefined();
    },
  );
});
