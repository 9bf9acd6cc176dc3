/**
 * Executions per second without processes: triggered by REST, placed, started, reported and
 * recorded as always, every turn durable, by an agent of paper that answers at once. Each job is
 * triggered again as soon as its last execution is finished. Beside it, in the same run and where
 * PostgreSQL is installed, graphile-worker with as many callers: one row a job, no agent; then a
 * few of ours on MongoDB.
 */
import type { House } from '../support/house.ts';
import { watchFinished } from './facts.ts';
import { aPaperFleet } from './fleet.ts';
import { aBareHouse, askDatabase, cpuSecondsOf, onMongo } from './house.ts';
import { type Peer, startPeer } from './peer.ts';
import { atLeast, atMost, type BenchResult, median, noGoal, rounded, type Size } from './report.ts';

const JOBS = 128;
const GOAL = 2_500;

export async function bench({ quick }: Size): Promise<BenchResult[]> {
  const ours = await embedded(quick);
  const theirs = await onMongo(server => onServer(server, quick ? 40 : 100));
  return theirs ? [ours, theirs] : [ours];
}

async function onServer({ kind, url }: { kind: string; url: string }, executions: number): Promise<BenchResult> {
  const house = await aBareHouse({ store: url });
  try {
    const { fleet, loop } = await warm(house, executions);
    const rates: number[] = [];
    const cpuBefore = cpuSecondsOf(house.centerPid);
    for (let each = 0; each < 3; each++) rates.push(await loop.round(executions));
    const cpuSeconds = cpuSecondsOf(house.centerPid) - cpuBefore;
    loop.close();
    const succeeded = await house.all('/v1/executions?outcome=succeeded');
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
    await house.close();
  }
}

async function embedded(quick: boolean): Promise<BenchResult> {
  const executions = quick ? 1_000 : 5_000;
  const house = await aBareHouse();
  const peer = await startPeer({ callers: JOBS });
  try {
    const { fleet, loop } = await warm(house, executions);
    const ours: number[] = [];
    const theirs: { closed: number; drained: number }[] = [];
    const before = written(house);
    const cpuBefore = cpuSecondsOf(house.centerPid);
    let cpuSeconds = 0;
    for (let each = 0; each < 3; each++) {
      const cpuFrom = cpuSecondsOf(house.centerPid);
      ours.push(await loop.round(executions));
      cpuSeconds += cpuSecondsOf(house.centerPid) - cpuFrom;
      if (peer) theirs.push(await peer.round(executions));
    }
    const after = written(house);
    loop.close();
    const counted = askDatabase<{ count: number }>(
      house,
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
        centerCpuSeconds: rounded(cpuSecondsOf(house.centerPid) - cpuBefore, 1),
        ...beside(theirs, median(ours), peer),
      },
    };
  } finally {
    await peer?.stop();
    await house.close();
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
function written(house: House): Record<string, number> {
  const rows = askDatabase<{ kind: string; commits: number }>(house, 'select kind, sum(rev) as commits from actors group by kind');
  return Object.fromEntries(rows.map(({ kind, commits }) => [kind, commits]));
}

/** A center with an agent of paper that has run half a round. */
async function warm(house: House, executions: number) {
  await house.startCenter();
  const fleet = await aPaperFleet({ url: house.url, count: 1 });
  fleet.dial();
  await fleet.allUp();
  const loop = await aLoop(house);
  await loop.round(executions / 2);
  return { fleet, loop };
}

/** JOBS callers, each triggering its own job again once the feed says that it has finished. */
async function aLoop(house: House): Promise<{ round(executions: number): Promise<number>; close(): void }> {
  for (let job = 0; job < JOBS; job++) {
    await house.call('POST', '/v1/jobs', { name: `noop${job}`, command: ['true'], resources: { cpus: 0.01, memoryMB: 1 } });
  }
  const finished = await watchFinished(house.url);
  return {
    async round(executions) {
      const began = performance.now();
      let next = 0;
      const caller = async (job: number) => {
        while (next++ < executions) {
          const { execution } = await house.call<{ execution: string }>('POST', `/v1/jobs/noop${job}/trigger`);
          await finished.of(execution);
        }
      };
      await Promise.all(Array.from({ length: JOBS }, (_, job) => caller(job)));
      return (executions * 1000) / (performance.now() - began);
    },
    close: finished.close,
  };
}
