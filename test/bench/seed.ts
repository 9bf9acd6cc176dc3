/**
 * Fills a store with the documents and facts of years, in minutes. The runtime's own actor state
 * makes them from the decisions of the machines, event by event (`played`). A million are copies of
 * one that was played, with other names and instants. Each CHECKth is played as well, and must
 * equal its copy. An actor is written once, at the end (so its `rev` is 1), and its effects count
 * as carried out.
 */
import { isDeepStrictEqual } from 'node:util';
import type { RunEnd } from '../../actors/execution/types.ts';
import { nextAtOf } from '../../actors/job/due-times.ts';
import { runConfigOf } from '../../actors/job/run-config.ts';
import type { JobConfig } from '../../actors/job/types.ts';
import type { ExecutionEvent } from '../../actors/types.ts';
import { systemIds } from '../../src/lib/ids.ts';
import { createActorState } from '../../src/runtime/actor-state.ts';
import { encodeState, type StoredState } from '../../src/runtime/document.ts';
import { partitionOf } from '../../src/runtime/partition.ts';
import type { Write } from '../../src/store/port.ts';
import { aJob } from '../support/builders.ts';

const CHECK = 1_009;
const NONE: ReadonlySet<string> = new Set();

interface Step {
  at: number;
  event: { type: string };
}

/** What stands in the store after these events. */
export function played(address: string, steps: Step[]): Write {
  const life = createActorState(address, undefined);
  for (const { at, event } of steps) {
    const taken = life.take({ kind: 'tell', event, origin: null }, { at, chance: 0.5, salt: '000000' });
    if (taken.result !== 'done') throw new Error(`${address} does not take ${event.type}: ${taken.result}`);
  }
  const write = life.write(systemIds.short(16), NONE);
  if (!write) throw new Error(`nothing came of ${address}`);
  return { document: { ...write.document, pendingEffects: '[]' }, facts: write.facts };
}

/**
 * Copies of `model` with each text of `marks` replaced by the one at the same index. Marks occur
 * nowhere else in it.
 */
function copier(
  { document: { state: stateText, ...document }, ...write }: Write,
  marks: string[],
): (texts: string[], again: () => Write) => Write {
  const whole = replacer(JSON.stringify({ ...write, document }), marks);
  // By itself: inside the other text it would be escaped once more, which takes half of the time.
  // Its checksum is that of what it was copied from.
  const { sum: _, ...model } = JSON.parse(stateText) as StoredState & { sum: string };
  const state = replacer(JSON.stringify(model), marks);
  let copies = 0;
  return (texts, again) => {
    const copy = JSON.parse(whole(texts)) as Write;
    copy.document.writeId = systemIds.short(16);
    copy.document.partition = partitionOf(copy.document.address);
    copy.document.state = encodeState(copy.document.address, JSON.parse(state(texts)) as StoredState);
    if (copies++ % CHECK === 0) mustEqual(copy, again());
    return copy;
  };
}

function replacer(text: string, marks: string[]): (texts: string[]) => string {
  const pieces = text.split(new RegExp(`(${marks.map(mark => mark.replace(/[.*+?]/g, '\\$&')).join('|')})`));
  const places = pieces.map(piece => marks.indexOf(piece));
  return texts => pieces.map((piece, place) => ((places[place] ?? -1) < 0 ? piece : texts[places[place] ?? 0])).join('');
}

function mustEqual(copy: Write, real: Write): void {
  const plain = ({ document, ...write }: Write) => ({ ...write, document: { ...document, writeId: '' } });
  if (!isDeepStrictEqual(plain(copy), plain(real))) {
    throw new Error(`a copy differs from what was played:\n${JSON.stringify(plain(copy))}\n${JSON.stringify(plain(real))}`);
  }
}

const EPOCH = Date.UTC(2001, 1, 3, 4, 5, 6, 789);
const YEARLY = '58 57 22 30 11 ?';

const registered = (config: JobConfig, at: number): Write =>
  played(`job/${config.name}`, [{ at, event: { type: 'job.register', config } as Step['event'] }]);

/** Registered jobs like `like`, by name and cron pattern (UTC). */
export function scheduledJobs(like: Partial<JobConfig>): (job: { name: string; cron: string; at: number }) => Write {
  const configOf = (name: string, cron: string) => aJob({ ...like, name, schedules: [{ type: 'cron', cron, timeZone: 'UTC' }] });
  const model = configOf('markOfName', YEARLY);
  const copy = copier(registered(model, EPOCH), ['markOfName', YEARLY, String(nextAtOf(model, EPOCH)), String(EPOCH)]);
  return ({ name, cron, at }) => {
    const config = configOf(name, cron);
    return copy([name, cron, String(nextAtOf(config, at)), String(at)], () => registered(config, at));
  };
}

interface Past {
  job: string;
  at: number;
  host: string;
}

/** Executions of one shard, a second long, from creation to this end (null: they still run). */
export function executionsOf(like: Partial<JobConfig>, outcome: RunEnd['outcome'] | null): (past: Past) => Write {
  const marked = { job: 'markOfJob', host: 'markOfHost', at: EPOCH };
  const instants = [0, 5, 10, 12, 1_010, 1_012];
  const textsOf = ({ job, host, at }: Past) => [
    job,
    host,
    compact(at),
    new Date(at).toISOString(),
    ...instants.map(later => String(at + later)),
  ];
  const play = (past: Past): Write => execution({ ...past, outcome, config: aJob({ ...like, name: past.job }) });
  const copy = copier(play(marked), textsOf(marked));
  return past => copy(textsOf(past), () => play(past));
}

const compact = (at: number): string => new Date(at).toISOString().replace(/[-:]/g, '');

function execution({ config, at, host, outcome }: Omit<Past, 'job'> & { config: JobConfig; outcome: RunEnd['outcome'] | null }): Write {
  const id = `${config.name}@${compact(at)}`;
  const run = { item: 0, attempt: 1, host };
  const events: (ExecutionEvent & { at: number })[] = [
    {
      type: 'execution.create',
      id,
      trigger: 'schedule',
      dueAt: at,
      config: runConfigOf(config),
      app: null,
      retryOf: null,
      blockedReason: null,
      at,
    },
    { type: 'execution.placed', placements: [{ ...run, hostName: host }], reason: null, at: at + 5 },
    { type: 'shard.started', ...run, startedAt: at + 10, pid: 4_711, session: 1, at: at + 12 },
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
      output: { stdoutBytes: 120, stderrBytes: 0 },
      at: at + 1_012,
    });
  }
  return played(
    `execution/${id}`,
    events.map(({ at, ...event }) => ({ at, event })),
  );
}
