/**
 * Executions per second without processes: triggered by REST, placed, started, reported and
 * recorded as always, every turn durable, by an agent of paper that answers at once. Each job is
 * triggered again as soon as its last execution is finished. Beside it, in the same run and where
 * PostgreSQL is installed, graphile-worker with as many callers: one row a job, no agent; then ours
 * with 10,000 sticky jobs in the pool, and a few on MongoDB.
 */
import type { Cluster } from '../support/cluster.ts';
import { aBareCluster, askDatabase, bytesWrittenBy, cpuSecondsOf, onMongo } from './cluster.ts';
import { watchFinished } from './facts.ts';
import { aSimulatedFleet } from './fleet.ts';
import { type Peer, startPeer } from './peer.ts';
import { registerJobs, tableSettled } from './registering.ts';
import { atLeast, atMost, type BenchResult, median, noGoal, rounded, type Size } from './report.ts';

export const JOBS = 128;
const GOAL = 2_500;

export async function bench({ quick }: Size): Promise<BenchResult[]> {
  const ours = [await embedded(quick), await besideSticky(quick)];
  const theirs = await onMongo(server => onServer(server, quick ? 40 : 100));
  return theirs ? [...ours, theirs] : ours;
}

async function onServer({ kind, url }: { kind: string; url: string }, executions: number): Promise<BenchResult> {
  const cluster = await aBareCluster({ store: url });
  try {
    const { fleet, loop } = await warm(cluster, executions);
    const rates: number[] = [];
    const cpuBefore = cpuSecondsOf(cluster.centerPid);
    for (let each = 0; each < 3; each++) rates.push(await loop.round(executions));
    const cpuSeconds = cpuSecondsOf(cluster.centerPid) - cpuBefore;
    loop.close();
    const succeeded = await cluster.all('/v1/executions?outcome=succeeded');
    await fleet.close();
    return {
      name: `noop on ${kind}`,
      judged: [
        noGoal('executions', rounded(median(rates), 1), '1/s'),
        atMost('lost executions', executions * 3.5 - succeeded.length, 0, 'executions'),
      ],
      figures: {
        server: kind,
        executionsPerRound: executions,
        jobs: JOBS,
        centerCpuMsPerExecution: rounded((cpuSeconds * 1000) / (3 * executions), 3),
      },
    };
  } finally {
    await cluster.close();
  }
}

/** The same on two centers in turn: one has thousands of sticky jobs in the pool besides. */
async function besideSticky(quick: boolean): Promise<BenchResult> {
  const executions = quick ? 500 : 5_000;
  const stickyJobs = quick ? 1_000 : 10_000;
  const rounds = quick ? 2 : 5;
  const [plain, sticky] = [await aBareCluster(), await aBareCluster()];
  try {
    const sides = { plain: await warm(plain, executions), sticky: await warm(sticky, executions) };
    await registerJobs(sticky, 'sticky', stickyJobs);
    await tableSettled(sticky);
    await sides.sticky.loop.round(executions / 2);
    const rates = { plain: [] as number[], sticky: [] as number[] };
    const bytes = { plain: 0, sticky: 0 };
    for (let round = 0; round < rounds; round++) {
      for (const [side, cluster] of [['plain', plain] as const, ['sticky', sticky] as const]) {
        const from = bytesWrittenBy(cluster.centerPid);
        rates[side].push(await sides[side].loop.round(executions));
        bytes[side] += bytesWrittenBy(cluster.centerPid) - from;
      }
    }
    for (const { fleet, loop } of Object.values(sides)) {
      loop.close();
      await fleet.close();
    }
    const perExecution = (side: 'plain' | 'sticky') => bytes[side] / (rounds * executions);
    return {
      name: 'noop beside sticky jobs',
      judged: [
        atLeast('executions/s of those without them', rounded((100 * median(rates.sticky)) / median(rates.plain), 1), 90, '%'),
        atMost(
          'bytes written per execution of those without',
          rounded((100 * perExecution('sticky')) / perExecution('plain'), 1),
          110,
          '%',
        ),
      ],
      figures: {
        ...{ stickyJobs, executionsPerRound: executions, rounds },
        ...{ perSecondWithout: Math.round(median(rates.plain)), perSecondWith: Math.round(median(rates.sticky)) },
        ...{ bytesWithout: Math.round(perExecution('plain')), bytesWith: Math.round(perExecution('sticky')) },
      },
    };
  } finally {
    await plain.close();
    await sticky.close();
  }
}

async function embedded(quick: boolean): Promise<BenchResult> {
  const executions = quick ? 1_000 : 5_000;
  const cluster = await aBareCluster();
  const peer = await startPeer({ callers: JOBS });
  try {
    const { fleet, loop } = await warm(cluster, executions);
    const ours: number[] = [];
    const theirs: { closed: number; drained: number }[] = [];
    const before = written(cluster);
    const cpuBefore = cpuSecondsOf(cluster.centerPid);
    let cpuSeconds = 0;
    for (let each = 0; each < 3; each++) {
      const cpuFrom = cpuSecondsOf(cluster.centerPid);
      ours.push(await loop.round(executions));
      cpuSeconds += cpuSecondsOf(cluster.centerPid) - cpuFrom;
      if (peer) theirs.push(await peer.round(executions));
    }
    const after = written(cluster);
    loop.close();
    const counted = askDatabase<{ count: number }>(
      cluster,
      `select count(*) as count from actors where kind = 'execution' and outcome = 'succeeded'`,
    );
    const lost = executions * 3.5 - (counted[0]?.count ?? 0);
    await fleet.close();
    const perExecution = Object.fromEntries(
      Object.entries(after).map(([kind, commits]) => [
        `${kind}CommitsPerExecution`,
        rounded((commits - (before[kind] ?? 0)) / (3 * executions), 2),
      ]),
    );
    return {
      name: 'noop',
      judged: [atLeast('executions', Math.round(median(ours)), GOAL, '1/s'), atMost('lost executions', lost, 0, 'executions')],
      figures: {
        executionsPerRound: executions,
        jobs: JOBS,
        ...perExecution,
        centerCpuMsPerExecution: rounded((cpuSeconds * 1000) / (3 * executions), 3),
        centerCpuSeconds: rounded(cpuSecondsOf(cluster.centerPid) - cpuBefore, 1),
        ...beside(theirs, median(ours), peer),
      },
    };
  } finally {
    await peer?.stop();
    await cluster.close();
  }
}

function beside(theirs: { closed: number; drained: number }[], ours: number, peer: Peer | null): Record<string, number | string> {
  if (!peer || theirs.length === 0) return { peer: 'no PostgreSQL here, measured without a peer' };
  const closed = median(theirs.map(each => each.closed));
  return {
    peer: peer.name,
    peerPerSecond: Math.round(closed),
    ratioToPeer: rounded(ours / closed, 2),
    peerFromFullQueuePerSecond: Math.round(median(theirs.map(each => each.drained))),
  };
}

/** Documents written so far, by kind: each commit of an actor counts its `rev` up by one. */
function written(cluster: Cluster): Record<string, number> {
  const rows = askDatabase<{ kind: string; commits: number }>(cluster, 'select kind, sum(rev) as commits from actors group by kind');
  return Object.fromEntries(rows.map(({ kind, commits }) => [kind, commits]));
}

/** A center with an agent of paper that has run half a round. `more`: settings of each job. */
export async function warm(cluster: Cluster, executions: number, more: (job: number) => object = () => ({})) {
  await cluster.startCenter();
  const fleet = await aSimulatedFleet({ url: cluster.url, count: 1 });
  fleet.dial();
  await fleet.allUp();
  const loop = await aLoop(cluster, more);
  await loop.round(executions / 2);
  return { fleet, loop };
}

/** JOBS callers, each triggering its own job again once the feed has its end. */
async function aLoop(
  cluster: Cluster,
  more: (job: number) => object,
): Promise<{ round(executions: number): Promise<number>; close(): void }> {
  for (let job = 0; job < JOBS; job++) {
    const own = { name: `noop${job}`, command: ['true'], resources: { cpus: 0.01, memoryMB: 1 } };
    await cluster.call('POST', '/v1/jobs', { ...own, ...more(job) });
  }
  const finished = await watchFinished(cluster.url);
  return {
    async round(executions) {
      const began = performance.now();
      let next = 0;
      const caller = async (job: number) => {
        while (next++ < executions) {
          const { execution } = await cluster.call<{ execution: string }>('POST', `/v1/jobs/noop${job}/trigger`);
          await finished.of(execution);
        }
      };
      await Promise.all(Array.from({ length: JOBS }, (_, job) => caller(job)));
      return (executions * 1000) / (performance.now() - began);
    },
    close: finished.close,
  };
}
