/**
 * `bun run kills [--kills 1000] [--seed 1]`: the long form of `kill.test.ts`. A center and three
 * hosts work while one of them, one agent or one keeper is killed with -9 again and again, at
 * moments drawn from the seed. In the end the acknowledged triggers, the ledger, the output and
 * what each process wrote down itself must be the same story.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv, echo } from 'zx';
import { aCluster, until } from '../support/cluster.ts';
import { judge, type Story } from './kills-judge.ts';

const kills = Number(argv.kills ?? 1_000);
const HOSTS = ['a1', 'a2', 'a3'] as const;
const KINDS = ['center', 'agent', 'keeper', 'host'] as const;
let state = Number(argv.seed ?? 1);
/** A small linear congruence: the same seed kills at the same turns. */
const draw = (below: number): number => {
  state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
  return Math.floor((state / 2 ** 31) * below);
};
const oneOf = <T>(choices: readonly [T, ...T[]]): T => choices[draw(choices.length)] ?? choices[0];

const cluster = await aCluster({ env: { TROUPE_LOG: 'warn', TROUPE_CLOSED_GRACE_MS: '1000' } });
try {
  await cluster.startCenter();
  for (const name of HOSTS) cluster.startAgent(name);
  await cluster.ready(...HOSTS);
  const marks = join(cluster.directory, 'marks');
  const mark = (word: string) => `echo ${word} $TROUPE_EXECUTION:$TROUPE_SHARD:$TROUPE_ATTEMPT $$ >> ${marks}`;
  const script = `${mark('began')}; echo $TROUPE_EXECUTION $TROUPE_SHARD; sleep 0.$((TROUPE_SHARD * 3)); ${mark('ended')}; exit $((TROUPE_SHARD % 2))`;
  const command = ['sh', '-c', script];
  const schedules = [{ type: 'cron', cron: '* * * * * ?' }];
  const many = { overlap: 'allow', overlapLimit: 1_000 };
  const tick = { name: 'tick', command, shards: { total: 4 }, schedules, ...many };
  const { createdAt } = await cluster.call<{ createdAt: string }>('POST', '/v1/jobs', tick);
  await cluster.call('POST', '/v1/jobs', { name: 'burst', command, shards: { total: 2 }, placement: 'sticky', ...many });
  await cluster.call('POST', '/v1/jobs', { name: 'moves', command, shards: { total: 2 }, failover: true, failoverLimit: 20, ...many });

  const acknowledged: string[] = [];
  const struck: Record<(typeof KINDS)[number], number> = { center: 0, agent: 0, keeper: 0, host: 0 };
  for (let kill = 1; kill <= kills; kill++) {
    for (const job of ['burst', 'moves']) {
      const answer = await cluster.call<{ execution: string }>('POST', `/v1/jobs/${job}/trigger`).catch(() => null);
      if (answer) acknowledged.push(answer.execution);
    }
    await new Promise(done => setTimeout(done, draw(300)));
    const kind = oneOf(KINDS);
    await strike(kind, oneOf(HOSTS));
    struck[kind] += 1;
    if (kill % 20 === 0) echo(`${kill} kills (${JSON.stringify(struck)}), ${acknowledged.length} triggers acknowledged`);
  }
  await until('the center serves again', async () => (await fetch(`${cluster.url}/v1/ready`).catch(() => null))?.ok ?? false);
  await cluster.ready(...HOSTS);
  await cluster.call('POST', '/v1/jobs/tick/disable');
  const isOver = async () => (await executions()).every(each => each.status === 'done');
  await until('all executions are done', isOver, 300_000);
  const found = await executions();
  const story: Story = {
    acknowledged,
    executions: found,
    marks: readFileSync(marks, 'utf8').trim().split('\n'),
    ledger: await cluster.all('/v1/jobs/tick/occurrences'),
    from: Date.parse(createdAt),
    hostsDied: struck.keeper + struck.host > 0,
    output: new Map(await Promise.all(found.map(async ({ id }) => [id, await outputOf(id)] as const))),
    living: living(marks),
  };
  const problems = judge(story);
  for (const problem of problems) echo(problem);
  const lost = found.flatMap(({ shards }) => shards).filter(({ outcome }) => outcome === 'lost').length;
  echo(
    `${kills} kills ${JSON.stringify(struck)}: ${acknowledged.length} acknowledged triggers, ${found.length} executions, ${story.ledger.length} due times, ` +
      `${story.marks.length} marks of processes, ${lost} shards lost with their keeper or host; ` +
      (problems.length === 0 ? 'nothing lost, doubled or untrue' : `${problems.length} problems`),
  );
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  await cluster.close();
}

async function strike(kind: (typeof KINDS)[number], name: string): Promise<void> {
  if (kind === 'center') {
    await cluster.killCenter();
    return cluster.startCenter();
  }
  // A host without a keeper has not come back from the last kill.
  if (kind === 'agent' || cluster.keeperPid(name) === undefined) await cluster.killAgent(name);
  else if (kind === 'keeper') return cluster.killKeeper(name);
  else await cluster.killHost(name);
  cluster.startAgent(name);
}

async function executions(): Promise<Story['executions']> {
  const pages = await Promise.all(
    ['tick', 'burst', 'moves'].map(job => cluster.all<Story['executions'][number]>(`/v1/executions?job=${job}`)),
  );
  return pages.flat();
}

async function outputOf(id: string): Promise<string> {
  const answer = await fetch(`${cluster.url}/v1/executions/${encodeURIComponent(id)}/logs`, { headers: { accept: 'text/plain' } });
  if (!answer.ok) throw new Error(`the log of ${id}: ${answer.status}`);
  return answer.text();
}

/** Processes of jobs that are still there. */
function living(marks: string): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return words.startsWith('sh\0-c\0') && words.includes(marks);
      } catch {
        return false; // it ended while we looked
      }
    });
}
