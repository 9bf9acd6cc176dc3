/** What a pool decides, event by event. Whatever frees or adds room ends with another look at the requests that wait. */
import type { Decision } from './decide.ts';
import { freeOf, type LedgerHost, type Placed, place, release, reserve, type RoomRequest } from './placement.ts';
import type { PoolContext, PoolEvent, PoolFact } from './pool.ts';
import { type Effect, type RunName, runKey, type Stamped, tell } from './vocabulary.ts';

type Decided = Decision<PoolContext, PoolFact>;
type Event<T extends PoolEvent['type']> = Stamped<Extract<PoolEvent, { type: T }>>;
export type PoolDecider = (context: PoolContext, event: never) => Decided;

/** Hosts of one pool; a further one is passed over and gets no work. Larger fleets use several pools. */
export const HOSTS_MAX = 1000;
/** Runs of all requests that wait, each request counted as REQUEST_WEIGHT further ones; one beyond is sent back and asks again later. The ledger is one document. */
export const WAITING_MAX = 100_000;
export const REQUEST_WEIGHT = 20;
/** Waiting requests looked at when room appears; those behind them are looked at when these are placed. */
export const WAITING_LOOK = 200;

export const created = (context: PoolContext): Decided => ({ facts: [{ type: 'pool.created', pool: context.config.name }] });

export const modified = (context: PoolContext, event: Event<'pool.modify'>): Decided => ({
  context: { config: { ...context.config, ...event.changes }, updatedAt: event.at },
  facts: [{ type: 'pool.modified', pool: context.config.name }],
});

/** The placement as the execution hears it. */
function placedNews(context: PoolContext, execution: string, placed: Placed[], reason: string | null): Effect {
  const placements = placed.map(each => ({ ...each, hostName: context.hosts[each.host]?.name ?? each.host }));
  return tell(`execution/${execution}`, { type: 'execution.placed', placements, reason });
}

function taken(context: PoolContext, request: RoomRequest, placed: Placed[]): PoolContext {
  const hosts = { ...context.hosts };
  for (const { item, attempt, host } of placed) {
    const there = hosts[host];
    if (there) hosts[host] = reserve(there, { execution: request.execution, item, attempt }, request);
  }
  return { ...context, hosts };
}

/** Shards that run in one pool at a time: its ledger is one document. Further ones wait. */
export const RESERVED_MAX = 20_000;

/** Places what fits of the request and says so to its execution; `rest` is what still waits. */
export function attempt(
  context: PoolContext,
  request: RoomRequest,
): { context: PoolContext; effects: Effect[]; facts: PoolFact[]; rest: RoomRequest | null; reason: string } {
  const found = place(Object.values(context.hosts), request);
  const held = Object.values(context.hosts).reduce((sum, host) => sum + Object.keys(host.reservations).length, 0);
  if (held + found.placed.length > RESERVED_MAX) {
    const reason = `pool ${context.config.name} holds ${held} running shards, the limit is ${RESERVED_MAX}`;
    return { context, effects: [], facts: [], rest: request, reason };
  }
  if (found.missing > 0 && !(request.partial && found.placed.length > 0)) {
    return { context, effects: [], facts: [], rest: request, reason: found.reason ?? '' };
  }
  const next = taken(context, request, found.placed);
  const done = new Set(found.placed.map(each => each.item));
  const runs = request.runs.filter(run => !done.has(run.item));
  return {
    context: next,
    effects: [placedNews(next, request.execution, found.placed, found.reason)],
    facts: [{ type: 'pool.placed', pool: context.config.name, execution: request.execution, placed: found.placed }],
    rest: runs.length > 0 ? { ...request, runs } : null,
    reason: found.reason ?? '',
  };
}

export function reserved(context: PoolContext, event: Event<'pool.reserve'>): Decided {
  const request = unknownPart(context, event.request);
  if (!request) return {};
  const tried = attempt(context, request);
  if (!tried.rest) return tried;
  if (weightOf(tried.rest) + context.waiting.reduce((sum, each) => sum + weightOf(each.request), 0) > WAITING_MAX) {
    const reason = `${tried.reason}; as many shards wait in pool ${context.config.name} as it can hold`;
    return { ...tried, effects: [...tried.effects, tell(`execution/${request.execution}`, { type: 'execution.noRoom', reason })] };
  }
  return {
    context: { ...tried.context, waiting: [...tried.context.waiting, { request: tried.rest, since: event.at, reason: tried.reason }] },
    effects: [...tried.effects, tell(`execution/${request.execution}`, { type: 'execution.waiting', reason: tried.reason })],
    facts: [...tried.facts, { type: 'pool.waiting', pool: context.config.name, execution: request.execution, reason: tried.reason }],
  };
}

const weightOf = (request: RoomRequest): number => REQUEST_WEIGHT + request.runs.length;

/** The runs of the request that neither hold room nor wait for it. */
function unknownPart(context: PoolContext, request: RoomRequest): RoomRequest | null {
  const waiting = new Set(
    context.waiting
      .filter(each => each.request.execution === request.execution)
      .flatMap(each => each.request.runs.map(run => runKey({ execution: request.execution, ...run }))),
  );
  const hosts = Object.values(context.hosts);
  const runs = request.runs.filter(run => {
    const key = runKey({ execution: request.execution, ...run });
    return !waiting.has(key) && !hosts.some(host => host.reservations[key]);
  });
  return runs.length > 0 ? { ...request, runs } : null;
}

/** Room may have appeared: the waiting requests, oldest first; a large one that does not fit does not hold up a small one that does. */
export function served(context: PoolContext, effects: Effect[] = [], facts: PoolFact[] = []): Decided {
  if (context.waiting.length === 0) return { context, effects, facts };
  let next = context;
  const waiting: PoolContext['waiting'] = [];
  for (const [place, entry] of context.waiting.entries()) {
    if (place >= WAITING_LOOK || !hasAnyRoom(next)) {
      waiting.push(entry);
      continue;
    }
    const tried = attempt(next, entry.request);
    next = tried.context;
    effects.push(...tried.effects);
    facts.push(...tried.facts);
    if (!tried.rest) continue;
    waiting.push(
      tried.reason === entry.reason && tried.rest === entry.request ? entry : { ...entry, request: tried.rest, reason: tried.reason },
    );
    if (tried.reason !== entry.reason) {
      effects.push(tell(`execution/${entry.request.execution}`, { type: 'execution.waiting', reason: tried.reason }));
    }
  }
  return { context: { ...next, waiting }, effects, facts };
}

const hasAnyRoom = (context: PoolContext): boolean =>
  Object.values(context.hosts).some(host => {
    const free = freeOf(host);
    return host.open && free.cpu >= 0 && free.memory >= 0;
  });

export function released(context: PoolContext, event: Event<'pool.release'>): Decided {
  const keys = event.runs.map(runKey);
  const hosts = { ...context.hosts };
  for (const [id, host] of Object.entries(hosts)) {
    let next = host;
    for (const key of keys) next = release(next, key);
    hosts[id] = next;
  }
  return served({ ...context, hosts });
}

export function withdrawn(context: PoolContext, event: Event<'pool.withdraw'>): Decided {
  return served({ ...context, waiting: context.waiting.filter(each => each.request.execution !== event.execution) });
}

export function hostReady(context: PoolContext, event: Event<'pool.hostReady'>): Decided {
  const known = context.hosts[event.host];
  if (!known && Object.keys(context.hosts).length >= HOSTS_MAX) return {};
  const total = { cpu: Math.round(event.cpus * 1000), memory: Math.round(event.memoryMB * 1000) };
  const host: LedgerHost = known
    ? { ...known, name: event.name, total, open: event.open }
    : { id: event.host, name: event.name, total, open: event.open, reservations: {}, apps: {}, used: { cpu: 0, memory: 0 } };
  return served({ ...context, hosts: { ...context.hosts, [event.host]: host } }, reconciled(host, event.runs, event.session));
}

/** What the agent runs and the ledger do not agree on: the executions concerned decide. */
function reconciled(host: LedgerHost, runs: RunName[], session: string): Effect[] {
  const there = new Set(runs.map(runKey));
  const effects: Effect[] = [];
  for (const [execution, strays] of byExecution(runs.filter(run => !host.reservations[runKey(run)]))) {
    effects.push(tell(`execution/${execution}`, { type: 'shard.stray', host: host.id, runs: strays }));
  }
  const unaccounted = Object.values(host.reservations)
    .map(each => each.run)
    .filter(run => !there.has(runKey(run)));
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

export const hostOpen = (context: PoolContext, event: Event<'pool.hostOpen'>): Decided =>
  served(withHost(context, event.host, { open: event.open }));
export const hostAway = (context: PoolContext, event: Event<'pool.hostAway'>): Decided => ({
  context: withHost(context, event.host, { open: false }),
});

export function hostLost(context: PoolContext, event: Event<'pool.hostLost'>): Decided {
  const host = context.hosts[event.host];
  if (!host) return {};
  const effects: Effect[] = [];
  for (const [execution, runs] of byExecution(Object.values(host.reservations).map(each => each.run))) {
    effects.push(tell(`execution/${execution}`, { type: 'shard.lost', host: host.id, runs, reason: event.reason }));
  }
  return { context: withHost(context, event.host, { open: false, reservations: {}, apps: {}, used: { cpu: 0, memory: 0 } }), effects };
}

export function hostGone(context: PoolContext, event: Event<'pool.hostGone'>): Decided {
  const { [event.host]: _, ...hosts } = context.hosts;
  return { context: { hosts } };
}

/** An execution that is not there any more holds nothing. */
export function missing(context: PoolContext, event: Event<'actor.missing'>): Decided {
  if (!event.to.startsWith('execution/')) return {};
  const execution = event.to.slice('execution/'.length);
  const runs = Object.values(context.hosts)
    .flatMap(host => Object.values(host.reservations))
    .map(each => each.run)
    .filter(run => run.execution === execution);
  const waiting = context.waiting.filter(each => each.request.execution !== execution);
  return released({ ...context, waiting }, { ...event, type: 'pool.release', runs });
}

/** Who waits here would wait for ever: they hear it, and ask again later, should there be a pool of this name then. */
export const deleted = (context: PoolContext): Decided => ({
  context: { waiting: [] },
  effects: context.waiting.map(({ request }) =>
    tell(`execution/${request.execution}`, { type: 'execution.noRoom', reason: `pool ${context.config.name} was deleted` }),
  ),
  facts: [{ type: 'pool.deleted', pool: context.config.name }],
});
