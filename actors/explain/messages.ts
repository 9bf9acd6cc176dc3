/** The text of every reason: no decisions here, and no text of a reason elsewhere. */
import type { Verdict } from '../job/occurrence.ts';
import type { Explanation, Reason } from './reason.ts';

/** One sentence without a full stop. Never empty. */
export const sentenceOf = (why: Explanation): string => why.lead.map(messageOf).join('; ');

/** The facts as the API returns them: type, values, and their text. */
export const factsOf = (why: Explanation): (Reason & { message: string })[] =>
  [...why.lead, ...why.more].map(reason => ({ ...reason, message: messageOf(reason) }));

/** A reason as a sentence without a full stop. */
export function messageOf(reason: Reason): string {
  switch (reason.type) {
    case 'quarantined':
      return `${named(reason.who)} is in quarantine since ${reason.since}: ${reason.reason}`;
    case 'unreadable':
      return `${named(reason.who)} ${reason.reason}`;
    case 'refused':
      return `job ${reason.job} ${reason.reason}`;
    case 'deregistering':
      return `job ${reason.job} is being deregistered; it waits for ${some(reason.open, 'open execution')}`;
    case 'appPending':
      return `job ${reason.job} waits for app ${reason.app}, which ${reason.there ? 'has not answered yet' : 'is not published'}`;
    case 'noSchedule':
      return `job ${reason.job} has no schedule${reason.switchedOff ? ' that is enabled' : ''}: it runs only when it is triggered`;
    case 'noDueLeft':
      return `job ${reason.job} has no due time left: its schedule has ended`;
    case 'due':
      return `job ${reason.job} is due next at ${reason.dueAt}, in ${span(reason.inMs)}`;
    case 'overdue':
      return `job ${reason.job} was due at ${reason.dueAt}; its timer has not fired yet`;
    case 'unarmed':
      return `the schedule audit found at ${reason.at} that job ${reason.job} was not armed for ${reason.dueAt}, and armed it: ${reason.reason}`;
    case 'nextDue':
      return `the next due time of job ${reason.job}, ${reason.dueAt}, would be ${fate(reason.verdict, reason.execution)}${because(reason.reason)}`;
    case 'lastDue': {
      const dues =
        reason.count === 1
          ? `the due time ${reason.from} of job ${reason.job} was`
          : `${reason.count} due times of job ${reason.job} from ${reason.from} to ${reason.to} were`;
      return `${dues} ${fate(reason.verdict, reason.execution)}${because(reason.reason)}`;
    }
    case 'lastExecution':
      return `the last execution of job ${reason.job}, ${reason.execution}, ${ended(reason.outcome)}${reason.finishedAt ? ` at ${reason.finishedAt}` : ''}${because(reason.reason)}`;
    case 'dryRun':
      return dryRunMessage(reason);
    case 'moreOpen':
      return `job ${reason.job} has ${some(reason.count, 'further execution')} open`;
    case 'done':
      return `execution ${reason.execution} ${ended(reason.outcome ?? 'lost')}${reason.finishedAt ? ` at ${reason.finishedAt}` : ''}${because(reason.reason)}`;
    case 'cancelling':
      return `execution ${reason.execution} is being ended${because(reason.reason)}; it waits for ${some(reason.left, 'shard')} to end`;
    case 'blocked':
      return `execution ${reason.execution} ${reason.reason}`;
    case 'backOff':
      return `execution ${reason.execution} starts attempt ${reason.attempt} of shard ${reason.item} at ${reason.until}${because(reason.reason)}`;
    case 'noCapacity':
      return `execution ${reason.execution} waits for capacity in pool ${reason.pool} since ${reason.since}${reason.ahead > 0 ? `, behind ${some(reason.ahead, 'other execution')}` : ''}: ${reason.reason}`;
    case 'unallocated':
      return `execution ${reason.execution} waits for a host: ${reason.reason}`;
    case 'allocation':
      return allocationMessage(reason);
    case 'capacitySoon':
      return `execution ${reason.execution} fits into pool ${reason.pool}, which places it with its next pass`;
    case 'inTransit':
      return reason.what === 'request'
        ? `execution ${reason.execution} has requested capacity of pool ${reason.pool}; the response is in transit`
        : `execution ${reason.execution} has a reservation in pool ${reason.pool}; the message is in transit`;
    case 'reserveAgain':
      return `execution ${reason.execution} requests capacity of pool ${reason.pool} again at ${reason.at}${because(reason.reason)}`;
    case 'poolMissing':
      return `pool ${reason.pool} does not exist`;
    case 'hosts':
      return poolHosts(reason);
    case 'tooLarge':
      return `the request would not fit on the ready hosts of pool ${reason.pool} even if they ran nothing else`;
    case 'free':
      return freeMessage(reason);
    case 'holder':
      return `execution ${reason.execution} has reserved ${reason.takes.cpus} cpu and ${reason.takes.memoryMB} MB of pool ${reason.pool} for ${some(reason.shards, 'shard')}`;
    case 'shards':
      return onHost(reason);
    case 'shardEnded':
      return `attempt ${reason.attempt} of shard ${reason.item} ${ended(reason.outcome)}${reason.host ? ` on host ${reason.host}` : ''}${because(reason.how)}`;
    case 'host':
      return `host ${reason.host} is ${reason.status}${reason.since ? `, last seen at ${reason.since}` : ''}${reason.lostAt ? `, and counts as lost at ${reason.lostAt}` : ''}${reason.rejectedByPool ? `; ${reason.rejectedByPool}` : ''}`;
    case 'andMore':
      return `and ${reason.count} more ${reason.what === 'holders' ? 'executions that have reservations' : reason.what}`;
  }
}

const named = (address: string): string => address.replace('/', ' ');
const because = (reason: string | null): string => (reason === null || reason === '' ? '' : `: ${reason}`);
const some = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** `shard 3`, `shards 0, 1 and 4`, `100 shards`. */
const shards = (items: number[]): string => {
  if (items.length === 1) return `shard ${items[0]}`;
  return items.length > 5 ? `${items.length} shards` : `shards ${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
};

function onHost({ execution, status, items, host, since, withdrawReason }: Extract<Reason, { type: 'shards' }>): string {
  const whose = items.length === 1 ? 'its' : 'their';
  if (status === 'starting' && withdrawReason !== null)
    return `execution ${execution} withdraws ${shards(items)} from host ${host}: ${withdrawReason}`;
  if (status === 'starting')
    return `execution ${execution} starts ${shards(items)} on host ${host}, which has not reported ${whose} start yet`;
  if (status === 'ending') return `execution ${execution} ends ${shards(items)} on host ${host}, which has not reported ${whose} end yet`;
  return `execution ${execution} runs ${shards(items)} on host ${host}${since ? ` since ${since}` : ''}`;
}

function freeMessage(reason: Extract<Reason, { type: 'free' }>): string {
  const { host, free, total, price, lacks } = reason;
  return [
    `host ${host} has ${free.cpus} of ${total.cpus} cpu and ${free.memoryMB} of ${total.memoryMB} MB free`,
    `; a shard takes ${price.cpus} cpu and ${price.memoryMB} MB there`,
    ...(lacks.length > 0 ? [`: too little ${lacks.join(' and too little ')}`] : []),
    ...(reason.open ? [] : ['; it accepts no new runs now']),
    ...(reason.excluded ? [`, because it is not among the servers of pool ${reason.pool}`] : []),
    ...(reason.refusing === undefined ? [] : [`; it refused a run: ${reason.refusing}`]),
  ].join('');
}

const ENDED: Record<string, string> = {
  succeeded: 'succeeded',
  failed: 'failed',
  timedOut: 'timed out',
  cancelled: 'was cancelled',
  lost: 'was lost',
};
const ended = (outcome: string): string => ENDED[outcome] ?? `ended ${outcome}`;

/** The verdict of a due time, behind "was" or "would be". */
function fate(verdict: Verdict, execution: string | null): string {
  switch (verdict) {
    case 'waiting':
      return `taken by execution ${execution}, which has started no process yet`;
    case 'ran':
      return `taken by execution ${execution}`;
    case 'notStarted':
      return `taken by execution ${execution}, which started no process`;
    case 'unknown':
      return `taken by execution ${execution}; whether it started a process is unknown`;
    case 'coalesced':
      return `covered by execution ${execution}`;
    case 'skippedOverlap':
      return 'skipped';
    case 'missedDown':
      return 'missed';
    case 'disabled':
      return 'passed over';
    case 'refused':
      return 'refused';
  }
}

function dryRunMessage(reason: Extract<Reason, { type: 'dryRun' }>): string {
  switch (reason.does) {
    case 'starts':
      return `triggered now, it would start at once on ${hosts(reason.hosts)}`;
    case 'startsInPart':
      return `triggered now, it would start in part on ${hosts(reason.hosts)}; the rest would wait: ${reason.reason}`;
    case 'waits':
      return `triggered now, it would wait${reason.reason.startsWith('waits ') ? reason.reason.slice('waits'.length) : because(reason.reason)}`;
    case 'joins':
      return `triggered now, it would join execution ${reason.execution}, which is already waiting`;
    case 'refused':
      return `triggered now, it would be refused: job ${reason.job} ${reason.reason}`;
  }
}

function allocationMessage({ job, pool, hosts: own, next, reason }: Extract<Reason, { type: 'allocation' }>): string {
  if (own.length === 0) return `sticky job ${job} has no host in pool ${pool}${because(reason)}`;
  const there = `sticky job ${job} is allocated to ${hosts(own)}`;
  return next.length === 0 ? there : `${there}, and goes over to ${hosts(next)} when nothing of it runs`;
}

const hosts = (names: string[]): string =>
  names.length === 1 ? `host ${names[0]}` : names.length > 5 ? `${names.length} hosts` : `hosts ${names.join(', ')}`;

function poolHosts({ pool, ready, notReady }: Extract<Reason, { type: 'hosts' }>): string {
  const parts = [...(ready > 0 ? [`${ready} ready`] : []), ...Object.entries(notReady).map(([status, count]) => `${count} ${status}`)];
  return parts.length === 0 ? `pool ${pool} has no hosts` : `hosts of pool ${pool}: ${parts.join(', ')}`;
}

/** `850 ms`, `42 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`. */
function span(ms: number): string {
  if (ms < 1_000) return `${ms} ms`;
  const seconds = Math.round(ms / 1_000);
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3_600) % 24, Math.floor(seconds / 60) % 60];
  const parts = [[days, 'd'] as const, [hours, 'h'] as const, [minutes, 'min'] as const, [seconds % 60, 's'] as const];
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}
