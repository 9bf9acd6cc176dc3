/** What passed while the center was down: every due time is accounted for. */
import { describe, expect, test } from 'bun:test';
import { createMemoryStore } from '../../src/store/memory.ts';
import { aJob } from '../support/builders.ts';
import { aWorld, START } from '../support/world.ts';

const HOUR = 3_600_000;

describe('a one second schedule whose center was stopped for an hour', () => {
  test('has 3,600 due times accounted for', async () => {
    const store = createMemoryStore();
    const before = await aWorld({ store });
    await before.ask('job/tick', {
      type: 'job.register',
      config: aJob({ name: 'tick', schedules: [{ type: 'cron', cron: '* * * * * ?' }] }),
    });
    const stopping = before.runtime.stop(0);
    await before.clock.settle();
    await stopping;

    const after = await aWorld({ store, at: START + HOUR, pool: false });
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
    expect(await store.summary({ job: 'tick' })).toEqual({ missedDown: 3_539, ran: 1, skippedOverlap: 60 });
  });
});
