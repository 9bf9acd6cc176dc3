/**
 * What a pool decides, event by event. Every event that frees or adds capacity ends with a pass
 * over the waiting requests.
 */
import { claimOf, createdBy, type Decision, tell, updatedBy } from '../decision.ts';
import { runKeyOf } from '../execution/run-spec.ts';
import type { RunName } from '../execution/types.ts';
import type { Effect, EventOf, ExecutionEvent, PoolEvent, PoolFact } from '../types.ts';
import { namedBy } from './admission.ts';
import { release, withHost } from './ledger.ts';
import { closesHostNotices, hostNotice } from './notices.ts';
import { createTable, deleteTable, described, goneFromTable, toTable } from './tables.ts';
import { hostRecovered, recovered, refused, trialDue, withoutTrial } from './trials.ts';
import type { LedgerHost, PoolContext } from './types.ts';
import { continuePass, placeWaiting, tryPlace, unknownPart, WAITING_RUNS_MAX, weightOf } from './waiting.ts';

type Decided = Decision<PoolContext, PoolFact>;
type Event<T extends PoolEvent['type']> = EventOf<'pool', T>;
export type PoolDecider = (context: PoolContext, event: never) => Decided;

/** Hosts of one pool; a further one is rejected. Larger fleets use several pools. */
export const HOSTS_MAX = 1000;

const initialContext = (input: Event<'pool.create'>): PoolContext => ({
  config: input.config,
  hosts: {},
  waiting: [],
  pass: null,
  ...claimOf(input),
  createdAt: input.at,
  updatedAt: input.at,
  ...createdBy(input),
});

const created = (context: PoolContext): Decided => ({
  effects: [createTable(context)],
  facts: [{ type: 'pool.created', pool: context.config.name }],
});

function modified(context: PoolContext, event: Event<'pool.modify'>): Decided {
  const next = { ...context, config: { ...context.config, ...event.changes }, updatedAt: event.at, ...updatedBy(event) };
  const facts: PoolFact[] = [{ type: 'pool.modified', pool: context.config.name }];
  return event.changes.servers === undefined ? { context: next, facts } : judged(next, event.at, [], facts);
}

/** Why a host is excluded, as the end of "host x ...". */
const NOT_NAMED = 'is not among the servers of its pool';

/** Judges every host by the servers of the pool. */
function judged(context: PoolContext, at: number, effects: Effect[], facts: PoolFact[]): Decided {
  const isNamed = namedBy(context.config.servers);
  const hosts = { ...context.hosts };
  const next: PoolContext = { ...context, hosts };
  for (const before of Object.values(context.hosts)) {
    const host = admitted(before, isNamed(before));
    if (host.excluded === before.excluded) continue;
    hosts[host.id] = host;
    facts.push(admissionFact(context, host));
    effects.push(...toTable(next, host.id), ...(host.excluded ? withdrawals(host, NOT_NAMED) : []));
  }
  return placeWaiting(next, at, effects, facts);
}

function admitted(host: LedgerHost, isNamed: boolean): LedgerHost {
  const { excluded: _, ...rest } = host;
  return isNamed ? rest : { ...rest, excluded: true };
}

const admissionFact = (context: PoolContext, { id, name, excluded }: LedgerHost): PoolFact => ({
  type: excluded ? 'pool.hostExcluded' : 'pool.hostAdmitted',
  pool: context.config.name,
  host: id,
  name,
});

function reserved(context: PoolContext, event: Event<'pool.reserve'>): Decided {
  const request = unknownPart(context, event.request);
  if (!request) return {};
  const tried = tryPlace(context, request);
  if (!tried.rest) return tried;
  if (weightOf(tried.rest) + context.waiting.reduce((sum, each) => sum + weightOf(each.request), 0) > WAITING_RUNS_MAX) {
    const reason = `${tried.reason}; pool ${context.config.name} is at its limit of waiting shards`;
    return { ...tried, effects: [...tried.effects, tell(`execution/${request.execution}`, { type: 'execution.noCapacity', reason })] };
  }
  return {
    context: { ...tried.context, waiting: [...tried.context.waiting, { request: tried.rest, since: event.at, reason: tried.reason }] },
    effects: [...tried.effects, tell(`execution/${request.execution}`, { type: 'execution.waiting', reason: tried.reason })],
    facts: [...tried.facts, { type: 'pool.waiting', pool: context.config.name, execution: request.execution, reason: tried.reason }],
  };
}

function released(context: PoolContext, event: Event<'pool.release'>): Decided {
  const keys = event.runs.map(runKeyOf);
  const hosts = { ...context.hosts };
  for (const [id, host] of Object.entries(hosts)) {
    let next = host;
    for (const key of keys) next = release(next, key);
    hosts[id] = withoutTrial(next);
  }
  const next = { ...context, hosts };
  return event.refused ? refused(next, event.refused, event.at) : placeWaiting(next, event.at);
}

function withdrawn(context: PoolContext, event: Event<'pool.withdraw'>): Decided {
  return placeWaiting({ ...context, waiting: context.waiting.filter(each => each.request.execution !== event.execution) }, event.at);
}

function hostReady(context: PoolContext, event: Event<'pool.hostReady'>): Decided {
  const known = context.hosts[event.host];
  if (!known && Object.keys(context.hosts).length >= HOSTS_MAX) {
    const reason = `pool ${context.config.name} has ${HOSTS_MAX} hosts, which is its limit`;
    return { effects: [tell(`host/${event.host}`, { type: 'host.rejectedByPool', session: event.session, reason })] };
  }
  const total = { cpu: Math.round(event.cpus * 1000), memory: Math.round(event.memoryMB * 1000) };
  const { name, hostname, address, open } = event;
  // A new session may have ended the fault: the host is tried at once.
  const ready: LedgerHost = known
    ? {
        ...known,
        ...{ name, hostname, address, total, open },
        ...(known.refusing && { refusing: { ...known.refusing, until: null, trial: null } }),
      }
    : { id: event.host, name, hostname, address, total, open, reservations: {}, apps: {}, used: { cpu: 0, memory: 0 } };
  const { away: _, lost: wasLost, ...present } = admitted(ready, namedBy(context.config.servers)(ready));
  const host: LedgerHost = present;
  const notice = known && !wasLost ? undefined : hostNotice(context, wasLost ? 'hostReturned' : 'hostJoined', host, event.at);
  const next = { ...context, ...notice?.context, hosts: { ...context.hosts, [event.host]: host } };
  const effects = [...toTable(next, host.id), ...reconciled(host, event.runs, event.session), ...(notice?.effects ?? [])];
  const facts = host.excluded === known?.excluded ? [] : [admissionFact(context, host)];
  if (host.excluded) return placeWaiting(next, event.at, [...effects, ...withdrawals(host, NOT_NAMED)], facts);
  return event.open ? placeWaiting(next, event.at, effects, facts) : drained(next, host, event.at, effects, facts);
}

/** Differences between the agent's runs and the ledger, sent to the executions, which decide. */
function reconciled(host: LedgerHost, runs: RunName[], session: number): Effect[] {
  const there = new Set(runs.map(runKeyOf));
  const effects: Effect[] = [];
  for (const [execution, unknownRuns] of byExecution(runs.filter(run => !host.reservations[runKeyOf(run)]))) {
    effects.push(tell(`execution/${execution}`, { type: 'shard.unknownRun', host: host.id, runs: unknownRuns }));
  }
  const unaccounted = Object.values(host.reservations)
    .map(each => each.run)
    .filter(run => !there.has(runKeyOf(run)));
  for (const [execution, absent] of byExecution(unaccounted)) {
    effects.push(tell(`execution/${execution}`, { type: 'shard.unaccounted', host: host.id, runs: absent, session }));
  }
  return effects;
}

function byExecution(runs: RunName[]): Map<string, RunName[]> {
  const grouped = new Map<string, RunName[]>();
  for (const run of runs) grouped.set(run.execution, [...(grouped.get(run.execution) ?? []), run]);
  return grouped;
}

function hostOpen(context: PoolContext, event: Event<'pool.hostOpen'>): Decided {
  const next = withHost(context, event.host, { open: event.open });
  const host = next.hosts[event.host];
  const effects = toTable(next, event.host);
  return event.open || !host ? placeWaiting(next, event.at, effects) : drained(next, host, event.at, effects);
}

/** The host takes nothing new. Runs that have begun may finish; others are withdrawn. */
const drained = (context: PoolContext, host: LedgerHost, at: number, effects: Effect[], facts: PoolFact[] = []): Decided =>
  placeWaiting(context, at, [...effects, ...withdrawals(host, 'drains')], facts);

/** `why`: the end of "host x ...". */

const withdrawals = (host: LedgerHost, why: string): Effect[] =>
  [...byExecution(Object.values(host.reservations).map(each => each.run))].map(([execution, runs]) =>
    tell(`execution/${execution}`, { type: 'shard.withdraw', host: host.id, runs, reason: `host ${host.name} ${why}` }),
  );

/** A host that drains stays closed. */
function hostDisconnected(context: PoolContext, event: Event<'pool.hostDisconnected'>): Decided {
  const next = withHost(context, event.host, { open: false, ...(context.hosts[event.host]?.open && { away: true }) });
  return { context: next, effects: toTable(next, event.host) };
}

function hostLost(context: PoolContext, event: Event<'pool.hostLost'>): Decided {
  const host = context.hosts[event.host];
  if (!host) return {};
  const effects: Effect[] = [];
  for (const [execution, runs] of byExecution(Object.values(host.reservations).map(each => each.run))) {
    effects.push(tell(`execution/${execution}`, { type: 'shard.lost', host: host.id, runs, reason: event.reason }));
  }
  const { away: _, ...rest } = recovered(host);
  const emptied: LedgerHost = { ...rest, lost: true, open: false, reservations: {}, apps: {}, used: { cpu: 0, memory: 0 } };
  // One that an operator removes is not missed.
  const notice = event.isRetired || host.lost ? undefined : hostNotice(context, 'hostLost', host, event.at);
  const next = { ...context, ...notice?.context, hosts: { ...context.hosts, [event.host]: emptied } };
  return placeWaiting(next, event.at, [...toTable(next, event.host), ...effects, ...(notice?.effects ?? [])]);
}

function hostRemoved(context: PoolContext, event: Event<'pool.hostRemoved'>): Decided {
  const { [event.host]: _, ...hosts } = context.hosts;
  return placeWaiting({ ...context, hosts }, event.at, [goneFromTable(context, event.host)]);
}

const describe = (context: PoolContext): Decided => ({ effects: described(context) });

/**
 * Releases the reservations of an execution that no longer exists, and stops what a host still
 * runs for it.
 */
function missing(context: PoolContext, event: Event<'actor.missing'>): Decided {
  if (event.eventType === 'table.host') return describe(context);
  if (!event.to.startsWith('execution/')) return {};
  const execution = event.to.slice('execution/'.length);
  const runs = Object.values(context.hosts)
    .flatMap(host => Object.values(host.reservations))
    .map(each => each.run)
    .filter(run => run.execution === execution);
  const waiting = context.waiting.filter(each => each.request.execution !== execution);
  const freed = released({ ...context, waiting }, { ...event, type: 'pool.release', runs });
  if (event.event?.type !== 'shard.unknownRun') return freed;
  const { host, runs: unknownRuns } = event.event as Extract<ExecutionEvent, { type: 'shard.unknownRun' }>;
  const reason = 'its execution ended so long ago that it is no longer kept';
  const stops = unknownRuns.map((run): Effect => ({ type: 'stop', params: { host, run, as: 'superseded', reason } }));
  return { ...freed, effects: [...(freed.effects ?? []), ...stops] };
}

/** The waiting executions send their requests again later: a pool of this name may exist then. */
const deleted = (context: PoolContext): Decided => ({
  context: { waiting: [] },
  effects: [
    deleteTable(context),
    ...closesHostNotices(context),
    ...context.waiting.map(({ request }) =>
      tell(`execution/${request.execution}`, { type: 'execution.noCapacity', reason: `pool ${context.config.name} was deleted` }),
    ),
  ],
  facts: [{ type: 'pool.deleted', pool: context.config.name }],
});

export const poolDecisions = {
  initialContext,
  created,
  modified,
  reserved,
  continuePass,
  released,
  trialDue,
  hostRecovered,
  withdrawn,
  hostReady,
  hostOpen,
  hostDisconnected,
  hostLost,
  hostRemoved,
  describe,
  missing,
  deleted,
};
