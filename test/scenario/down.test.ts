/** What passed while the center was down: every due time is accounted for. */
import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import type { JobConfig } from '../../actors/job/types.ts';
import { decodeState, encodeState, type StoredState } from '../../src/runtime/document.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { createSqliteStore } from '../../src/store/sqlite/index.ts';
import { aJob } from '../support/builders.ts';
import { aCluster, type Execution, until } from '../support/cluster.ts';
import { aRuntime, START } from '../support/runtime.ts';

const HOUR = 3_600_000;

describe('a one second schedule whose center was stopped for an hour', () => {
  test('a one second schedule whose center was stopped for an hour has a verdict for each of its 3,600 due times', async () => {
    const store = createMemoryStore();
    const before = await aRuntime({ store });
    await before.ask('job/tick', {
      type: 'job.register',
      config: aJob({ name: 'tick', schedules: [{ type: 'cron', cron: '* * * * * ?' }] }),
    });
    const stopping = before.runtime.stop(0);
    await before.clock.settle();
    await stopping;

    const after = await aRuntime({ store, at: START + HOUR, pool: false });
    await after.clock.advance(0);
    const entries = await store.occurrences({ job: 'tick', limit: 1_000 });
    expect(entries.reduce((sum, entry) => sum + entry.count, 0)).toBe(3_600);
    expect(entries[0]).toMatchObject({ from: START + 1_000, verdict: 'missedDown' });
    // Without a gap and without an overlap: each entry begins one second behind the one before.
    for (const [place, entry] of entries.entries()) {
      expect(entry.from).toBe(place === 0 ? START + 1_000 : (entries[place - 1]?.to ?? 0) + 1_000);
      expect(entry.to).toBe(entry.from + (entry.count - 1) * 1_000);
    }
    expect(entries.at(-1)?.to).toBe(START + HOUR);
    // What is late by the grace of 60 s and no more is still on time.
    expect(await store.summary({ job: 'tick' })).toEqual({ missedDown: 3_539, waiting: 1, skippedOverlap: 60 });
  });
});

/** The verdict of every due time from the first to the last, second by second. */
const eachSecond = (entries: { from: number; to: number; verdict: string }[], from: number, to: number): string[] => {
  const verdicts: string[] = [];
  for (let at = from; at <= to; at += 1_000) {
    const named = entries.filter(entry => entry.from <= at && at <= entry.to);
    verdicts.push(named.length === 1 ? (named[0]?.verdict ?? '') : `named ${named.length} times`);
  }
  return verdicts;
};
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

describe('a one second schedule whose center was down for 100 due times, and of which one execution was not done', () => {
  const DOWN_AT = START + 3_000;
  const BACK_AT = DOWN_AT + 103_000;
  type Row = [JobConfig['overlap'], JobConfig['misfire']['policy'], before: string[], missed: string[], onTime: string[]];
  // No host is there, so none of them begins.
  const waits = 'waiting';
  const skipped = 'skippedOverlap';
  const [gone, once, all] = [
    times(100, 'missedDown'),
    [...times(99, 'coalesced'), waits],
    [...times(90, 'coalesced'), ...times(10, waits)],
  ];
  const rows: Row[] = [
    ['skip', 'skip', [waits, skipped, skipped], gone, times(3, skipped)],
    ['skip', 'once', [waits, skipped, skipped], once, times(3, skipped)],
    ['skip', 'all', [waits, skipped, skipped], all, times(3, skipped)],
    ['queue', 'skip', [waits, waits, 'coalesced'], gone, times(3, 'coalesced')],
    ['queue', 'once', [waits, waits, 'coalesced'], once, times(3, 'coalesced')],
    ['queue', 'all', [waits, waits, 'coalesced'], all, times(3, 'coalesced')],
    ['allow', 'skip', times(3, waits), gone, times(3, waits)],
    ['allow', 'once', times(3, waits), once, times(3, waits)],
    // Ten at once are allowed: those that are made good take what is left of them, and wait beyond.
    ['allow', 'all', times(3, waits), all, times(3, 'refused')],
    ['replace', 'skip', times(3, waits), gone, times(3, waits)],
    ['replace', 'once', times(3, waits), once, times(3, waits)],
    ['replace', 'all', times(3, waits), all, times(3, waits)],
  ];

  test.each(rows)(
    'the ledger names each of 100 due times that passed while the center was down: overlap %s, misfire %s',
    async (overlap, policy, before, missed, onTime) => {
      const store = createMemoryStore();
      const first = await aRuntime({ store });
      const config = aJob({
        name: 'tick',
        schedules: [{ type: 'cron', cron: '* * * * * ?' }],
        overlap,
        overlapLimit: overlap === 'allow' ? 10 : 1,
        misfire: { policy, limit: 10 },
        misfireGraceMs: 2_000,
      });
      await first.ask('job/tick', { type: 'job.register', config });
      // There is no host, so no execution is done.
      for (let second = 0; second < 3; second++) await first.clock.advance(1_000);
      const stopping = first.runtime.stop(0);
      await first.clock.settle();
      await stopping;

      const next = await aRuntime({ store, at: BACK_AT, pool: false });
      await next.clock.advance(0);
      const entries = await store.occurrences({ job: 'tick', limit: 1_000 });
      // One that was replaced before it began is still one that its due time was given to.
      const given = entries.map(entry => (/^replaced by /.test(entry.reason ?? '') ? { ...entry, verdict: waits } : entry));
      expect(eachSecond(given, START + 1_000, BACK_AT)).toEqual([...before, ...missed, ...onTime]);
      // Each execution of the ledger exists, and each other entry has its reason.
      for (const { verdict, execution, reason } of entries) {
        if (verdict === 'waiting') expect(await store.load(`execution/${execution}`)).toBeDefined();
        else expect(reason).toBeTruthy();
      }
    },
  );
});

describe('a center of real processes that was down for 100 due times', () => {
  test('a center of real processes that was down for 100 due times gives each its verdict by overlap and misfire, and runs what the ledger says', async () => {
    const cluster = await aCluster();
    try {
      await cluster.startCenter();
      const names: string[] = [];
      for (const overlap of ['skip', 'queue', 'allow', 'replace'] as const) {
        for (const policy of ['skip', 'once', 'all'] as const) {
          const name = `${overlap}-${policy}`;
          names.push(name);
          // Not due before the center stops.
          const schedules = [{ type: 'cron', cron: '0 0 0 1 1 ? 2099' }];
          await cluster.call('POST', '/v1/jobs', {
            name,
            command: ['true'],
            schedules,
            overlap,
            misfire: { policy, limit: 10 },
            misfireGraceMs: 1_000,
          });
        }
      }
      await cluster.stopCenter();
      // Only the stored jobs have the length of the outage and its due times.
      const store = await createSqliteStore({ directory: join(cluster.directory, 'center') });
      const sinceOf = new Map<string, number>();
      for (const name of names) {
        const document = await store.load(`job/${name}`);
        if (!document) throw new Error(`job/${name} is not stored`);
        const state = decodeState(document) as StoredState & { snapshot: { context: { watermark: number; config: JobConfig } } };
        const { context } = state.snapshot;
        context.config.schedules = [{ type: 'cron', cron: '* * * * * ?' }];
        context.watermark -= 110_000;
        sinceOf.set(name, context.watermark);
        for (const timer of state.timers) timer.dueAt = context.watermark;
        await store.commit([
          {
            document: {
              ...document,
              rev: document.rev + 1,
              nextDue: context.watermark,
              writeId: `back ${name}`,
              state: encodeState(document.address, state),
            },
            facts: [],
          },
        ]);
      }
      await store.close();

      await cluster.startCenter();
      for (const name of names) {
        await until(`${name} has settled its past`, async () => (await cluster.all(`/v1/jobs/${name}/occurrences`)).length >= 100);
        await cluster.call('POST', `/v1/jobs/${name}/disable`);
      }
      cluster.startAgent('a1');
      for (const name of names) {
        const ledger = await cluster.all<{ dueAt: string; verdict: string; execution: string | null }>(`/v1/jobs/${name}/occurrences`);
        const dues = ledger.map(each => Date.parse(each.dueAt)).toSorted((a, b) => a - b);
        const since = Math.floor((sinceOf.get(name) ?? 0) / 1_000) * 1_000;
        expect(dues).toEqual(dues.map((_, place) => since + (place + 1) * 1_000));
        const executions = await cluster.all<Execution & { trigger: string }>(`/v1/executions?job=${name}`);
        const madeGood = executions.filter(each => each.trigger === 'misfire').map(each => each.id);
        const policy = name.split('-')[1] as 'skip' | 'once' | 'all';
        expect(madeGood).toHaveLength({ skip: 0, once: 1, all: 10 }[policy]);
        const verdicts = ledger.slice(0, 100).map(each => each.verdict);
        const cameOf = (verdict: string) => ['waiting', 'ran', 'notStarted'].includes(verdict);
        const ran = ledger.filter(each => cameOf(each.verdict)).map(each => each.execution);
        expect(verdicts.every(verdict => verdict === (policy === 'skip' ? 'missedDown' : 'coalesced') || cameOf(verdict))).toBe(true);
        expect(madeGood.every(id => ran.includes(id))).toBe(true);
        expect(executions.map(each => each.id).toSorted()).toEqual(ran.map(String).toSorted());
        await until(`${name} has nothing open`, async () =>
          (await cluster.all<Execution>(`/v1/executions?job=${name}`)).every(each => each.status === 'done'),
        );
      }
    } finally {
      await cluster.close();
    }
  }, 60_000);
});
