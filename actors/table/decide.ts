/** What a table decides, event by event. */
import { type Decision, tell } from '../decision.ts';
import type { EventOf, JobEvent, TableEvent, TableFact } from '../types.ts';
import { allEntries, entryOf, noEntries, removeEntry } from './entries.ts';
import { createCandidates, propose, sameHosts, type Turn, turnOf } from './proposals.ts';
import type { TableContext, TableEntry, TableHost } from './types.ts';

type Decided = Decision<TableContext, TableFact>;
type Event<T extends TableEvent['type']> = EventOf<'table', T>;
export type TableDecider = (context: TableContext, event: never) => Decided;

/** Shards of one table; a job beyond has no row. The table is one document. */
export const SHARDS_MAX = 20_000;

const initialContext = (input: Event<'table.create'>): TableContext => ({
  pool: input.pool,
  version: 1,
  serial: 0,
  made: 0,
  shards: 0,
  hosts: {},
  keys: [],
  buckets: noEntries(),
  createdAt: input.at,
  updatedAt: input.at,
});

/** Ends a turn: one more version where rows changed. */
function ended({ context, effects, changed }: Turn, at: number): Decided {
  return { context: changed ? { ...context, version: context.version + 1, updatedAt: at } : context, effects };
}

const isSame = (a: TableHost, b: TableHost): boolean =>
  a.name === b.name &&
  a.hostname === b.hostname &&
  a.address === b.address &&
  a.state === b.state &&
  a.total.cpu === b.total.cpu &&
  a.total.memory === b.total.memory;

function hostChanged(context: TableContext, { host, at }: Event<'table.host'>): Decided {
  const known = context.hosts[host.id];
  if (known && isSame(known, host)) return {};
  const keys = known ? context.keys : [...context.keys, host.id];
  return ended(reckoned({ ...context, keys, hosts: { ...context.hosts, [host.id]: host } }), at);
}

function hostGone(context: TableContext, { host, at }: Event<'table.hostGone'>): Decided {
  const { [host]: known, ...hosts } = context.hosts;
  if (!known) return {};
  return ended(reckoned({ ...context, hosts, keys: context.keys.filter(key => key !== host) }), at);
}

/** The choice of every job, after hosts changed. */
function reckoned(context: TableContext): Turn {
  const candidatesOf = createCandidates(context);
  let turn = turnOf(context);
  for (const entry of allEntries(context)) turn = propose(turn, entry, entry, candidatesOf(entry));
  return turn;
}

/** A job is sticky in this pool, or its claim changed. Idempotent. */
function claimed(context: TableContext, { claim, hosts, at }: Event<'table.claim'>): Decided {
  const before = entryOf(context, claim.job);
  const shards = context.shards - (before?.shards ?? 0) + claim.shards;
  if (shards > SHARDS_MAX) return overLimit(context, claim.job, before, at);
  // What the job has is true; a proposal that it has not taken is made again.
  const taken = hosts?.length === claim.shards ? hosts : null;
  const entry: TableEntry = { ...claim, hosts: taken, proposed: null, closed: [], reason: null, made: before?.made ?? 0 };
  return ended(propose(turnOf({ ...context, shards }), entry, before, createCandidates(context)(entry)), at);
}

function overLimit(context: TableContext, job: string, before: TableEntry | undefined, at: number): Decided {
  const without = removed(turnOf(context), before);
  const serial = context.serial + 1;
  const reason = `the table of pool ${context.pool} is full: it has ${without.context.shards} shards, the limit is ${SHARDS_MAX}`;
  const event = { type: 'job.propose', pool: context.pool, serial, hosts: null, name: null, closed: [], reason } satisfies JobEvent;
  return ended({ ...without, context: { ...without.context, serial }, effects: [tell(`job/${job}`, event)] }, at);
}

function removed(turn: Turn, entry: TableEntry | undefined): Turn {
  if (!entry) return turn;
  const context = { ...removeEntry(turn.context, entry.job), shards: turn.context.shards - entry.shards };
  return { ...turn, context, changed: turn.changed || entry.hosts !== null };
}

const released = (context: TableContext, { job, at }: Event<'table.release'>): Decided => dropped(context, job, at);

function dropped(context: TableContext, job: string, at: number): Decided {
  const entry = entryOf(context, job);
  return entry ? ended(removed(turnOf(context), entry), at) : {};
}

/** The job has taken these hosts. */
function moved(context: TableContext, { job, hosts, at }: Event<'table.moved'>): Decided {
  const entry = entryOf(context, job);
  if (!entry || hosts.length !== entry.shards) return {};
  const proposed = sameHosts(entry.proposed, hosts) ? null : entry.proposed;
  const next = { ...entry, hosts, proposed };
  return ended(propose(turnOf(context), next, entry, createCandidates(context)(next)), at);
}

/** A job that does not exist has no row. */
const missing = (context: TableContext, event: Event<'actor.missing'>): Decided =>
  event.to.startsWith('job/') ? dropped(context, event.to.slice('job/'.length), event.at) : {};

/** The check of the table found a difference: those who own the truth send it again. */
function repaired(context: TableContext, { job, reason }: Event<'table.repair'>): Decided {
  const { pool } = context;
  return {
    effects: [job === null ? tell(`pool/${pool}`, { type: 'pool.describe' }) : tell(`job/${job}`, { type: 'job.claimAgain' })],
    facts: [{ type: 'table.repaired', pool, job, reason }],
  };
}

/** Accepted without a change. (Without an action XState would refuse it.) */
const deleted = (): Decided => ({});

export const tableDecisions = { initialContext, hostChanged, hostGone, claimed, released, moved, missing, repaired, deleted };
