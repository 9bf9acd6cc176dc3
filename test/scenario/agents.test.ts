/** Failure rows 28 and 29, for real: a job that kills its agent, and two agents with one key. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aRealHouse, type House, until } from '../support/house.ts';

setDefaultTimeout(60_000);

let house: House;
beforeAll(async () => {
  house = await aRealHouse();
  await house.startCenter();
  house.startAgent('a1');
  await house.ready('a1');
});
afterAll(() => house?.close());

const isDone = (id: string) => async () => (await house.execution(id)).status === 'done';
const trigger = async (job: string) => (await house.call<{ execution: string }>('POST', `/v1/jobs/${job}/trigger`)).execution;
const textOf = (file: string): string => readFileSync(join(house.directory, file), 'utf8');

describe('row 28: a job that kills its agent', () => {
  test('twice is parked with the reason, and not tried again whatever its policy', async () => {
    let deaths = 0;
    // Whoever fetches the app dies of it; somebody looks after the agent and starts it again.
    const apps = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      async fetch() {
        deaths += 1;
        await house.killAgent('a1');
        house.startAgent('a1');
        return new Response('nobody hears this');
      },
    });
    try {
      await house.call('POST', '/v1/apps', { name: 'poison', url: `http://127.0.0.1:${apps.port}/poison.tar.gz`, command: 'start.sh' });
      await house.call('POST', '/v1/jobs', { name: 'deadly', app: 'poison', retry: { attempts: 5 }, failover: true });
      const execution = await trigger('deadly');
      await until('it is over', isDone(execution));
      const { outcome, shards } = await house.execution(execution);
      expect([outcome, shards[0]?.attempt, deaths]).toEqual(['failed', 1, 2]);
      expect(shards[0]?.reason).toBe('parked: the agent died 2 times while it prepared this run; it is not tried again');
      // The agent lives, and so does everything else.
      await house.ready('a1');
      await house.call('POST', '/v1/jobs', { name: 'harmless', command: ['true'] });
      const next = await trigger('harmless');
      await until('another job is done', isDone(next));
      expect((await house.execution(next)).outcome).toBe('succeeded');
    } finally {
      await apps.stop(true);
    }
  });
});

describe('row 29: two agents with one key', () => {
  const running = (id: string) => until('it runs', async () => (await house.execution(id)).shards[0]?.status === 'running');

  test('are told apart: the living one serves on with what it runs, the copy is refused, both are on record, no run begins twice', async () => {
    await house.ready('a1');
    const script = `echo $TROUPE_EXECUTION >> ${house.directory}/twins; while [ ! -e ${house.directory}/go ]; do sleep 0.1; done`;
    await house.call('POST', '/v1/jobs', { name: 'twins', command: ['sh', '-c', script], overlap: 'allow' });
    const first = await trigger('twins');
    await running(first);
    // All of it, keeper and all, as it lies there; sockets cannot be copied.
    cpSync(join(house.directory, 'a1'), join(house.directory, 'clone'), { recursive: true, filter: path => !path.endsWith('/socket') });
    house.startAgent('clone');
    await until('the copy is refused', () => textOf('clone.log').includes('identityInUse'));
    const second = await trigger('twins');
    await running(second);
    await Bun.write(join(house.directory, 'go'), '');
    await until('both are done', async () => (await isDone(first)()) && (await isDone(second)()));
    for (const id of [first, second]) expect(await house.execution(id)).toMatchObject({ outcome: 'succeeded', shards: [{ attempt: 1 }] });
    expect(textOf('twins').trim().split('\n')).toEqual([first, second]);
    const said = textOf('center.log')
      .split('\n')
      .filter(line => line.includes('security'));
    expect(said.filter(line => line.includes('is served by a living agent'))).not.toEqual([]);
    expect(said.filter(line => line.includes('an agent was refused'))).not.toEqual([]);
    const { items } = await house.call<{ items: { status: string }[] }>('GET', '/v1/hosts');
    expect(items.map(host => host.status)).toEqual(['ready']);
  });
});
