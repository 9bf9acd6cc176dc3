/**
 * `bun run failovers [--kills 10] [--apart]`: the long form of `standby.test.ts`. Two centers on
 * one MongoDB, an agent, a job of each second. The center that serves is killed with -9 again and
 * again, the other one takes over, and the killed one comes back as a standby. In the end each due
 * time has one verdict, no run was lost and none ran twice.
 *
 * `--apart`: each center has a process namespace of its own (needs root), as on machines of their
 * own: a death is then seen by its silence alone.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv, echo } from 'zx';
import { aCluster, type Cluster, until } from '../support/cluster.ts';
import type { MongoServer } from '../support/mongo.ts';
import { aMongoServer } from '../support/mongo.ts';
import { judge, type Story } from './kills-judge.ts';

export interface Failovers {
  /** From the kill to the first answer of the other center that it is ready, ms. */
  takeoversMs: number[];
  /** From the kill to the agent's being ready there, ms. */
  agentMs: number[];
  /** The same from the end of a clean stop; its takeover, ms. */
  cleanMs: number;
  dueTimes: number;
  ran: number;
  /** Untruths, a sentence each. */
  problems: string[];
}

/** `beside` looks at a cluster with a center that serves and a standby. */
export async function failovers({
  server,
  kills,
  apart = false,
  beside = async () => {},
  say = () => {},
}: {
  server: MongoServer;
  kills: number;
  apart?: boolean;
  beside?(cluster: Cluster): Promise<void>;
  say?(sentence: string): void;
}): Promise<Failovers> {
  const database = server.database();
  const program = apart ? () => ['unshare', '--pid', '--fork', '--kill-child', process.execPath] : undefined;
  const cluster = await aCluster({
    centers: 2,
    env: { TROUPE_STORE: database.url, TROUPE_STANDBY: 'on', TROUPE_WORKERS: '1' },
    ...(program && { program: part => (part === 'center' ? program() : [process.execPath]) }),
  });
  try {
    await cluster.startCenter(0);
    await cluster.startStandby(1);
    cluster.startAgent('a1');
    await cluster.ready('a1');
    await beside(cluster);
    const createdAt = await tick(cluster);
    const found: Failovers = { takeoversMs: [], agentMs: [], cleanMs: 0, dueTimes: 0, ran: 0, problems: [] };
    let active = 0;
    for (let kill = 1; kill <= kills; kill++) {
      await someRuns(cluster);
      const from = performance.now();
      await cluster.killCenter(active);
      const next = await cluster.findCenter();
      found.takeoversMs.push(Math.round(performance.now() - from));
      await cluster.ready('a1');
      found.agentMs.push(Math.round(performance.now() - from));
      if (next === active) found.problems.push(`center ${next} serves after it was killed`);
      await cluster.startStandby(active);
      active = next;
      say(`kill ${kill}: center ${next} serves after ${found.takeoversMs.at(-1)} ms, the agent is there after ${found.agentMs.at(-1)} ms`);
    }
    if (!apart) {
      await someRuns(cluster);
      await cluster.stopCenter(active);
      const from = performance.now();
      await cluster.findCenter();
      found.cleanMs = Math.round(performance.now() - from);
      await cluster.ready('a1');
    }
    const story = await record(cluster, createdAt);
    found.dueTimes = story.ledger.length;
    found.ran = story.ledger.filter(({ verdict }) => verdict === 'ran').length;
    found.problems.push(...judge(story));
    return found;
  } finally {
    await cluster.close();
    await database.drop();
  }
}

const marksOf = ({ directory }: Cluster): string => join(directory, 'marks');

/** A job of each second, whose every process writes down its beginning and its end. */
async function tick(cluster: Cluster): Promise<number> {
  const mark = (word: string) => `echo ${word} $TROUPE_EXECUTION:$TROUPE_SHARD:$TROUPE_ATTEMPT $$ >> ${marksOf(cluster)}`;
  const script = `${mark('began')}; echo $TROUPE_EXECUTION $TROUPE_SHARD; sleep 0.5; ${mark('ended')}; exit $((TROUPE_SHARD % 2))`;
  const job = { name: 'tick', command: ['sh', '-c', script], schedules: [{ type: 'cron', cron: '* * * * * ?' }] };
  const { createdAt } = await cluster.call<{ createdAt: string }>('POST', '/v1/jobs', { ...job, overlap: 'allow', overlapLimit: 1_000 });
  return Date.parse(createdAt);
}

async function someRuns(cluster: Cluster): Promise<void> {
  const ran = async () => (await cluster.all('/v1/executions?job=tick&status=done')).length;
  const before = await ran();
  await until('the job ran', async () => (await ran()) > before);
}

async function record(cluster: Cluster, from: number): Promise<Story> {
  await cluster.call('POST', '/v1/jobs/tick/disable');
  const executions = () => cluster.all<Story['executions'][number]>('/v1/executions?job=tick');
  await until('all executions are done', async () => (await executions()).every(({ status }) => status === 'done'));
  const all = await executions();
  const logOf = async (id: string) =>
    (await fetch(`${cluster.url}/v1/executions/${encodeURIComponent(id)}/logs`, { headers: { accept: 'text/plain' } })).text();
  return {
    acknowledged: [],
    executions: all,
    marks: readFileSync(marksOf(cluster), 'utf8').trim().split('\n'),
    ledger: await cluster.all('/v1/jobs/tick/occurrences'),
    from,
    hostsDied: false,
    output: new Map(await Promise.all(all.map(async ({ id }) => [id, await logOf(id)] as const))),
    living: [],
  };
}

if (import.meta.main) {
  const server = await aMongoServer();
  try {
    const { takeoversMs, agentMs, cleanMs, dueTimes, ran, problems } = await failovers({
      server,
      kills: Number(argv.kills ?? 10),
      apart: argv.apart === true,
      say: echo,
    });
    for (const problem of problems) echo(problem);
    echo(
      `${takeoversMs.length} kills on ${server.kind}: taken over after ${Math.min(...takeoversMs)} to ${Math.max(...takeoversMs)} ms, ` +
        `the agent there after ${Math.min(...agentMs)} to ${Math.max(...agentMs)} ms, after a clean stop ${cleanMs} ms; ` +
        `${dueTimes} due times, ${ran} ran; ${problems.length === 0 ? 'each has one verdict, nothing lost or doubled' : `${problems.length} problems`}`,
    );
    process.exitCode = problems.length === 0 ? 0 : 1;
  } finally {
    await server.close();
  }
}
