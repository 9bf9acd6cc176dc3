/** Hosts that refused a run: they take no new run for a while, then one execution tries them. */
import type { Decision } from '../decision.ts';
import { cutJsonText } from '../execution/shard.ts';
import type { EventOf, PoolEvent, PoolFact } from '../types.ts';
import { withHost } from './ledger.ts';
import type { HostRefusal, LedgerHost, PoolContext, Refusing } from './types.ts';
import { placeWaiting } from './waiting.ts';

type Decided = Decision<PoolContext, PoolFact>;
type Event<T extends PoolEvent['type']> = EventOf<'pool', T>;

/** From a refusal to the next try: doubles from the first to the last, ms. */
export const TRY_AGAIN_MS = 5_000;
export const TRY_AGAIN_MS_MAX = 300_000;

/**
 * Longest reason of a host that refuses, characters of JSON: each waiting request repeats it, and
 * the ledger is one document.
 */
const REFUSAL_MAX = 300;

/** The host takes no new run for a while. Refusals of runs placed before that count once. */
export function refused(context: PoolContext, { host: id, fault, reason: whole }: HostRefusal, at: number): Decided {
  const reason = cutJsonText(REFUSAL_MAX, whole);
  const host = context.hosts[id];
  if (!host) return placeWaiting(context, at);
  const before = host.refusing;
  if (before && before.until !== null) return placeWaiting(context, at);
  const tries = (before?.tries ?? 0) + 1;
  const until = at + Math.min(TRY_AGAIN_MS_MAX, TRY_AGAIN_MS * 2 ** Math.min(30, tries - 1));
  const refusing: Refusing = { fault, reason, since: before?.since ?? at, tries, until, trial: null };
  const next = withHost(context, id, { refusing });
  const fact: PoolFact = {
    ...{ type: 'pool.hostRefusing', pool: context.config.name, host: id, name: host.name },
    ...{ fault, reason, until: new Date(until).toISOString() },
  };
  return withTrials(placeWaiting(next, at, [], [fact]), next);
}

/** The execution that tried the host has left it without a start: another one may try it. */
export function withoutTrial(host: LedgerHost): LedgerHost {
  const { refusing } = host;
  if (!refusing?.trial) return host;
  const isThere = Object.values(host.reservations).some(({ run }) => run.execution === refusing.trial);
  return isThere ? host : { ...host, refusing: { ...refusing, trial: null } };
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

export function trialDue(context: PoolContext, event: Event<'pool.trialDue'>): Decided {
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

export function hostRecovered(context: PoolContext, event: Event<'pool.hostRecovered'>): Decided {
  const host = context.hosts[event.host];
  if (!host?.refusing) return {};
  const fact: PoolFact = { type: 'pool.hostRecovered', pool: context.config.name, host: host.id, name: host.name };
  return placeWaiting({ ...context, hosts: { ...context.hosts, [host.id]: recovered(host) } }, event.at, [], [fact]);
}

export const recovered = ({ refusing: _, ...host }: LedgerHost): LedgerHost => host;
