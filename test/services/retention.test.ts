/** Retention in passes over a real store; the runtime's answers are scripted. */
import { beforeEach, describe, expect, test } from 'bun:test';
import { createRetentionService, type Expired, type Keep, RETENTION } from '../../src/services/retention.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { type Store, StoreUnavailable } from '../../src/store/port.ts';
import { createManualClock, type ManualClock } from '../support/manual-clock.ts';
import { aChunk, aFact, anOccurrence, aPostedLog, aWrite } from '../support/store-builders.ts';

const DAY = 86_400_000;
const EVERYTHING: Keep = {
  executionsMs: 1_000 * DAY,
  executions: 1_000,
  executionsPerJob: 1_000,
  outputMs: 1_000 * DAY,
  occurrencesMs: 1_000 * DAY,
  occurrencesPerJob: 1_000,
  postedLogsMs: 1_000 * DAY,
  postedLogs: 1_000,
  postedLogsPerJob: 1_000,
  factsMs: 1_000 * DAY,
  facts: 1_000,
  tombstonesMs: 1_000 * DAY,
  tombstones: 1_000,
};

describe('a pass', () => {
  let clock: ManualClock;
  let store: Store;
  let held: string[];
  let endedAt: Map<string, number | null>;
  let logged: string[];
  beforeEach(() => {
    clock = createManualClock();
    store = createMemoryStore();
    held = [];
    endedAt = new Map();
    logged = [];
  });
  const ago = (days: number) => clock.now() - days * DAY;

  const aForgetting = (keep: Partial<Keep>) =>
    createRetentionService({
      store,
      clock,
      keep: { ...EVERYTHING, ...keep },
      reader: {
        endedAt: ({ address, index }) => (endedAt.has(address) ? (endedAt.get(address) ?? null) : index.at),
        executionsOf: () => new Set(held),
      },
      log: (level, text) => logged.push(`${level} ${text}`),
    });

  async function pass(keep: Partial<Keep>, forgetting = aForgetting(keep)): Promise<Expired> {
    let result: Expired | undefined;
    let failure: unknown;
    forgetting.runOnce().then(
      gone => {
        result = gone;
      },
      error => {
        failure = error;
      },
    );
    for (let turn = 0; !result && !failure && turn < 10_000; turn++) await clock.advance(5);
    if (failure) throw failure;
    return result as Expired;
  }

  /** One ended execution per age, each with a piece of output; named by its age in days. */
  async function executions(job: string, ...ages: number[]): Promise<void> {
    await store.commit([aWrite({ address: `job/${job}` })]);
    for (const age of ages) {
      const address = `execution/${job}@${age}`;
      await store.commit([aWrite({ address, life: 'done', index: { parent: job, status: 'done', at: ago(age) } })]);
      await store.keepOutput([aChunk({ execution: `${job}@${age}`, at: ago(age) })]);
    }
  }
  const left = async () =>
    (await store.list({ kind: 'execution', limit: 100 })).items.map(({ address }) => address.slice('execution/'.length));
  const hasOutput = async (execution: string) => (await store.output({ execution, limit: 1 })).length > 0;

  test('a pass of retention over young and few things deletes nothing', async () => {
    await executions('a', 1, 2, 3);
    await store.record([anOccurrence({ from: ago(5) })]);
    expect(await pass({})).toEqual({ executions: 0, output: 0, occurrences: 0, postedLogs: 0, facts: 0, tombstones: 0 });
  });

  test('a pass of retention deletes executions that ended long ago, with their output', async () => {
    await executions('a', 40, 31, 29, 1);
    expect(await pass({ executionsMs: 30 * DAY })).toMatchObject({ executions: 2, output: 2 });
    expect(await left()).toEqual(['a@1', 'a@29']);
    expect([await hasOutput('a@31'), await hasOutput('a@29')]).toEqual([false, true]);
  });

  test('a pass of retention counts the age of an execution from its end, not from its beginning', async () => {
    await executions('a', 40, 35);
    endedAt.set('execution/a@40', ago(2));
    await pass({ executionsMs: 30 * DAY });
    expect(await left()).toEqual(['a@40']);
  });

  test('a pass of retention keeps executions that their job counts as open, and documents that cannot be read', async () => {
    await executions('a', 40, 39, 38);
    held = ['execution/a@39'];
    endedAt.set('execution/a@38', null);
    expect((await pass({ executionsMs: 30 * DAY })).executions).toBe(1);
    expect(await left()).toEqual(['a@38', 'a@39']);
    expect((await pass({ executions: 0, executionsPerJob: 0 })).executions).toBe(0);
  });

  test('a pass of retention keeps the newest of each job', async () => {
    await executions('a', 5, 4, 3, 2, 1);
    await executions('b', 9, 8);
    await pass({ executionsPerJob: 2 });
    expect(await left()).toEqual(['a@1', 'a@2', 'b@8', 'b@9']);
  });

  test('a pass of retention keeps the newest of all, pass after pass, counting only what is new', async () => {
    const forgetting = aForgetting({ executions: 3 });
    await executions('a', 9, 8, 7, 6, 5);
    await pass({}, forgetting);
    expect(await left()).toEqual(['a@5', 'a@6', 'a@7']);
    await executions('b', 2, 1);
    expect((await pass({}, forgetting)).executions).toBe(2);
    expect(await left()).toEqual(['b@1', 'b@2', 'a@5']);
    expect((await pass({}, forgetting)).executions).toBe(0);
  });

  test('a pass of retention skips old executions that must stay and still deletes as many as are too many', async () => {
    await executions('a', 9, 8, 7, 6);
    held = ['execution/a@9'];
    await pass({ executions: 2 });
    expect(await left()).toEqual(['a@6', 'a@9']);
  });

  test('a pass of retention deletes old output and leaves its execution', async () => {
    await executions('a', 8, 6);
    expect(await pass({ outputMs: 7 * DAY })).toMatchObject({ executions: 0, output: 1 });
    expect(await left()).toEqual(['a@6', 'a@8']);
    expect([await hasOutput('a@8'), await hasOutput('a@6')]).toEqual([false, true]);
  });

  test('a pass of retention deletes due times, facts and tombstones by age and by number', async () => {
    await store.record([100, 95, 20, 10].map(age => anOccurrence({ from: ago(age) })));
    const oldest = ago(4);
    await store.record([4, 3, 2].map(age => anOccurrence({ job: 'busy', from: ago(age) })));
    await store.commit([aWrite({ facts: [30, 20, 3, 2, 1].map((age, position) => aFact({ position, at: ago(age) })) })]);
    for (const age of [95, 5, 4]) {
      await store.commit([aWrite({ address: `job/t${age}`, life: 'tombstone', index: { status: 'deleted', at: ago(age) } })]);
    }
    const gone = await pass({
      occurrencesMs: 90 * DAY,
      occurrencesPerJob: 2,
      factsMs: 14 * DAY,
      facts: 2,
      tombstonesMs: 90 * DAY,
      tombstones: 1,
    });
    expect(gone).toEqual({ executions: 0, output: 0, occurrences: 3, postedLogs: 0, facts: 3, tombstones: 2 });
    expect(await store.keptAfter('busy')).toBe(oldest);
  });

  test('a pass of retention deletes posted logs by age, beyond the number of a job, and beyond the number of all', async () => {
    const posted = async (job: string, ...ages: number[]) => {
      for (const age of ages) await store.keepPostedLog(aPostedLog({ job, id: `${age}`, at: ago(age), receivedAt: ago(age) }));
    };
    const kept = async (job: string) => (await store.postedLogs({ job, limit: 100 })).map(({ id }) => id);
    await posted('a', 40, 31, 29, 1);
    await posted('unknown', 50, 9, 8, 7, 6);
    expect((await pass({ postedLogsMs: 30 * DAY })).postedLogs).toBe(3);
    expect([await kept('a'), await kept('unknown')]).toEqual([
      ['1', '29'],
      ['6', '7', '8', '9'],
    ]);
    expect((await pass({ postedLogsPerJob: 3 })).postedLogs).toBe(1);
    expect([await kept('a'), await kept('unknown')]).toEqual([
      ['1', '29'],
      ['6', '7', '8'],
    ]);
    expect((await pass({ postedLogs: 3 })).postedLogs).toBe(2);
    expect([await kept('a'), await kept('unknown')]).toEqual([['1'], ['6', '7']]);
  });

  test('a pass of retention goes in steps with rests between them, and a slow store is left alone for longer', async () => {
    const instants: number[] = [];
    const slow = new Proxy(store, {
      get(target, name) {
        const real: unknown = Reflect.get(target, name);
        if (name !== 'deleteFacts') return real;
        return async (query: Parameters<Store['deleteFacts']>[0]) => {
          instants.push(clock.monotonic());
          await new Promise<void>(resolve => clock.after(100, resolve));
          return target.deleteFacts(query);
        };
      },
    });
    await store.commit([aWrite({ facts: Array.from({ length: 200 }, (_, position) => aFact({ position, at: ago(30) })) })]);
    store = slow;
    await pass({ factsMs: 14 * DAY });
    const sizes = instants.slice(1).map((at, place) => at - (instants[place] ?? 0));
    expect(sizes.length).toBeGreaterThan(3);
    for (const ms of sizes) expect(ms).toBeGreaterThanOrEqual(100 + 100 * RETENTION.restTimes);
  });

  test('a pass of retention broken off stops after its step, and the next one finishes', async () => {
    await executions('a', ...Array.from({ length: 200 }, (_, i) => 300 - i));
    const ending = new AbortController();
    const forgetting = aForgetting({ executionsMs: 30 * DAY });
    const broken = forgetting.runOnce(ending.signal);
    await clock.advance(15);
    ending.abort();
    await clock.settle();
    const first = await broken;
    expect(first.executions).toBeLessThan(200);
    const second = await pass({}, forgetting);
    expect(first.executions + second.executions).toBe(200);
  });

  test('a pass of retention reports that the store is away, and the next one comes in its time', async () => {
    await executions('a', 40);
    let away = true;
    const real = store;
    store = new Proxy(store, {
      get: (target, name) =>
        name === 'countExecutions' && away
          ? async () => {
              throw new StoreUnavailable('gone fishing');
            }
          : (Reflect.get(target, name) as unknown),
    });
    const ending = new AbortController();
    const running = aForgetting({ executionsMs: 30 * DAY }).run(ending.signal, () => {});
    await clock.advance(RETENTION.firstPassMs);
    expect(logged).toEqual(['warn retention: the pass ends early because the store is unavailable']);
    away = false;
    await clock.advance(RETENTION.passMs + 1_000);
    expect(logged).toHaveLength(2);
    expect((await real.list({ kind: 'execution', limit: 1 })).items).toEqual([]);
    ending.abort();
    await running;
  });
});
