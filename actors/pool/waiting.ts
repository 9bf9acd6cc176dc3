/** Requests that wait for capacity, and the passes over them. */
import { type Decision, tell } from '../decision.ts';
import { runKeyOf } from '../execution/run-spec.ts';
import type { Effect, EventOf, PoolEvent, PoolFact } from '../types.ts';
import { freeOf, isOnTrial, reserve, takesRuns } from './ledger.ts';
import { place } from './placement.ts';
import type { PlacedRun, PoolContext, ReservationRequest } from './types.ts';

type Decided = Decision<PoolContext, PoolFact>;
type Event<T extends PoolEvent['type']> = EventOf<'pool', T>;

/**
 * Runs of all requests that wait, each request counted as REQUEST_WEIGHT further runs. A request
 * beyond is rejected and sent again later. The ledger is one document.
 */
export const WAITING_RUNS_MAX = 100_000;
export const REQUEST_WEIGHT = 20;
/** Failed placements per turn; the next turn continues behind them. */
export const PASS_TRIES_MAX = 200;

/** Reservations of one pool; further runs wait. The ledger is one document. */
const RESERVED_MAX = 20_000;

export const weightOf = (request: ReservationRequest): number => REQUEST_WEIGHT + request.runs.length;

/** The runs of the request that neither have a reservation nor wait for one. */
export function unknownPart(context: PoolContext, request: ReservationRequest): ReservationRequest | null {
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

/** Places the part of the request that fits; `rest` still waits. */
export function tryPlace(
  context: PoolContext,
  request: ReservationRequest,
): { context: PoolContext; effects: Effect[]; facts: PoolFact[]; rest: ReservationRequest | null; reason: string } {
  const found = place(Object.values(context.hosts), request);
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
  return { ...context, hosts };
}

/**
 * A pass over the waiting requests, oldest first, after capacity may have appeared. A large request
 * that does not fit does not block a small one that does. After one has not fit, no other of its
 * size is tried. A pass with many failed sizes takes several turns, so that the head of the queue
 * does not starve the rest.
 */
export function placeWaiting(context: PoolContext, at: number, effects: Effect[] = [], facts: PoolFact[] = []): Decided {
  const passed = runPass(context, 0, effects, facts);
  // An unfinished pass continues, then starts again at the head of the queue.
  if (context.pass) return { context: { ...passed.context, pass: { ...context.pass, again: true } }, effects, facts };
  return withPass(passed.context, passed.stoppedAt, false, at, effects, facts);
}

export function continuePass(context: PoolContext, event: Event<'pool.continuePass'>): Decided {
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

/** Requests of one size cost the same everywhere; those of sticky jobs go to their own hosts. */
const sizeOf = ({ resources, app, placement, runs, servers = [] }: ReservationRequest): string =>
  [
    resources.cpus,
    resources.memoryMB,
    app ? `${app.name} ${app.resources.cpus} ${app.resources.memoryMB}` : '',
    placement === 'sticky' ? runs.map(({ host = '' }) => host).join() : '',
    servers.join(),
  ].join('|');

const hasFreeCapacity = (context: PoolContext): boolean =>
  Object.values(context.hosts).some(host => {
    const free = freeOf(host);
    return takesRuns(host) && free.cpu >= 0 && free.memory >= 0;
  });
