/**
 * Dry runs: the decisions of the machines on committed contexts. Nothing is stored.
 *
 *   job: refusal, trigger --> execution: created --> pool: reserved --> hosts, or why not
 */
import { executionDecisions } from '../execution/decide.ts';
import { jobDecisions } from '../job/decide.ts';
import { jobKind } from '../job/kind.ts';
import type { OccurrenceEntry } from '../job/occurrence.ts';
import { poolDecisions } from '../pool/decide.ts';
import type { ReservationRequest } from '../pool/types.ts';
import type { Effect, Events, Kind, Stamp } from '../types.ts';
import type { ActorView, DryRun } from './reason.ts';

/** Random values change only names and delays, which no result here contains. */
const stampOf = (at: number): Stamp => ({ at, chance: 0, salt: 'whynot' });

const eventsIn = <K extends Kind, T extends Events[K]['type']>(effects: Effect[] | undefined, kind: K, type: T) =>
  (effects ?? []).flatMap(effect =>
    effect.type === 'tell' && effect.params.to.startsWith(`${kind}/`) && effect.params.event.type === type
      ? [effect.params.event as Extract<Events[K], { type: T }>]
      : [],
  );

export interface DryRunResult {
  would: DryRun;
  /** The request to the pool; absent: none would be sent. */
  request?: ReservationRequest;
}

/** A trigger at this instant, down to the hosts. */
export function dryRunTrigger(job: ActorView<'job'>, pool: ActorView<'pool'> | undefined, at: number): DryRunResult {
  if (job.quarantine) return { would: { does: 'refused', reason: `is in quarantine: ${job.quarantine.reason}` } };
  const refused = jobKind.refusal(job.context, job.value, { type: 'job.trigger' });
  if (refused !== undefined) return { would: { does: 'refused', reason: refused } };
  const { effects } = jobDecisions.trigger(job.context, { type: 'job.trigger', ...stampOf(at) });
  const [create] = eventsIn(effects, 'execution', 'execution.create');
  const [answer] = (effects ?? []).flatMap(effect => (effect.type === 'answer' ? [effect.params.value as { execution: string }] : []));
  if (!create) return { would: { does: 'joins', execution: answer?.execution ?? '' } };
  if (create.blockedReason !== null) return { would: { does: 'waits', reason: create.blockedReason } };
  const execution = executionDecisions.initialContext({ ...create, ...stampOf(at) });
  const [reserve] = eventsIn(executionDecisions.created(execution).effects, 'pool', 'pool.reserve');
  // Only a sticky job without a host.
  if (!reserve) return { would: { does: 'waits', reason: create.unallocated ?? '' } };
  return { would: dryRunRequest(reserve.request, pool, at), request: reserve.request };
}

/** A request for capacity at this instant. */
function dryRunRequest(request: ReservationRequest, pool: ActorView<'pool'> | undefined, at: number): DryRun {
  if (!pool || pool.value === 'deleted') return { does: 'waits', reason: 'waits for its pool, which does not exist' };
  if (pool.quarantine) return { does: 'waits', reason: `waits for its pool, which is in quarantine: ${pool.quarantine.reason}` };
  const { effects } = poolDecisions.reserved(pool.context, { type: 'pool.reserve', request, ...stampOf(at) });
  const hosts = [...new Set(eventsIn(effects, 'execution', 'execution.placed').flatMap(each => each.placements.map(one => one.hostName)))];
  const [waits] = [...eventsIn(effects, 'execution', 'execution.waiting'), ...eventsIn(effects, 'execution', 'execution.noCapacity')];
  if (hosts.length === 0) return { does: 'waits', reason: waits?.reason ?? '' };
  return waits ? { does: 'startsInPart', hosts, reason: waits.reason } : { does: 'starts', hosts };
}

/** The ledger entry of the next due time if the job does not change until then; undefined: none. */
export function dryRunDue(job: ActorView<'job'>, at: number): OccurrenceEntry | undefined {
  const { nextAt } = job.context;
  if (nextAt === null || job.quarantine) return undefined;
  const { effects } = jobDecisions.due(job.context, { type: 'job.due', ...stampOf(Math.max(nextAt, at)) });
  const entries = (effects ?? []).flatMap(effect => (effect.type === 'record' ? effect.params.entries : []));
  return entries.find(entry => entry.from <= nextAt && nextAt <= entry.to);
}
