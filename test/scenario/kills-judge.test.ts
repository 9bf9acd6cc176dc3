/** The judge of the kill scenario finds each kind of violation. */
import { describe, expect, test } from 'bun:test';
import { judge, type Story } from './kills-judge.ts';

const AT = Date.parse('2026-11-22T08:00:00.000Z');
const instant = (second: number) => new Date(AT + second * 1_000).toISOString();

function aShard(item: number, differs: object = {}): Story['executions'][number]['shards'][number] {
  const outcome = item % 2 === 0 ? 'succeeded' : 'failed';
  return { item, attempt: 1, status: 'done', outcome, exitCode: item % 2, hostName: 'a1', reason: null, past: [], ...differs };
}

function anExecution(id: string, differs: object = {}): Story['executions'][number] {
  return { id, status: 'done', outcome: 'failed', dueAt: null, reason: null, shards: [aShard(0), aShard(1)], ...differs };
}

const marksOf = (id: string) => [0, 1].flatMap(item => [`began ${id}:${item}:1 7`, `ended ${id}:${item}:1 7`]);

function aStory(differs: Partial<Story> = {}): Story {
  const executions = [anExecution('burst@1'), anExecution('tick@1', { dueAt: instant(1) }), anExecution('tick@2', { dueAt: instant(2) })];
  return {
    acknowledged: ['burst@1'],
    executions,
    marks: executions.flatMap(({ id }) => marksOf(id)),
    ledger: [1, 2].map(second => ({ dueAt: instant(second), verdict: 'ran', execution: `tick@${second}`, reason: null })),
    from: AT,
    hostsDied: false,
    output: new Map(executions.map(({ id }) => [id, `${id} 0\n${id} 1\n`])),
    living: [],
    ...differs,
  };
}

const ran = (second: number, differs: object = {}) => ({
  ...{ dueAt: instant(second), verdict: 'ran', execution: `tick@${second}`, reason: null },
  ...differs,
});

describe('the judge of many kills', () => {
  test('the judge of many kills finds nothing wrong in a true record', () => {
    expect(judge(aStory())).toEqual([]);
  });

  const parked = aShard(1, { exitCode: null, reason: 'parked: the agent died 2 times while it prepared this run; it is not tried again' });

  test('the judge of many kills accepts a run as parked that never began', () => {
    const story = aStory({ executions: [anExecution('burst@2', { shards: [parked] }), ...aStory().executions] });
    expect(judge(story)).toEqual([]);
  });

  const lies: [string, Partial<Story>][] = [
    ['an acknowledged trigger that is not there', { acknowledged: ['burst@1', 'burst@2'] }],
    ['two triggers with one answer', { acknowledged: ['burst@1', 'burst@1'] }],
    ['a process that began twice', { marks: [...aStory().marks, 'began burst@1:0:1 9'] }],
    ['a shard that never began', { marks: aStory().marks.filter(mark => !mark.includes('burst@1:1:1')) }],
    ['a wrong exit code', { executions: [...aStory().executions, anExecution('x', { shards: [aShard(0, { exitCode: 3 })] })] }],
    [
      'a lost shard though nothing was killed that could lose it',
      { executions: [anExecution('burst@1', { shards: [aShard(0, { outcome: 'lost' })] })] },
    ],
    ['a parked run that began', { executions: [...aStory().executions.slice(1), anExecution('burst@1', { shards: [aShard(0), parked] })] }],
    ['a line that the log lacks', { output: new Map([...aStory().output, ['burst@1', 'burst@1 0\n']]) }],
    ['a due time without a verdict', { ledger: [ran(2)] }],
    ['a due time with two verdicts', { ledger: [ran(1), ran(1), ran(2)] }],
    ['a verdict that waits for ever', { ledger: [ran(1), ran(2, { verdict: 'waiting' })] }],
    ['a verdict "notStarted" of what began', { ledger: [ran(1), ran(2, { verdict: 'notStarted' })] }],
    ['a verdict that names an execution of another time', { ledger: [ran(1), ran(2, { execution: 'tick@1' })] }],
    ['a process that is still there', { living: [4711] }],
  ];
  test.each(lies)('the judge of many kills names %s', (_, lie) => {
    expect(judge(aStory(lie)).length).toBeGreaterThan(0);
  });
});
