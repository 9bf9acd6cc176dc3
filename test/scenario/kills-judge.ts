/** Invariants after kills: the center's records against what the processes wrote. */
import type { Execution } from '../support/cluster.ts';

interface Attempt {
  attempt: number;
  outcome: string | null;
  exitCode: number | null;
  reason: string | null;
}

export interface Story {
  /**
   * Executions that triggers were answered with. No job joins triggers, so each answer is an
   * execution of its own.
   */
  acknowledged: readonly string[];
  executions: readonly (Execution & { shards: (Attempt & { item: number; past: Attempt[] })[] })[];
  /** Lines `began|ended execution:item:attempt pid`. */
  marks: readonly string[];
  ledger: readonly { dueAt: string; verdict: string; execution: string | null; reason: string | null }[];
  /** Since when the scheduled job is there, epoch ms. */
  from: number;
  /** Keepers or hosts died, so a shard may be `lost`. */
  hostsDied: boolean;
  /** Bare text of each execution's log. */
  output: ReadonlyMap<string, string>;
  /** Pids of processes that should have ended. */
  living: readonly number[];
}

/** Sentences, one per untruth; none when all is well. */
export function judge(story: Story): string[] {
  const began = counted(story.marks, 'began');
  const ended = counted(story.marks, 'ended');
  return [
    ...triggers(story),
    ...[...began].filter(([, count]) => count > 1).map(([run, count]) => `${run} began ${count} times`),
    ...story.executions.flatMap(execution => shards(story, execution, began, ended)),
    ...ledger(story, began),
    ...story.living.map(pid => `process ${pid} of a job is still there`),
  ];
}

function counted(marks: readonly string[], word: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const mark of marks) {
    const [what, run = ''] = mark.split(' ');
    if (what === word) counts.set(run, (counts.get(run) ?? 0) + 1);
  }
  return counts;
}

function triggers({ acknowledged, executions }: Story): string[] {
  const ids = new Set(executions.map(({ id }) => id));
  const problems = acknowledged.filter(id => !ids.has(id)).map(id => `${id} was acknowledged and is not there`);
  if (new Set(acknowledged).size < acknowledged.length) problems.push('two triggers were answered with one execution');
  return problems;
}

function shards(story: Story, execution: Story['executions'][number], began: Map<string, number>, ended: Map<string, number>): string[] {
  const problems: string[] = [];
  const output = story.output.get(execution.id) ?? '';
  for (const shard of execution.shards) {
    for (const { attempt, outcome, exitCode, reason } of [...shard.past, shard]) {
      const run = `${execution.id}:${shard.item}:${attempt}`;
      const claim = `${run} is ${outcome} with ${exitCode} (${reason})`;
      if (outcome === 'lost') {
        // Its keeper or host died with it, so how it ended is unknown: no claim, but only where one
        // died.
        if (!story.hostsDied) problems.push(claim);
        continue;
      }
      if (outcome === 'failed' && exitCode === null && reason?.startsWith('parked: the agent died ')) {
        // Kills that twice met one run before its process: it is parked, which is true as long as
        // nothing began.
        if (began.has(run)) problems.push(`${claim}, but began`);
        continue;
      }
      if (!began.has(run)) problems.push(`${claim}, but never began`);
      if (!ended.has(run)) problems.push(`${claim}, but never came to its end`);
      if (exitCode !== shard.item % 2 || outcome !== (shard.item % 2 === 0 ? 'succeeded' : 'failed')) problems.push(claim);
      if (!output.includes(`${execution.id} ${shard.item}\n`)) problems.push(`${run} wrote a line that its log lacks`);
    }
  }
  return problems;
}

/** Each second from the registration on has one verdict, and the verdict matches the processes. */
function ledger({ ledger: entries, executions, from }: Story, began: Map<string, number>): string[] {
  const problems: string[] = [];
  const instants = entries.map(({ dueAt }) => Date.parse(dueAt)).toSorted((a, b) => a - b);
  const first = Math.floor(from / 1_000) * 1_000 + 1_000;
  instants.forEach((at, second) => {
    if (at !== first + second * 1_000)
      problems.push(`due time number ${second} is ${new Date(at).toISOString()}: one is missing or double`);
  });
  const begun = new Set([...began.keys()].map(run => run.split(':').slice(0, -2).join(':')));
  const byId = new Map(executions.map(execution => [execution.id, execution]));
  const scheduled = executions.flatMap(({ dueAt }) => (dueAt === null ? [] : [dueAt]));
  if (new Set(scheduled).size < scheduled.length) problems.push('a due time became two executions');
  for (const { dueAt, verdict, execution, reason } of entries) {
    const claim = `${dueAt} is ${verdict} (${reason})`;
    if (verdict === 'waiting') problems.push(`${claim}, and all executions are done`);
    if (verdict !== 'ran' && verdict !== 'notStarted') continue;
    if (execution === null || byId.get(execution)?.dueAt !== dueAt)
      problems.push(`${claim}, its execution ${execution} is not of that time`);
    else if (verdict === 'ran' && !begun.has(execution)) problems.push(`${claim}, and no process of ${execution} began`);
    else if (verdict === 'notStarted' && begun.has(execution)) problems.push(`${claim}, and a process of ${execution} began`);
  }
  return problems;
}
