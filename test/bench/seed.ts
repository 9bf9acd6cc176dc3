/**
 * Fills a store with what a center would have written, without the years it would take: every document and fact is made by the runtime's own `createLife` from
 * the machines' own decisions, event by event; only the way there is shorter. An actor is written once, at the end of what is played (so its `rev` is 1),
 * and what it owed counts as carried out.
 */
import type { EndedNews, ExecutionEvent } from '../../actors/execution.ts';
import type { JobConfig } from '../../actors/config.ts';
import { systemIds } from '../../src/ids.ts';
import { createLife } from '../../src/runtime/life.ts';
import type { Store, Write } from '../../src/store/store.ts';

const BATCH = 2_000;
const NONE: ReadonlySet<string> = new Set();

interface Step {
  at: number;
  event: { type: string };
}

/** What stands in the store after these events. `facts: false` leaves history out, for stores that are about something else. */
export function played(address: string, steps: Step[], { facts = true } = {}): Write {
  const life = createLife(address, undefined);
  for (const { at, event } of steps) {
    const taken = life.take({ kind: 'tell', event, origin: null }, { at, chance: 0.5, salt: '000000' });
    if (taken.result !== 'done') throw new Error(`${address} does not take ${event.type}: ${taken.result}`);
  }
  const write = life.write(systemIds.short(16), NONE);
  if (!write) throw new Error(`nothing came of ${address}`);
  return { document: { ...write.document, owed: '[]' }, facts: facts ? write.facts : [] };
}

export async function fill(store: Store, count: number, write: (place: number) => Write): Promise<void> {
  let batch: Write[] = [];
  for (let place = 0; place < count; place++) {
    batch.push(write(place));
    if (batch.length === BATCH || place === count - 1) {
      const results = await store.commit(batch);
      if (!results.every(({ committed }) => committed)) throw new Error('the store has some of these already');
      batch = [];
    }
  }
}

export const aRegistered = (config: JobConfig, at: number): Write =>
  played(`job/${config.name}`, [{ at, event: { type: 'job.register', config } as Step['event'] }]);

/** One execution from birth to end, a second long, on one host. `outcome` null: it still runs. */
export function anExecution({
  config,
  at,
  host,
  outcome,
}: {
  config: JobConfig;
  at: number;
  host: { id: string; name: string };
  outcome: EndedNews['outcome'] | null;
}): Write {
  const id = `${config.name}@${new Date(at).toISOString().replace(/[-:]/g, '')}`;
  const run = { item: 0, attempt: 1, host: host.id };
  const events: (ExecutionEvent & { at: number })[] = [
    { type: 'execution.create', id, trigger: 'schedule', dueAt: at, config, app: null, retryOf: null, hold: null, at },
    { type: 'execution.placed', placements: [{ ...run, hostName: host.name }], reason: null, at: at + 5 },
    { type: 'shard.started', ...run, startedAt: at + 10, pid: 4_711, session: 's', at: at + 12 },
  ];
  if (outcome) {
    events.push({
      type: 'shard.ended',
      ...run,
      outcome,
      exitCode: outcome === 'succeeded' ? 0 : outcome === 'failed' ? 1 : null,
      signal: null,
      startedAt: at + 10,
      finishedAt: at + 1_010,
      reason: null,
      output: { stdoutBytes: 120, stderrBytes: 0, leftOutBytes: 0 },
      at: at + 1_012,
    });
  }
  return played(
    `execution/${id}`,
    events.map(({ at, ...event }) => ({ at, event })),
    { facts: false },
  );
}
