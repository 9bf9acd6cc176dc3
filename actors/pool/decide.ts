/**
 * What a pool decides, event by event. Every event that frees or adds capacity ends with a pass
 * over the waiting requests.
 */
import { claimOf, type Decision, tell } from '../decision.ts';
import { runKeyOf } from '../execution/run-spec.ts';
import { cutJsonText } from '../execution/shard.ts';
import type { RunName } from '../execution/types.ts';
import type { Effect, EventOf, ExecutionEvent, PoolEvent, PoolFact } from '../types.ts';
import { freeOf, isOnTrial, ownOf, place, release, reserve, takesRuns } from './placement.ts';
import type { AllocatedHosts, HostRefusal, LedgerHost, PlacedRun, PoolContext, Refusing, ReservationRequest } from './types.ts';

type Decided = Decision<PoolContext, PoolFact>;
type Event<T extends PoolEvent['type']> = EventOf<'pool', T>;
export type PoolDecider = (context: PoolContext, event: never) => Decided;

/** Hosts of one pool; a further one is rejected. Larger fleets use several pools. */
export const HOSTS_MAX = 1000;
/**
 * Runs of all requests that wait, each request counted as REQUEST_WEIGHT further runs. A request
 * beyond is rejected and sent again later. The ledger is one document.
 */
export const WAITING_RUNS_MAX = 100_000;
export const REQUEST_WEIGHT = 20;
/** Failed placements per turn; the next turn continues behind them. */
export const PASS_TRIES_MAX = 200;
/** Shards with an allocated host; beyond, the oldest jobs lose their allocated hosts. */
const ALLOCATED_MAX = 20_000;

const initialContext = (input: Event<'pool.create'>): PoolContext => ({
  config: input.config,
  hosts: {},
  waiting: [],
  pass: null,
  allocatedHosts: {},
  ...claimOf(input),
  createdAt: input.at,
  updatedAt: input.at,
});

const created = (context: PoolContext): Decided => ({ facts: [{ type: 'pool.created', pool: context.config.name }] });

const modified = (context: PoolContext, event: Event<'pool.modify'>): Decided => ({
  context: { config: { ...context.config, ...event.changes }, updatedAt: event.at },
  facts: [{ type: 'pool.modified', pool: context.config.name }],
});

/** The placement as the execution receives it. */
function placedEvent(context: PoolContext, execution: string, placed: PlacedRun[], reason: string | null): Effect {
  const placements = placed.map(each => {
    const host = context.hosts[each.host];
    return { ...each, hostName: host?.name ?? each.host, ...(host?.refusing && { trial: true as const }) };
  });
  return tell(`execution/${execution}`, { type: 'execution.placed', placements, reason });
}

function withReservations(context: PoolContext, request: ReservationRequest, placed: PlacedRun[]): PoolContext {
  const hosts = { ...context.hosts };
  for (const { item, attempt, host } of placed) {
    const there = hosts[host];
    if (!there) continue;
    const tried = there.refusing && isOnTrial(there) ? { refusing: { ...there.refusing, trial: request.execution } } : {};
    hosts[host] = { ...reserve(there, { execution: request.execution, item, attempt }, request), ...tried };
  }
  return {
    ...context,
    hosts,
    ...(request.placement === 'sticky' ? { allocatedHosts: allocated(context.allocatedHosts, request.job, placed) } : {}),
  };
}

/** These shards are allocated to the hosts on which they were placed. */
function allocated(allocatedHosts: AllocatedHosts, job: string, placed: PlacedRun[]): AllocatedHosts {
  const own = ownOf(allocatedHosts, job) ?? {};
  if (placed.every(({ item, host }) => own[item] === host)) return allocatedHosts;
  const next: AllocatedHosts = {
    ...allocatedHosts,
    [job]: { ...own, ...Object.fromEntries(placed.map(({ item, host }) => [item, host])) },
  };
  let count = Object.values(next).reduce((sum, items) => sum + Object.keys(items).length, 0);
  for (const each of Object.keys(next)) {
    if (count <= ALLOCATED_MAX || each === job) break;
    count -= Object.keys(next[each] ?? {}).length;
    delete next[each];
  }
  return next;
}

/** No shard is allocated to this host any more: the next run of each may go anywhere. */
function withoutHost(allocatedHosts: AllocatedHosts, host: string): AllocatedHosts {
  if (!Object.values(allocatedHosts).some(items => Object.values(items).includes(host))) return allocatedHosts;
  const left = Object.entries(allocatedHosts).map(([job, items]) => [
    job,
    Object.fromEntries(Object.entries(items).filter(([, on]) => on !== host)),
  ]);
  return Object.fromEntries(left.filter(([, items]) => Object.keys(items as object).length > 0));
}

/** Reservations of one pool; further runs wait. The ledger is one document. */
const RESERVED_MAX = 20_000;

/** Places the part of the request that fits; `rest` still waits. */
export function tryPlace(
  context: PoolContext,
  request: ReservationRequest,
): { context: PoolContext; effects: Effect[]; facts: PoolFact[]; rest: ReservationRequest | null; reason: string } {
  const found = place(Object.values(context.hosts), request, context.allocatedHosts);
  const reservedCount = Object.values(context.hosts).reduce((sum, host) => sum + Object.keys(host.reservations).length, 0);
  if (reservedCount + found.placed.length > RESERVED_MAX) {
    const reason = `pool ${context.config.name} has ${reservedCount} running shards, the limit is ${RESERVED_MAX}`;
    return { context, effects: [], facts: [], rest: request, reason };
  }
  if (found.missing > 0 && !(request.partial && found.placed.length > 0)) {
    return { context, effects: [], facts: [], rest: request, reason: found.reason ?? '' };
  }
  const next = withReservations(context, request, found.placed);
  const done = new Set(found.placed.map(each => each.item));
  const runs = request.runs.filter(run => !done.has(run.item));
  return {
    context: next,
    effects: [placedEvent(next, request.execution, found.placed, found.reason)],
    facts: [{ type: 'pool.placed', pool: context.config.name, execution: request.execution, placed: found.placed }],
    rest: runs.length > 0 ? { ...request, runs } : null,
    reason: found.reason ?? '',
  };
}

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

const weightOf = (request: ReservationRequest): number => REQUEST_WEIGHT + request.runs.length;

/** The runs of the request that neither have a reservation nor wait for one. */
function unknownPart(context: PoolContext, request: ReservationRequest): ReservationRequest | null {
  const waiting = new Set(
    context.waiting
      .filter(each => each.request.execution === request.execution)
      .flatMap(each => each.request.runs.map(run => runKeyOf({ execution: request.execution, ...run }))),
  );
  const hosts = Object.values(context.hosts);
  const runs = request.runs.filter(run => {
    const key = runKeyOf({ execution: request.execution, ...run });
    return !waiting.has(key) && !hosts.some(host => host.reservations[key]);
  });
  return runs.length > 0 ? { ...request, runs } : null;
}

/**
 * A pass over the waiting requests, oldest first, after capacity may have appeared. A large request
 * that does not fit does not block a small one that does. After one has not fit, no other of its
 * size is tried. A pass with many failed sizes takes several turns, so that the head of the queue
 * does not starve the rest.
 */
export function placeWaiting(context: PoolContext, at: number, effects: Effect[] = [], facts: PoolFact[] = []): Decided {
  const passed = runPass(context, 0, effects, facts);
  // A pass that is not over goes on, and then starts once more from the head of the queue.
  if (context.pass) return { context: { ...passed.context, pass: { ...context.pass, again: true } }, effects, facts };
  return withPass(passed.context, passed.stoppedAt, false, at, effects, facts);
}

function continuePass(context: PoolContext, event: Event<'pool.continuePass'>): Decided {
  const effects: Effect[] = [];
  const facts: PoolFact[] = [];
  const from = Math.max(
    0,
    context.waiting.findIndex(each => each.request.execution === context.pass?.from),
  );
  const passed = runPass(context, from, effects, facts);
  const isOver = passed.stoppedAt === null && context.pass?.again === true;
  const next = isOver ? (passed.context.waiting[0]?.request.execution ?? null) : passed.stoppedAt;
  return withPass(passed.context, next, !isOver && context.pass?.again === true, event.at, effects, facts);
}

function withPass(context: PoolContext, from: string | null, again: boolean, at: number, effects: Effect[], facts: PoolFact[]): Decided {
  if (from === null) return { context: { ...context, pass: null }, effects, facts };
  const timers = [{ id: 'pass', dueAt: at, event: { type: 'pool.continuePass' } }];
  return { context: { ...context, pass: { from, again } }, effects, facts, timers };
}

/** One turn of a pass, beginning at index `from`; `stoppedAt`: the execution that is next. */
function runPass(
  context: PoolContext,
  from: number,
  effects: Effect[],
  facts: PoolFact[],
): { context: PoolContext; stoppedAt: string | null } {
  if (context.waiting.length <= from || !hasFreeCapacity(context)) return { context, stoppedAt: null };
  let next = context;
  let failedTries = 0;
  let stoppedAt: string | null = null;
  /** Size -> fewest shards of it that did not fit. */
  const tooLarge = new Map<string, number>();
  const waiting = context.waiting.slice(0, from);
  for (const entry of context.waiting.slice(from)) {
    const { request } = entry;
    const size = sizeOf(request);
    const wanted = request.partial ? 1 : request.runs.length;
    if (stoppedAt !== null || (tooLarge.get(size) ?? Number.POSITIVE_INFINITY) <= wanted) {
      waiting.push(entry);
      continue;
    }
    if (failedTries >= PASS_TRIES_MAX) {
      stoppedAt = request.execution;
      waiting.push(entry);
      continue;
    }
    const tried = tryPlace(next, request);
    next = tried.context;
    effects.push(...tried.effects);
    facts.push(...tried.facts);
    if (!tried.rest) continue;
    failedTries += 1;
    tooLarge.set(size, wanted);
    waiting.push(tried.reason === entry.reason && tried.rest === request ? entry : { ...entry, request: tried.rest, reason: tried.reason });
    if (tried.reason !== entry.reason) {
      effects.push(tell(`execution/${request.execution}`, { type: 'execution.waiting', reason: tried.reason }));
    }
  }
  return { context: { ...next, waiting }, stoppedAt };
}

/** Requests of one size cost the same everywhere; each sticky job prefers its own hosts. */
const sizeOf = ({ resources, app, placement, job }: ReservationRequest): string =>
  [
    resources.cpus,
    resources.memoryMB,
    app ? `${app.name} ${app.resources.cpus} ${app.resources.memoryMB}` : '',
    placement === 'sticky' ? job : '',
  ].join('|');

const hasFreeCapacity = (context: PoolContext): boolean =>
  Object.values(context.hosts).some(host => {
    const free = freeOf(host);
    return takesRuns(host) && free.cpu >= 0 && free.memory >= 0;
  });

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

/** From a refusal to the next try: doubles from the first to the last, ms. */
export const TRY_AGAIN_MS = 5_000;
export const TRY_AGAIN_MS_MAX = 300_000;

/** The execution that tried the host has left it without a start: another one may try it. */
function withoutTrial(host: LedgerHost): LedgerHost {
  const { refusing } = host;
  if (!refusing?.trial) return host;
  const isThere = Object.values(host.reservations).some(({ run }) => run.execution === refusing.trial);
  return isThere ? host : { ...host, refusing: { ...refusing, trial: null } };
}

/**
 * Longest reason of a host that refuses, characters of JSON: each waiting request repeats it, and
 * the ledger is one document.
 */
const REFUSAL_MAX = 300;

/** The host takes no new run for a while. Refusals of runs placed before that count once. */
function refused(context: PoolContext, { host: id, fault, reason: whole }: HostRefusal, at: number): Decided {
  const reason = cutJsonText(REFUSAL_MAX, whole);
  const host = context.hosts[id];
  if (!host) return placeWaiting(context, at);
  const before = host.refusing;
  if (before && before.until !== null) return placeWaiting(context, at);
  const tries = (before?.tries ?? 0) + 1;
  const until = at + Math.min(TRY_AGAIN_MS_MAX, TRY_AGAIN_MS * 2 ** Math.min(30, tries - 1));
  const refusing: Refusing = { fault, reason, since: before?.since ?? at, tries, until, trial: null };
  const next = { ...withHost(context, id, { refusing }), homes: withoutHost(context.allocatedHosts, id) };
  const fact: PoolFact = {
    ...{ type: 'pool.hostRefusing', pool: context.config.name, host: id, name: host.name },
    ...{ fault, reason, until: new Date(until).toISOString() },
  };
  return withTrials(placeWaiting(next, at, [], [fact]), next);
}

/** Arms the timer of the first host that is tried again. */
function withTrials(decided: Decided, { hosts }: Pick<PoolContext, 'hosts'>): Decided {
  const dueAt = firstTrial(hosts);
  return { ...decided, timers: [...(decided.timers ?? []), { id: 'trial', dueAt, event: { type: 'pool.trialDue' } }] };
}

function firstTrial(hosts: PoolContext['hosts']): number | null {
  const instants = Object.values(hosts).flatMap(({ refusing }) => (refusing?.until == null ? [] : [refusing.until]));
  return instants.length > 0 ? Math.min(...instants) : null;
}

function trialDue(context: PoolContext, event: Event<'pool.trialDue'>): Decided {
  // The timer was armed for the earliest. Its firing proves that the span is over; the wall clock
  // may have been set back.
  const due = Math.max(event.at, firstTrial(context.hosts) ?? event.at);
  const hosts = Object.fromEntries(
    Object.entries(context.hosts).map(([id, host]) => {
      const { refusing } = host;
      return [
        id,
        refusing && refusing.until !== null && refusing.until <= due ? { ...host, refusing: { ...refusing, until: null } } : host,
      ];
    }),
  );
  const next = { ...context, hosts };
  return withTrials(placeWaiting(next, event.at), next);
}

function hostRecovered(context: PoolContext, event: Event<'pool.hostRecovered'>): Decided {
  const host = context.hosts[event.host];
  if (!host?.refusing) return {};
  const fact: PoolFact = { type: 'pool.hostRecovered', pool: context.config.name, host: host.id, name: host.name };
  return placeWaiting({ ...context, hosts: { ...context.hosts, [host.id]: recovered(host) } }, event.at, [], [fact]);
}

const recovered = ({ refusing: _, ...host }: LedgerHost): LedgerHost => host;

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
  // A new session may have ended the fault: the host is tried at once.
  const host: LedgerHost = known
    ? {
        ...known,
        ...{ name: event.name, total, open: event.open },
        ...(known.refusing && { refusing: { ...known.refusing, until: null, trial: null } }),
      }
    : { id: event.host, name: event.name, total, open: event.open, reservations: {}, apps: {}, used: { cpu: 0, memory: 0 } };
  const next = { ...context, hosts: { ...context.hosts, [event.host]: host } };
  const effects = reconciled(host, event.runs, event.session);
  return event.open ? placeWaiting(next, event.at, effects) : drained(next, host, event.at, effects);
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

function withHost(context: PoolContext, id: string, change: Partial<LedgerHost>): PoolContext {
  const host = context.hosts[id];
  return host ? { ...context, hosts: { ...context.hosts, [id]: { ...host, ...change } } } : context;
}

function hostOpen(context: PoolContext, event: Event<'pool.hostOpen'>): Decided {
  const next = withHost(context, event.host, { open: event.open });
  const host = next.hosts[event.host];
  return event.open || !host ? placeWaiting(next, event.at) : drained(next, host, event.at);
}

/**
 * Runs that have begun may finish, others are withdrawn, and no shard of a sticky job is allocated
 * to the host any more.
 */
function drained(context: PoolContext, host: LedgerHost, at: number, effects: Effect[] = []): Decided {
  for (const [execution, runs] of byExecution(Object.values(host.reservations).map(each => each.run))) {
    effects.push(tell(`execution/${execution}`, { type: 'shard.withdraw', host: host.id, runs, reason: `host ${host.name} drains` }));
  }
  return placeWaiting({ ...context, allocatedHosts: withoutHost(context.allocatedHosts, host.id) }, at, effects);
}

const hostDisconnected = (context: PoolContext, event: Event<'pool.hostDisconnected'>): Decided => ({
  context: withHost(context, event.host, { open: false }),
});

function hostLost(context: PoolContext, event: Event<'pool.hostLost'>): Decided {
  const host = context.hosts[event.host];
  if (!host) return {};
  const effects: Effect[] = [];
  for (const [execution, runs] of byExecution(Object.values(host.reservations).map(each => each.run))) {
    effects.push(tell(`execution/${execution}`, { type: 'shard.lost', host: host.id, runs, reason: event.reason }));
  }
  const emptied: LedgerHost = { ...recovered(host), open: false, reservations: {}, apps: {}, used: { cpu: 0, memory: 0 } };
  const hosts = { ...context.hosts, [event.host]: emptied };
  return placeWaiting({ ...context, hosts, allocatedHosts: withoutHost(context.allocatedHosts, event.host) }, event.at, effects);
}

function hostRemoved(context: PoolContext, event: Event<'pool.hostRemoved'>): Decided {
  const { [event.host]: _, ...hosts } = context.hosts;
  return placeWaiting({ ...context, hosts, allocatedHosts: withoutHost(context.allocatedHosts, event.host) }, event.at);
}

/** The job is deregistered, or no longer sticky in this pool. */
function deallocate(context: PoolContext, event: Event<'pool.deallocate'>): Decided {
  if (!ownOf(context.allocatedHosts, event.job)) return {};
  const { [event.job]: _, ...allocatedHosts } = context.allocatedHosts;
  return { context: { allocatedHosts } };
}

/**
 * Releases the reservations of an execution that no longer exists, and stops what a host still
 * runs for it.
 */
function missing(context: PoolContext, event: Event<'actor.missing'>): Decided {
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
  effects: context.waiting.map(({ request }) =>
    tell(`execution/${request.execution}`, { type: 'execution.noCapacity', reason: `pool ${context.config.name} was deleted` }),
  ),
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
  deallocate,
  missing,
  deleted,
};
