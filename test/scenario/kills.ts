/**
 * `bun run kills [--kills 1000] [--seed 1]`: the long form of `kill.test.ts`. A center and two agents work while one of the three is killed with -9 again and
 * again, at moments drawn from the seed. In the end nothing may be lost, doubled, orphaned, or told otherwise than the processes themselves wrote it down.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv, echo } from 'zx';
import { aRealHouse, type Execution, type House, until } from '../support/house.ts';

const kills = Number(argv.kills ?? 1_000);
let state = Number(argv.seed ?? 1);
/** A small linear congruence: the same seed kills at the same turns. */
const draw = (below: number): number => {
  state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
  return Math.floor((state / 2 ** 31) * below);
};

const house = await aRealHouse({ env: { TROUPE_LOG: 'warn' } });
try {
  await house.startCenter();
  house.startAgent('a1');
  house.startAgent('a2');
  await house.ready('a1', 'a2');
  const marks = join(house.directory, 'marks');
  const command = [
    'sh',
    '-c',
    `echo $TROUPE_EXECUTION:$TROUPE_SHARD:$TROUPE_ATTEMPT >> ${marks}; sleep 0.$((TROUPE_SHARD * 3)); exit $((TROUPE_SHARD % 2))`,
  ];
  const schedules = [{ type: 'cron', cron: '* * * * * ?' }];
  await house.call('POST', '/v1/jobs', { name: 'tick', command, shards: { total: 4 }, schedules, overlap: 'allow', overlapLimit: 20 });
  await house.call('POST', '/v1/jobs', { name: 'burst', command, shards: { total: 2 } });

  const named = new Set<string>();
  for (let kill = 1; kill <= kills; kill++) {
    const answer = await house.call<{ execution: string }>('POST', '/v1/jobs/burst/trigger').catch(() => null);
    if (answer) named.add(answer.execution);
    await new Promise(done => setTimeout(done, draw(300)));
    await strike(draw(3));
    if (kill % 20 === 0) echo(`${kill} kills, ${named.size} triggers answered`);
  }
  await until('everything serves again', async () => (await fetch(`${house.url}/v1/ready`).catch(() => null))?.ok ?? false);
  await house.ready('a1', 'a2');
  await house.call('POST', '/v1/jobs/tick/disable');
  await until('all executions are done', async () => (await executions(house)).every(each => each.status === 'done'), 300_000);
  const problems = judge(await executions(house), named, readFileSync(marks, 'utf8').trim().split('\n'));
  for (const problem of problems) echo(problem);
  echo(`${kills} kills: ${problems.length === 0 ? 'nothing lost, nothing doubled' : `${problems.length} problems`}`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  await house.close();
}

async function strike(whom: number): Promise<void> {
  if (whom === 0) {
    await house.killCenter();
    return house.startCenter();
  }
  const name = whom === 1 ? 'a1' : 'a2';
  await house.killAgent(name);
  house.startAgent(name);
}

async function executions({ all }: House): Promise<Execution[]> {
  return [...(await all<Execution>('/v1/executions?job=tick')), ...(await all<Execution>('/v1/executions?job=burst'))];
}

function judge(found: Execution[], answered: Set<string>, marks: string[]): string[] {
  const problems: string[] = [];
  const ids = new Set(found.map(each => each.id));
  for (const id of answered) if (!ids.has(id)) problems.push(`${id} was answered and is not there`);
  const times = found.flatMap(each => (each.dueAt === null ? [] : [each.dueAt]));
  if (new Set(times).size !== times.length) problems.push('a due time became two executions');
  const begun = new Map<string, number>();
  for (const mark of marks) begun.set(mark, (begun.get(mark) ?? 0) + 1);
  for (const [mark, count] of begun) if (count > 1) problems.push(`${mark} began ${count} times`);
  for (const { id, shards } of found) {
    for (const { item, attempt, outcome, exitCode, reason } of shards) {
      const began = begun.has(`${id}:${item}:${attempt}`);
      const told = `${id} shard ${item} is ${outcome} with ${exitCode} (${reason})`;
      // No keeper and no host was lost, so every process that began must have been heard to the end.
      if (!began) problems.push(`${told}, but never began`);
      else if (exitCode !== item % 2 || outcome !== (item % 2 === 0 ? 'succeeded' : 'failed')) problems.push(told);
    }
  }
  return problems;
}
