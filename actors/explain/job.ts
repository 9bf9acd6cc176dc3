/**
 * Why a job runs or does not: its refusal, its open executions, its next and last due time, and the
 * dry run of a trigger.
 */
import { nextAtOf, schedulesOf } from '../job/due-times.ts';
import { jobKind, statusOf } from '../job/kind.ts';
import type { OccurrenceEntry, Verdict } from '../job/occurrence.ts';
import { capacityOf, closed, type PoolViews } from './capacity.ts';
import { dryRunDue, dryRunTrigger } from './dry-run.ts';
import { whyExecution, whyNot } from './execution.ts';
import { type ActorView, type DryRun, type Explanation, isoOf, isoOr, quarantined, type Reason } from './reason.ts';

/** Limit of open executions that are explained one by one. */
export const OPEN_SHOWN = 3;

/** A finding of the schedule audit is shown so long after its repair, ms. */
const UNARMED_MS = 86_400_000;

export interface JobViews extends PoolViews {
  job: ActorView<'job'>;
  app: ActorView<'app'> | undefined;
  /** The oldest of its open executions, at most OPEN_SHOWN. */
  open: ActorView<'execution'>[];
  /** Its last done execution, until retention deletes it. */
  ended: ActorView<'execution'> | undefined;
  /** The latest entry of its ledger of due times. */
  last: OccurrenceEntry | undefined;
}

/** `at`: now, epoch ms. */
export function whyJob(views: JobViews, at: number): Explanation & { trigger: DryRun } {
  const { job, pool, hosts } = views;
  const { would: trigger, request } = dryRunTrigger(job, pool, at);
  const dryRun: Reason = { type: 'dryRun', job: job.context.config.name, ...trigger };
  const forbids = whyForbidden(views);
  const open = whyOpen(views);
  const last = lastDue(views);
  const { lost: bad, ran: good } = lastExecution(views);
  const ended = [...bad, ...good];

  if (forbids.length > 0)
    return {
      lead: forbids,
      more: [...views.unreadable, ...open.lead, ...unarmedLately(job, at), ...last, ...ended, ...open.more],
      trigger,
    };
  if (open.lead.length > 0) {
    const next = split(nextDue(job, at));
    return {
      lead: [...open.lead, ...unarmedLately(job, at), ...next.lost],
      more: [...next.ran, dryRun, ...allocationOf(views), ...last, ...ended, ...open.more],
      trigger,
    };
  }
  const { lost, ran } = split(last);
  const waits = trigger.does === 'waits' || trigger.does === 'startsInPart';
  const room =
    waits && pool ? { lead: closed(pool, hosts), more: request ? capacityOf(pool, hosts, request) : [] } : { lead: [], more: [] };
  return {
    lead: [...whenDue(job, at), ...unarmedLately(job, at), ...lost, ...bad, ...(waits ? [dryRun] : []), ...room.lead, ...views.unreadable],
    more: [...(waits ? [] : [dryRun]), ...allocationOf(views), ...ran, ...good, ...room.more],
    trigger,
  };
}

/** The hosts of a sticky job. */
function allocationOf({ job, pool }: JobViews): Reason[] {
  const { config, allocatedHosts, proposal, unallocated } = job.context;
  if (config.placement !== 'sticky') return [];
  const named = (ids: string[]) => [...new Set(ids)].map(id => pool?.context.hosts[id]?.name ?? id);
  const own = allocatedHosts ?? [];
  const next = (proposal?.hosts ?? []).filter((id, item) => id !== own[item]);
  return [{ type: 'allocation', job: config.name, pool: config.pool, hosts: named(own), next: named(next), reason: unallocated }];
}

/** Due times without a run go into the sentence. */
function split(dues: Extract<Reason, { type: 'lastDue' | 'nextDue' }>[]) {
  const came = ({ verdict }: { verdict: Verdict }) => verdict === 'ran' || verdict === 'waiting' || verdict === 'coalesced';
  return { ran: dues.filter(came), lost: dues.filter(due => !came(due)) };
}

/** Reasons that forbid every start. */
function whyForbidden({ job, app }: JobViews): Reason[] {
  const { context, value } = job;
  const { name } = context.config;
  if (job.quarantine) return quarantined(job);
  if (statusOf(context, value) === 'deleting') return [{ type: 'deregistering', job: name, open: context.open.length }];
  const refused = jobKind.refusal(context, value, { type: 'job.trigger' });
  // A refusal at the limit of open executions is temporary: those are explained one by one.
  if (refused !== undefined && (context.open.length === 0 || statusOf(context, value) === 'disabled' || context.app?.enabled === false)) {
    return [{ type: 'refused', job: name, reason: refused }];
  }
  if (context.config.app !== null && context.app === null) {
    return [{ type: 'appPending', job: name, app: context.config.app, there: app !== undefined }];
  }
  return [];
}

function whyOpen({ job, open, ...rest }: JobViews): Explanation {
  const whys = open.map(execution => whyExecution({ ...rest, execution, job }));
  const left = job.context.open.length - open.length;
  const more: Reason[] = left > 0 ? [{ type: 'moreOpen', job: job.context.config.name, count: left }] : [];
  // An unreadable pool is among the reasons of the executions that wait for it.
  const shut = rest.unreadable.filter(({ who }) => who.startsWith('execution/'));
  return { lead: [...shut, ...whys.flatMap(why => why.lead)], more: [...more, ...whys.flatMap(why => why.more)] };
}

function whenDue({ context }: ActorView<'job'>, at: number): Reason[] {
  const { name, schedules } = context.config;
  if (schedulesOf(context.config).length === 0) return [{ type: 'noSchedule', job: name, switchedOff: schedules.length > 0 }];
  const dueAt = context.nextAt ?? nextAtOf(context.config, context.watermark);
  if (dueAt === null) return [{ type: 'noDueLeft', job: name }];
  return [
    dueAt <= at ? { type: 'overdue', job: name, dueAt: isoOf(dueAt) } : { type: 'due', job: name, dueAt: isoOf(dueAt), inMs: dueAt - at },
  ];
}

function unarmedLately({ context: { config, unarmed } }: ActorView<'job'>, at: number): Reason[] {
  if (!unarmed || at - unarmed.at > UNARMED_MS) return [];
  return [{ type: 'unarmed', job: config.name, at: isoOf(unarmed.at), dueAt: isoOf(unarmed.dueAt), reason: unarmed.reason }];
}

function nextDue(job: ActorView<'job'>, at: number): Extract<Reason, { type: 'nextDue' }>[] {
  const entry = dryRunDue(job, at);
  const dueAt = job.context.nextAt;
  if (!entry || dueAt === null) return [];
  const { verdict, execution, reason } = entry;
  return [{ type: 'nextDue', job: job.context.config.name, dueAt: isoOf(dueAt), verdict, execution, reason }];
}

function lastDue({ last }: JobViews): Extract<Reason, { type: 'lastDue' }>[] {
  if (!last) return [];
  const { job, count, verdict, execution, reason } = last;
  return [{ type: 'lastDue', job, from: isoOf(last.from), to: isoOf(last.to), count, verdict, execution, reason }];
}

/** The last execution of a job that waits for its due time; part of the sentence if it failed. */
function lastExecution({ job: { context }, ended }: JobViews): { lost: Reason[]; ran: Reason[] } {
  const { lastExecution: execution, lastOutcome: outcome, lastFinishedAt } = context;
  if (execution === null || outcome === null) return { lost: [], ran: [] };
  const isGood = outcome === 'succeeded';
  const reason = ended && ended.context.id === execution ? whyNot(ended) : null;
  const found: Reason = { type: 'lastExecution', job: context.config.name, execution, outcome, finishedAt: isoOr(lastFinishedAt), reason };
  return isGood ? { lost: [], ran: [found] } : { lost: [found], ran: [] };
}
