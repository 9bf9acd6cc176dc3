/** An agent obeys only the installation whose key it has. */
import { describe, expect, test } from 'bun:test';
import { fingerprintOf, tokenFingerprint } from '../../src/protocol/agent.ts';
import { anAgentSetup, aRun, aStart } from './agent-setup.ts';

const OWN = fingerprintOf('center');

describe('an agent that knows the key of its installation', () => {
  /** The agent has served its center; then another center answers at that address. */
  const served = async () => {
    const world = anAgentSetup();
    await world.start();
    await world.send(aStart({ epoch: 3 }));
    return world;
  };
  const ROGUES: Record<string, (world: Awaited<ReturnType<typeof served>>) => void> = {
    'has another key': ({ center }) => {
      center.key = 'rogue';
    },
    'claims the key and cannot sign with it': ({ center }) => {
      center.signs = 'rogue';
    },
    'proves nothing and welcomes': ({ center }) => {
      center.key = undefined;
      center.welcomesAtOnce = true;
    },
  };

  test.each(Object.keys(ROGUES))(
    'an agent that knows the key of its installation takes nothing from a center that %s, shows it nothing, and goes on with its own',
    async how => {
      const world = await served();
      ROGUES[how]?.(world);
      world.center.cut();
      await world.clock.advance(1_000);
      await world.send(aStart({ run: aRun({ item: 1 }), epoch: 1_000 }));
      expect(world.keeper.processes).toHaveLength(1);
      expect(world.sent('hello')).toEqual([]);
      expect(world.log.join('\n')).toContain('is not trusted');
      Object.assign(world.center, { key: 'center', signs: undefined, welcomesAtOnce: false });
      await world.clock.advance(60_000);
      await world.send(aStart({ run: aRun({ item: 2 }), epoch: 3 }));
      expect(world.keeper.processes).toHaveLength(2);
      await world.quit();
    },
  );

  test('an agent that knows the key of its installation does not end its runs when a center without a proof calls it retired', async () => {
    const world = await served();
    world.center.key = undefined;
    world.center.cut();
    await world.clock.advance(1_000);
    await world.send({ type: 'refused', code: 'retired', message: 'away with you' });
    expect(world.keeper.stops).toEqual([]);
    await world.quit();
  });

  test('an agent keeps the key of its installation over restarts, also one that it got without a token', async () => {
    const world = await served();
    await world.kill();
    world.center.key = 'rogue';
    await world.start();
    expect(world.sent('hello')).toEqual([]);
    await world.quit();
  });

  test('an agent reads the key of its installation from its join token, which it sends to that center alone', async () => {
    const world = anAgentSetup({ joinToken: `troupe_join_x.${OWN}` });
    world.center.key = 'rogue';
    await world.start();
    expect(world.center.all.some(frame => frame.type === 'hello')).toBe(false);
    world.center.key = 'center';
    await world.clock.advance(2_000);
    expect(world.sent('hello')[0]?.joinToken).toBe(`troupe_join_x.${OWN}`);
    await world.quit();
  });

  test('an agent accepts another installation when an operator says so, and from then on', async () => {
    const world = await served();
    await world.kill();
    world.center.key = 'new center';
    world.centerKey = fingerprintOf('new center');
    await world.start();
    expect(world.sent('hello')).toHaveLength(1);
    await world.kill();
    world.centerKey = undefined;
    await world.start();
    expect(world.sent('hello')).toHaveLength(1);
    await world.quit();
  });

  test('an agent sends its join token again to its own center that does not know it any more', async () => {
    const world = anAgentSetup({ joinToken: `troupe_join_x.${OWN}` });
    await world.start();
    world.center.accept = { refused: 'unknownKey' };
    world.center.cut();
    await world.clock.advance(1_000);
    expect(world.sent('hello')[0]?.joinToken).toBeUndefined();
    world.center.accept = 'welcome';
    await world.clock.advance(60_000);
    expect(world.sent('hello')[0]?.joinToken).toBe(`troupe_join_x.${OWN}`);
    await world.quit();
  });
});

test('a join token shows the fingerprint that it carries', () => {
  expect(tokenFingerprint(`troupe_join_secret.${OWN}`)).toBe(OWN);
  expect(tokenFingerprint('troupe_join_secret')).toBeUndefined();
  expect(tokenFingerprint('troupe_join_secret.short')).toBeUndefined();
});
