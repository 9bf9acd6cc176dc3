/**
 * Facts as sentences for people: a subject and what happened to it. One entry per type of fact. A
 * type of a newer center is shown with its plain values.
 */
import type { FeedFact } from './feed.ts';
import { precisionOf, type Times } from './words.ts';

type Values = Record<string, unknown>;
/** `who` is the subject, `what` the rest of the sentence. Both may hold control characters. */
export interface FactText {
  who: string;
  what: string;
}

const ENDED: Record<string, string> = {
  succeeded: 'succeeded',
  failed: 'failed',
  timedOut: 'timed out',
  cancelled: 'was cancelled',
  lost: 'was lost',
};
const VERDICTS: Record<string, string> = {
  coalesced: 'covered by another run',
  skippedOverlap: 'skipped',
  missedDown: 'missed',
  disabled: 'skipped while disabled',
  refused: 'refused',
};
const MADE: Record<string, (dueAt: string) => string> = {
  // The id of the execution contains its due time.
  schedule: () => 'is created',
  api: () => 'is created by a trigger',
  misfire: dueAt => `is created late${dueAt === '' ? '' : `, for the due time ${dueAt}`}`,
  retry: () => 'is created as a retry',
};

const text = (value: unknown): string => (value === null || value === undefined ? '' : String(value));
const ended = ({ outcome }: Values): string => ENDED[text(outcome)] ?? `ended: ${text(outcome)}`;
const because = ({ reason }: Values): string => (text(reason) === '' ? '' : `: ${text(reason)}`);

const NOTICES: Record<string, string> = {
  succeed: 'successes',
  failed: 'failures',
  hostJoined: 'new hosts',
  hostLost: 'lost hosts',
  hostReturned: 'returned hosts',
};
/** `delivery 3 of 12 failures to ops@example.org`. */
const deliveryOf = ({ delivery, kind, count, to }: Values): string =>
  `delivery ${text(delivery)} of ${text(count)} ${NOTICES[text(kind)] ?? text(kind)} to ${Array.isArray(to) ? to.join(', ') : text(to)}`;
type ShownInstant = (value: unknown) => string;
const some = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
const listOf = (value: unknown): Values[] => (Array.isArray(value) ? value : []);

/** `shard 3`, and which attempt where it is not the first. */
const shard = ({ item, attempt }: Values): string =>
  `shard ${text(item)}${typeof attempt === 'number' && attempt > 1 ? `, attempt ${attempt},` : ''}`;

function howItEnded({ reason, signal, exitCode }: Values): string {
  const how =
    text(reason) || (signal ? `ended by ${text(signal)}` : exitCode === null || exitCode === undefined ? '' : `exit code ${exitCode}`);
  return how === '' ? '' : `: ${how}`;
}

function skipped({ from, to, count, verdict, reason }: Values, instant: ShownInstant): string {
  const fate = VERDICTS[text(verdict)] ?? text(verdict);
  if (count === 1) return `has its due time ${instant(from)} ${fate}${because({ reason })}`;
  return `has ${text(count)} due times from ${instant(from)} to ${instant(to)} ${fate}${because({ reason })}`;
}

const SENTENCES: Record<string, (values: Values, instant: ShownInstant) => string> = {
  'job.registered': () => 'is registered',
  'job.updated': ({ version }) => `is changed, and has version ${text(version)} now`,
  'job.enabled': () => 'is enabled',
  'job.disabled': ({ kill }) => `is disabled${kill === true ? ', and its running executions are ended' : ''}`,
  'job.triggered': ({ execution, joined }) =>
    joined === true ? `is triggered, and joins ${text(execution)}, which is waiting` : `is triggered: ${text(execution)}`,
  'job.fired': ({ execution, trigger }) => `${trigger === 'misfire' ? 'runs late for a missed due time' : 'is due'}: ${text(execution)}`,
  'job.skipped': skipped,
  'job.finished': values => `had an execution that ${ended(values)}: ${text(values.execution)}`,
  'schedule.unarmed': ({ dueAt, armedAt, reason }, instant) =>
    `was not armed for its due time ${instant(dueAt)}${text(armedAt) === '' ? '' : ` but for ${instant(armedAt)}`}, and is armed again${because({ reason })}`,
  'job.allocated': ({ host, hostName, pool, shards, reason }) =>
    text(host) === ''
      ? `has no host in pool ${text(pool)}${because({ reason })}`
      : `is allocated to host ${text(hostName ?? host)}${shards === 1 ? '' : ` with the first of its ${text(shards)} shards`}`,
  'job.reported': ({ message, state, execerr, ipaddr }) =>
    `is reported by ${text(message)}${text(ipaddr) === '' ? '' : ` of ${text(ipaddr)}`}${text(state) === '' ? '' : ` with state ${text(state)}`}${because({ reason: execerr })}`,
  'job.deregistering': () => 'is being deleted',
  'job.deregistered': () => 'is deleted',

  'execution.created': ({ trigger, dueAt, shards, blockedReason }, instant) => {
    const made = MADE[text(trigger)]?.(instant(dueAt)) ?? `is created (${text(trigger)})`;
    const cut = typeof shards === 'number' && shards > 1 ? `, ${shards} shards` : '';
    return `${made}${cut}${text(blockedReason) === '' ? '' : `; it ${text(blockedReason)}`}`;
  },
  'execution.pending': values => `waits${because(values)}`,
  'execution.cancelling': values => `is being ended${because(values)}`,
  'execution.notStarted': values => `is given up${because(values)}`,
  'execution.deallocated': values => `begins nothing more${because(values)}`,
  'execution.finished': ended,
  'shard.placed': values => `${shard(values)} goes to host ${text(values.hostName ?? values.host)}`,
  'shard.started': values => `${shard(values)} runs`,
  'shard.ended': values => `${shard(values)} ${ended(values)}${values.outcome === 'succeeded' ? '' : howItEnded(values)}`,

  'shard.leftRunning': values => {
    const many = values.processes === 1 ? 'process' : 'processes';
    return `${shard(values)} left ${text(values.processes)} ${many} running; ended`;
  },

  'app.published': () => 'is published',
  'app.modified': ({ version }) => `is changed, and has version ${text(version)} now`,
  'app.enabled': () => 'is enabled',
  'app.disabled': ({ kill }) => `is disabled${kill === true ? ', and the running executions of its jobs are ended' : ''}`,
  'app.deleting': ({ jobs }) => {
    const names = Array.isArray(jobs) ? jobs.map(text) : [];
    return `is being deleted${names.length === 0 ? '' : ` with its ${names.length === 1 ? 'job' : 'jobs'} ${names.join(', ')}`}`;
  },
  'app.deleted': () => 'is deleted',

  'host.enrolled': ({ pool }) => `joins pool ${text(pool)}`,
  'host.ready': () => 'is ready',
  'host.draining': () => 'is draining: it takes no new runs',
  'host.suspect': values => `is suspect${because(values)}`,
  'host.lost': () => 'is lost',
  'host.rejectedByPool': values => `is rejected by its pool${because(values)}`,
  'host.retired': () => 'is retired',
  'host.deleted': () => 'is deleted',

  'pool.created': () => 'is created',
  'pool.modified': () => 'is changed',
  'pool.placed': ({ execution, placed }) => {
    const runs = listOf(placed);
    const hosts = new Set(runs.map(({ host }) => host)).size;
    return `places ${some(runs.length, 'shard')} on ${some(hosts, 'host')}: ${text(execution)}`;
  },
  'pool.waiting': ({ execution, reason }) => `has no capacity for ${text(execution)}${because({ reason })}`,
  'pool.hostRefusing': (values, instant) =>
    `places nothing on host ${text(values.name)} before ${instant(values.until)}, because it refused a run${because(values)}`,
  'pool.hostRecovered': ({ name }) => `places runs on host ${text(name)} again: it started one`,
  'pool.hostExcluded': ({ name }) => `places nothing on host ${text(name)}, which is not among its servers; what runs there may finish`,
  'pool.hostAdmitted': ({ name }) => `places runs on host ${text(name)} again: it is among its servers`,
  'pool.deleted': () => 'is deleted',

  'table.repaired': ({ job, reason }) =>
    `differed from ${text(job) === '' ? 'the hosts of its pool' : `job ${text(job)}`}, and is repaired${because({ reason })}`,

  'notification.sent': values => `sent ${deliveryOf(values)}`,
  'notification.tried': (values, instant) =>
    `could not send ${deliveryOf(values)}, tries again at ${instant(values.retryAt)}${because(values)}`,
  'notification.failed': values => `gave up ${deliveryOf(values)}${because(values)}`,

  'actor.quarantined': values => `is in quarantine${because(values)}`,
  'actor.released': () => 'is released from quarantine',
};

export function describeFact(
  { address = '', type, data = {} }: Pick<FeedFact, 'address' | 'type' | 'data'>,
  { instant }: Pick<Times, 'instant'>,
): FactText {
  const sentence = Object.hasOwn(SENTENCES, type) ? SENTENCES[type] : undefined;
  return {
    who: subjectOf(address, data),
    what: sentence ? sentence(data, value => instant(text(value), precisionOf(text(value)))) : plainly(type, address, data),
  };
}

/** An execution by its id, a host by its name, others by kind and name. */
function subjectOf(address: string, { name }: Values): string {
  const cut = address.indexOf('/');
  const kind = address.slice(0, Math.max(0, cut));
  if (kind === 'execution') return address.slice(cut + 1);
  return kind === 'host' && typeof name === 'string' ? `host ${name}` : address.replace('/', ' ');
}

/**
 * A fact of an unknown type: the type, and its plain values without those that the address
 * contains.
 */
function plainly(type: string, address: string, data: Values): string {
  const values = Object.entries(data).filter(
    ([name, value]) => ['string', 'number', 'boolean'].includes(typeof value) && value !== '' && address !== `${name}/${text(value)}`,
  );
  return [`${type}${values.length > 0 ? ':' : ''}`, values.map(([name, value]) => `${name} ${text(value)}`).join(', ')].join(' ').trim();
}
