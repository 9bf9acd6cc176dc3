/**
 * Pages of lists, filtered and not, with 10,000 jobs and a million executions stored: what people
 * look at. One job has 10,000 of them with output, and 5,000 posted logs. One question after the
 * other, as many of each kind, in a mixed order; every kind of question has to keep to the goal by
 * itself.
 */
import type { Cluster } from '../support/cluster.ts';
import { aChunk, aPostedLog } from '../support/store-builders.ts';
import { fillStore } from './bulk.ts';
import { aBareCluster, cpuSecondsOf, dataOf, memoryOf } from './cluster.ts';
import { atMost, type BenchResult, quantile, rounded, type Size } from './report.ts';
import { executionsOf, played, scheduledJobs } from './seed.ts';

const HOSTS = 20;
const GOAL_MS = 50;
const CROWDED = 'crowded';
const LOGGED = 'logged';
const LOGGED_ID = '399d4b159c65c9b34d2a3c41';
const LOGS = `/cloudtask/v2/jobs/${LOGGED_ID}/logs`;

interface Page {
  items: { id?: string; name?: string }[];
  next: string | null;
}

export async function bench({ quick }: Size): Promise<BenchResult> {
  const jobs = quick ? 500 : 10_000;
  const executions = quick ? 20_000 : 1_000_000;
  const asks = quick ? 20 : 100;
  const cluster = await aBareCluster();
  try {
    const began = performance.now();
    const until = Date.now();
    const spanMs = 30 * 86_400_000;
    const histories = await seed(cluster, jobs, executions, until - spanMs, until);
    const seededMs = performance.now() - began;
    await cluster.startCenter();

    const job = (place: number) => `job${String((place * 7_919) % (jobs - 1)).padStart(5, '0')}`;
    const instant = (place: number) => new Date(until - ((place * 7_907) % 29) * 86_400_000).toISOString();
    const deep: Record<string, (string | null)[]> = {
      jobs: await cursors(cluster, '/v1/jobs?limit=200', 20),
      executions: await cursors(cluster, '/v1/executions?limit=200', 50),
    };
    const at = (list: string, place: number) => encodeURIComponent(deep[list]?.[place % (deep[list]?.length ?? 1)] ?? '');
    const questions: Record<string, (place: number) => string> = {
      'jobs, first page': () => '/v1/jobs',
      'jobs, some page': place => `/v1/jobs?limit=200&cursor=${at('jobs', place)}`,
      'jobs disabled': () => '/v1/jobs?status=disabled',
      'jobs running': () => '/v1/jobs?status=running',
      'jobs last lost': () => '/v1/jobs?outcome=lost',
      'one job': place => `/v1/jobs/${job(place)}`,
      'executions, first page': () => '/v1/executions',
      'executions, 200 of some page': place => `/v1/executions?limit=200&cursor=${at('executions', place)}`,
      'executions of a job': place => `/v1/executions?job=${job(place)}`,
      'failed of a job': place => `/v1/executions?job=${job(place)}&outcome=failed`,
      'executions running': () => '/v1/executions?status=running',
      'executions failed': () => '/v1/executions?outcome=failed',
      'executions lost or cancelled': () => '/v1/executions?outcome=lost,cancelled',
      'executions on a host': place => `/v1/executions?host=host${place % HOSTS}`,
      'executions on a quiet host': () => '/v1/executions?host=quiet',
      'failed on a host': place => `/v1/executions?host=host${place % HOSTS}&outcome=failed`,
      'failed on a quiet host': () => '/v1/executions?host=quiet&outcome=failed',
      'failed of the crowded job': () => `/v1/executions?job=${CROWDED}&outcome=failed`,
      'the crowded job on a host': place => `/v1/executions?job=${CROWDED}&host=host${place % HOSTS}`,
      'the crowded job on a quiet host': () => `/v1/executions?job=${CROWDED}&host=quiet`,
      'a job on a host': place => `/v1/executions?job=${job(place)}&host=host${place % HOSTS}`,
      'executions on a host until a day': place => `/v1/executions?host=host${place % HOSTS}&to=${instant(place)}&limit=200`,
      'done on a host of one day': place => `/v1/executions?host=host${place % HOSTS}&status=done&from=${instant(place)}`,
      'executions until a day': place => `/v1/executions?to=${instant(place)}`,
      'lost until a day': place => `/v1/executions?outcome=lost&to=${instant(place)}`,
      'done and lost': () => '/v1/executions?status=done&outcome=lost',
      'logs of a job': () => LOGS,
      'logs of a job, some page': place => `${LOGS}?pageIndex=${1 + ((place * 37) % pages)}`,
      'failed logs of a job, some page': place => `${LOGS}?stat=-1&pageIndex=${1 + (place % Math.ceil(pages / 50))}`,
      'logs of a job until a day': place => `${LOGS}?to=${instant(place)}&pageIndex=${1 + (place % 20)}`,
      hosts: () => '/v1/hosts',
      'history of a job': place => `/v1/history/job/${job(place)}`,
      'history of an execution': place => `/v1/history/execution/${encodeURIComponent(histories[place % histories.length] ?? '')}`,
    };
    const { data } = await cluster.call<{ data: { total: number } }>('GET', LOGS);
    const pages = Math.ceil(data.total / 20);
    const took: Record<string, number[]> = Object.fromEntries(Object.keys(questions).map(name => [name, []]));
    const cpuBefore = cpuSecondsOf(cluster.centerPid);
    for (let ask = -3; ask < asks; ask++) {
      for (const [name, path] of Object.entries(questions)) {
        const from = performance.now();
        await cluster.call<Page>('GET', path(Math.abs(ask)));
        if (ask >= 0) took[name]?.push(performance.now() - from);
      }
    }
    const cpuMs = (cpuSecondsOf(cluster.centerPid) - cpuBefore) * 1_000;
    const all = Object.values(took).flat();
    const slowest = Object.entries(took)
      .map(([name, each]) => ({ name, p99: quantile(each, 0.99) }))
      .sort((a, b) => b.p99 - a.p99);
    return {
      name: 'lists',
      judged: [
        atMost(`${executions.toLocaleString('en')} executions, any page, p99`, rounded(quantile(all, 0.99), 1), GOAL_MS, 'ms'),
        atMost('p99 of the slowest kind of page', rounded(slowest[0]?.p99 ?? Number.NaN, 1), GOAL_MS, 'ms'),
      ],
      figures: {
        jobs,
        executions,
        centerMsPerPage: rounded(cpuMs / ((asks + 3) * Object.keys(questions).length), 3),
        p50Ms: rounded(quantile(all, 0.5), 2),
        kinds: slowest.length,
        kindsBeyondTheGoal: slowest.filter(({ p99 }) => p99 > GOAL_MS).length,
        ...Object.fromEntries(slowest.slice(0, 6).map(({ name, p99 }) => [`p99 ${name}`, rounded(p99, 1)])),
        seededSeconds: rounded(seededMs / 1000, 1),
        centerMB: memoryOf(cluster.centerPid),
      },
    };
  } finally {
    await cluster.close();
  }
}

/**
 * Evenly over the span; one in 50 failed, one in 5,000 lost or cancelled, the newest fifty still
 * run. A tenth of all are of one job, which has never failed, and half of the hosts have no
 * failure. The host `quiet` has had a single run, long ago. Returns one in ten addresses, those
 * whose history is kept: retention deletes facts first.
 */
async function seed(cluster: Cluster, jobs: number, executions: number, from: number, until: number): Promise<string[]> {
  const job = scheduledJobs({});
  const nameOf = (place: number) => `job${String(place % jobs).padStart(5, '0')}`;
  const hosts = [...Array.from({ length: HOSTS }, (_, place) => `host${place}`), 'quiet'];
  const ends = {
    running: executionsOf({}, null),
    lost: executionsOf({}, 'lost'),
    cancelled: executionsOf({}, 'cancelled'),
    failed: executionsOf({}, 'failed'),
    succeeded: executionsOf({}, 'succeeded'),
  };
  const endOf = (place: number): keyof typeof ends => {
    if (place >= executions - 50) return 'running';
    if (place % 5_000 === 1) return 'lost';
    if (place % 5_000 === 2) return 'cancelled';
    return place % 50 === 3 ? 'failed' : 'succeeded';
  };
  const stepMs = (until - from) / executions;
  const jobOf = (place: number) => (place % 10 === 7 ? CROWDED : place % 100 === 11 ? LOGGED : nameOf(place * 7_919));
  const logged = scheduledJobs({ id: LOGGED_ID });
  const histories: string[] = [];
  await fillStore(dataOf(cluster), (fill, { keepOutput, keepPostedLog }) => {
    fill(jobs - 1, place => job({ name: nameOf(place), cron: '0 0 3 1 1 ?', at: from }));
    fill(1, () => job({ name: CROWDED, cron: '0 0 3 1 1 ?', at: from }));
    fill(1, () => logged({ name: LOGGED, cron: '0 0 3 1 1 ?', at: from }));
    fill(hosts.length, place => aHost(hosts[place] ?? '', from));
    fill(executions, place => {
      const host = place === 5 ? 'quiet' : `host${(place * 31) % HOSTS}`;
      const write = ends[endOf(place)]({
        job: jobOf(place),
        at: Math.round(from + place * stepMs),
        host,
      });
      const id = write.document.address.slice('execution/'.length);
      if (place % 100 === 11) keepOutput(outputOf(id));
      if (place % 200 === 11) keepPostedLog(postedBeside(place, write.document.index.at + 5_000));
      if (place % 10 !== 4) return { ...write, facts: [] };
      if (place % 1_000 === 4) histories.push(id);
      return write;
    });
  });
  return histories;
}

/** Two pieces of output, and one of errors. */
const outputOf = (execution: string) => [
  aChunk({ execution, seq: 1, text: 'a line of output that someone may read\n'.repeat(100) }),
  aChunk({ execution, seq: 2, text: 'a line of errors\n', stream: 'stderr' }),
  aChunk({ execution, seq: 3, text: 'and the end of it\n' }),
];
const postedBeside = (place: number, at: number) =>
  aPostedLog({
    job: LOGGED_ID,
    id: `m${place}`,
    at,
    receivedAt: at,
    stdout: 'a line of a log\n'.repeat(250),
    stat: place % 5_000 === 11 ? -1 : 0,
  });

const aHost = (name: string, at: number) =>
  played(`host/${name}`, [
    { at, event: { type: 'host.enroll', id: name, name, pool: 'default', publicKey: name, graceMs: 60_000 } as { type: string } },
  ]);

/** Cursors of pages one behind the other. */
async function cursors(cluster: Cluster, path: string, pages: number): Promise<string[]> {
  const found: string[] = [];
  for (let cursor: string | null = null; found.length < pages; ) {
    const page: Page = await cluster.call('GET', `${path}${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
    cursor = page.next;
    if (cursor === null) break;
    found.push(cursor);
  }
  return found;
}
