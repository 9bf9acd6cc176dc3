/**
 * Notices, after every seed: each end of an execution that its job announces is delivered, given
 * up, or waits, for each recipient; and what arrived under one Message-ID says one thing.
 */
import type { NoticeContext } from '../../actors/notice/types.ts';
import type { Cluster } from './cluster.ts';
import { stateOf } from './truth.ts';

const KINDS: Record<string, 'succeed' | 'failed'> = { succeeded: 'succeed', failed: 'failed', timedOut: 'failed', lost: 'failed' };

/** By `<kind> <recipient>`. */
type Counts = Map<string, number>;
const add = (counts: Counts, kind: string, to: readonly string[], count: number): void => {
  for (const each of to) counts.set(`${kind} ${each}`, (counts.get(`${kind} ${each}`) ?? 0) + count);
};

export function checkNotices(cluster: Cluster): void {
  const { system, mail } = cluster;
  for (const [id, { texts }] of mail.taken) if (texts.size > 1) system.fail('text', `${id} was sent in ${texts.size} texts`);
  for (const address of [...cluster.truth.addresses]) {
    if (!address.startsWith('job/')) continue;
    const job = address.slice('job/'.length);
    const [wanted, seen] = [wantedOf(cluster, job), seenOf(cluster, job)];
    for (const key of new Set([...wanted.keys(), ...seen.keys()])) {
      const [want = 0, got = 0] = [wanted.get(key), seen.get(key)];
      if (want !== got) system.fail('notice', `job ${job} announced ${want} times to "${key}", and ${got} are sent, given up or waiting`);
    }
  }
}

/** What the job announced, by its facts and the settings that it had then. */
function wantedOf({ truth }: Cluster, job: string): Counts {
  const counts: Counts = new Map();
  const configs = [...truth.configsOf(`job/${job}`)].sort(([a], [b]) => a - b);
  for (const { type, rev, data } of truth.factsOf(`job/${job}`)) {
    if (type !== 'job.finished') continue;
    const kind = KINDS[String(data.outcome)];
    const config = configs.findLast(([since]) => since <= rev)?.[1];
    const notice = kind && config?.notify?.[kind];
    if (kind && notice?.enabled) add(counts, kind, notice.to, 1);
  }
  return counts;
}

/** What became of it: by the facts of the notice actor, and by what it still keeps. */
function seenOf({ truth, system, mail }: Cluster, job: string): Counts {
  const counts: Counts = new Map();
  for (const { type, data } of truth.factsOf(`notice/${job}`)) {
    const { kind, to, count, delivery } = data as { kind: string; to: string[]; count: number; delivery: number };
    if (type === 'notification.sent') {
      const got = [...mail.taken].filter(([id]) => id.startsWith(`${job}=`) && id.endsWith(`-${delivery}@x`)).map(([, taken]) => taken);
      const lacks = to.find(each => !got.some(({ recipients }) => recipients.has(each)));
      if (lacks !== undefined) system.fail('notice', `${lacks} never got delivery ${delivery} of job ${job}, which counts as sent`);
    }
    if (type !== 'notification.tried') add(counts, kind, to, count);
  }
  const state = stateOf(truth, `notice/${job}`);
  if (!state || state.value === 'deleted') return counts;
  const { gatherings, deliveries } = state.context as unknown as NoticeContext;
  for (const { kind, to, count } of gatherings) add(counts, kind, to, count);
  // No effect is pending any more: what is being tried has no one who tries it.
  const stuck = deliveries.find(({ recipients }) => recipients.some(({ retryAt }) => retryAt === null));
  if (stuck) system.fail('notice', `delivery ${stuck.message.delivery} of job ${job} is being tried, and nobody tries it`);
  for (const { message, recipients } of deliveries)
    add(
      counts,
      message.kind,
      recipients.map(({ to }) => to),
      message.count,
    );
  return counts;
}
