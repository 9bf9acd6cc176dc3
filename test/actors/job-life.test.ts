/** The job machine over time: due times, triggers, changes of its app, deregistration. */
import { describe, expect, test } from 'bun:test';
import type { JobConfig } from '../../actors/job/types.ts';
import { AT, anActor, asText, recorded, sentTo } from '../support/actor.ts';
import { aJob, anApp } from '../support/builders.ts';

const everyTen = [{ type: 'cron', cron: '0/10 * * * * ?' } as const];

function aScheduledJob(difference: Partial<JobConfig> = {}) {
  let salts = 0;
  return anActor(
    'job/nightly',
    { type: 'job.register', config: aJob({ schedules: everyTen, ...difference }) },
    { salt: () => `s${++salts}` },
  );
}
type Job = ReturnType<typeof aScheduledJob>;
type Outcome = ReturnType<Job['tell']>;
const trigger = (job: Job, key?: string) => job.ask(key === undefined ? { type: 'job.trigger' } : { type: 'job.trigger', key });
const idOf = (outcome: Outcome) => (outcome.answer as { execution: string }).execution;
const finish = (job: Job, execution: string) =>
  job.tell({ type: 'execution.finished', execution, outcome: 'succeeded', finishedAt: job.at });
const words = (outcome: Outcome) => outcome.effects.map(asText).filter(each => !each.startsWith('answer'));
const verdicts = (outcome: Outcome) => recorded(outcome).map(entry => [entry.verdict, entry.count]);
const known = (enabled: boolean, version: number) => ({ config: anApp(), version, enabled });

describe('a job with a schedule', () => {
  test('a job with a schedule fires at each due time, arms the next, and records an entry for each', () => {
    const job = aScheduledJob({ overlap: 'allow', overlapLimit: 9 });
    expect(job.timers).toEqual([{ id: 'due', inMs: 10_000 }]);
    const first = job.pass(10_000);
    expect(words(first)).toEqual(['tell execution/nightly@20261122T080010.000Z execution.create', 'record waiting']);
    expect(job.timers).toEqual([{ id: 'due', inMs: 10_000 }]);
    expect(verdicts(job.pass(20_000))).toEqual([
      ['waiting', 1],
      ['waiting', 1],
    ]);
  });

  test('a job with a schedule does not fire a due time again when the wall clock goes back', () => {
    const job = aScheduledJob({ overlap: 'allow', overlapLimit: 99 });
    job.pass(10_000);
    job.jump(-10_000);
    expect(job.pass(10_000).effects).toEqual([]);
    expect(verdicts(job.pass(10_000))).toEqual([['waiting', 1]]);
  });

  test('a job with a schedule queues executions and unblocks the next one when it is free', () => {
    const job = aScheduledJob({ overlap: 'queue', overlapLimit: 2 });
    for (let count = 0; count < 3; count++) job.pass(10_000);
    expect(verdicts(job.pass(10_000))).toEqual([['coalesced', 1]]);
    const [first, second, third] = job.context.open;
    expect([first?.blocked, second?.blocked, third?.blocked]).toEqual([null, 'turn', 'turn']);
    expect(words(finish(job, first?.id ?? ''))).toEqual([`tell execution/${second?.id} execution.unblock`]);
    expect(words(finish(job, second?.id ?? ''))).toEqual([`tell execution/${third?.id} execution.unblock`]);
  });

  test('a job with a schedule starts missed runs beside each other up to its limit when it allows several', () => {
    const job = aScheduledJob({ overlap: 'allow', overlapLimit: 3, misfire: { policy: 'all', limit: 5 }, misfireGraceMs: 0 });
    job.jump(1);
    job.pass(55_000);
    const held = () => job.context.open.map(open => open.blocked);
    expect(held()).toEqual([null, null, null, 'turn', 'turn']);
    const [first, , , fourth] = job.context.open;
    expect(words(finish(job, first?.id ?? ''))).toEqual([`tell execution/${fourth?.id} execution.unblock`]);
    expect(held()).toEqual([null, null, null, 'turn']);
  });

  test('a job with a schedule unblocks executions when an update allows more, unless it disables the job', () => {
    const waiting = () => {
      const job = aScheduledJob({ overlap: 'queue', overlapLimit: 3 });
      for (let count = 0; count < 4; count++) job.pass(10_000);
      return job;
    };
    const more = aJob({ schedules: everyTen, overlap: 'allow', overlapLimit: 3 });
    const job = waiting();
    const [, second, third] = job.context.open;
    const gone = words(job.ask({ type: 'job.update', config: more }));
    expect(gone).toEqual([second, third].map(open => `tell execution/${open?.id} execution.unblock`));
    expect(job.context.open.map(open => open.blocked)).toEqual([null, null, null, 'turn']);
    const off = waiting();
    const ended = off.context.open.slice(1).map(open => `tell execution/${open.id} execution.end`);
    expect(words(off.ask({ type: 'job.update', config: more, enabled: false }))).toEqual(ended);
  });

  test('a job with overlap replace ends what is open and waits for that end', () => {
    const job = aScheduledJob({ overlap: 'replace' });
    job.pass(10_000);
    const [old] = job.context.open;
    const next = job.pass(10_000);
    expect(words(next)).toEqual([
      'tell execution/nightly@20261122T080020.000Z execution.create',
      `tell execution/${old?.id} execution.end`,
      'record waiting',
    ]);
    expect(sentTo(next, 'execution/nightly@20261122T080020.000Z')).toMatchObject([{ blockedReason: `waits until ${old?.id} is done` }]);
    expect(words(finish(job, old?.id ?? ''))).toEqual(['tell execution/nightly@20261122T080020.000Z execution.unblock']);
  });

  test('a job with a schedule gives the due times of its disabled time one entry, and goes on from there', () => {
    const job = aScheduledJob();
    job.ask({ type: 'job.disable', kill: false });
    expect(job.timers).toEqual([]);
    job.jump(65_000);
    expect(verdicts(job.ask({ type: 'job.enable' }))).toEqual([['disabled', 6]]);
    expect(job.timers).toEqual([{ id: 'due', inMs: 5_000 }]);
  });

  test('a job with a schedule is disabled from its first turn when it is registered disabled, and starts when it is enabled', () => {
    const job = anActor('job/nightly', { type: 'job.register', config: aJob({ schedules: everyTen }), enabled: false });
    expect([job.state, job.timers, job.context.nextAt]).toEqual(['disabled', [], null]);
    expect(job.created.facts.map(fact => fact.type)).toEqual(['job.registered', 'job.disabled']);
    job.jump(25_000);
    expect(verdicts(job.ask({ type: 'job.enable' }))).toEqual([['disabled', 2]]);
    expect([job.state, job.timers]).toEqual(['enabled', [{ id: 'due', inMs: 5_000 }]]);
  });

  test('a job with a schedule fires nothing extra when one update changes and enables or disables it', () => {
    const every = (cron: string) => aJob({ schedules: [{ type: 'cron', cron }] });
    const job = aScheduledJob({ overlap: 'queue' });
    job.pass(10_000);
    job.pass(10_000);
    job.jump(5_000);
    const off = job.ask({ type: 'job.update', config: every('* * * * * ?'), enabled: false });
    expect([job.state, job.timers, job.context.nextAt]).toEqual(['disabled', [], null]);
    expect(words(off)).toEqual(['tell execution/nightly@20261122T080020.000Z execution.end']);
    expect(off.facts.map(fact => fact.type)).toEqual(['job.updated', 'job.disabled']);
    job.jump(30_000);
    const on = job.ask({ type: 'job.update', config: every('0 * * * * ?'), enabled: true });
    expect(verdicts(on)).toEqual([['disabled', 30]]);
    expect(on.facts.map(fact => fact.type)).toEqual(['job.skipped', 'job.updated', 'job.enabled']);
    expect([job.state, job.timers]).toEqual(['enabled', [{ id: 'due', inMs: 5_000 }]]);
  });

  test('a job claims hosts of the table of its pool while it is sticky and enabled', () => {
    const claims = 'tell table/default table.claim';
    const releases = 'tell table/default table.release';
    const update = (job: Job, config: Parameters<typeof aJob>[0]) => words(job.ask({ type: 'job.update', config: aJob(config) }));
    const job = aScheduledJob({ placement: 'sticky' });
    expect(words(job.created)).toEqual([claims]);
    expect(update(job, { placement: 'sticky', description: 'new' })).toEqual([claims]);
    expect(update(job, { placement: 'sticky', pool: 'blue' })).toEqual([releases, 'tell table/blue table.claim']);
    expect(update(job, { placement: 'spread', pool: 'blue' })).toEqual(['tell table/blue table.release']);
    expect(update(job, { placement: 'sticky' })).toEqual([claims]);
    expect(words(job.ask({ type: 'job.disable', kill: false }))).toEqual([releases]);
    expect(words(job.ask({ type: 'job.enable' }))).toEqual([claims]);
    expect(words(job.ask({ type: 'job.deregister' }))).toEqual([releases]);
  });

  test('a job with a schedule resolves the due times of the old schedule before it takes a new one', () => {
    const job = aScheduledJob();
    job.jump(15_000);
    const edited = job.ask({ type: 'job.update', config: aJob({ schedules: [{ type: 'cron', cron: '0 * * * * ?' }] }) });
    expect(verdicts(edited)).toEqual([['waiting', 1]]);
    expect(job.timers).toEqual([{ id: 'due', inMs: 45_000 }]);
  });

  test('a job with a schedule records the due times of its quarantine as refused', () => {
    const job = aScheduledJob({ app: 'my_app' });
    job.tell({ type: 'app.refused', app: 'my_app', reason: 'app my_app is gone' });
    expect(job.quarantine).toBe('app my_app is gone');
    job.jump(30_000);
    const released = job.release();
    expect(verdicts(released)).toEqual([['refused', 3]]);
    expect(words(released)).toContain('tell app/my_app app.attach');
  });
});

describe('a trigger', () => {
  test('a trigger waits while an execution runs, and further triggers join it', () => {
    const job = aScheduledJob({ schedules: [] });
    const first = idOf(trigger(job));
    const second = trigger(job);
    const third = trigger(job);
    expect(second.answer).toMatchObject({ joined: false });
    expect(third.answer).toEqual({ execution: idOf(second), joined: true });
    expect(words(finish(job, first))).toEqual([`tell execution/${idOf(second)} execution.unblock`]);
  });

  test('a trigger with a known key gets the same answer, also while the job is disabled', () => {
    const job = aScheduledJob({ schedules: [] });
    const retry = { type: 'job.retry', execution: 'nightly@x', key: 'once' } as const;
    const first = job.ask(retry);
    job.ask({ type: 'job.disable', kill: false });
    expect(job.ask(retry).answer).toEqual({ execution: idOf(first), joined: true });
    expect(job.ask({ ...retry, key: 'twice' }).refused).toBe('is disabled');
  });

  test('a trigger with a known key gets the same answer where a new key would be refused', () => {
    const job = aScheduledJob({ schedules: [], overlap: 'allow', overlapLimit: 1 });
    const first = idOf(trigger(job, 'k'));
    expect(trigger(job).refused).toBe('has 1 open executions, the limit is 1');
    expect(trigger(job, 'k').answer).toEqual({ execution: first, joined: true });
    job.ask({ type: 'job.disable', kill: true });
    expect(trigger(job, 'k').answer).toEqual({ execution: first, joined: true });
    expect(trigger(job, 'other').refused).toBe('is disabled');
  });

  test.each([
    ['skip', 1],
    ['queue', 9],
    ['allow', 9],
    ['replace', 1],
  ] as const)('a trigger for an idle job starts at once or is refused, with overlap %s too', (overlap, overlapLimit) => {
    const job = aScheduledJob({ overlap, overlapLimit, schedules: [] });
    const started = job.ask({ type: 'job.trigger', onlyIdle: true });
    expect(started.answer).toEqual({ execution: idOf(started), joined: false });
    const second = job.ask({ type: 'job.trigger', onlyIdle: true });
    expect(second).toMatchObject({ refused: 'is running', effects: [], facts: [] });
    // The cancelled execution is open until it reports its end.
    job.ask({ type: 'job.kill', reason: 'stopped' });
    expect(job.ask({ type: 'job.trigger', onlyIdle: true }).refused).toBe('is running');
    finish(job, idOf(started));
    expect(job.ask({ type: 'job.trigger', onlyIdle: true }).refused).toBeNull();
  });

  test('a trigger for an idle job is refused while an execution waits for its turn or for its app', () => {
    const job = anActor('job/nightly', { type: 'job.register', config: aJob({ app: 'my_app' }) });
    const start = { type: 'job.trigger', onlyIdle: true } as const;
    expect(job.ask(start).refused).toBeNull();
    expect(job.context.open.map(open => open.blocked)).toEqual(['app']);
    expect(job.ask(start).refused).toBe('is running');
  });

  test('a trigger is refused by a resident job', () => {
    const job = aScheduledJob({ schedules: [], kind: 'resident' });
    expect(trigger(job).refused).toBe('is resident and cannot be triggered');
    expect(job.ask({ type: 'job.retry', execution: 'nightly@x' }).refused).toBe('is resident and cannot be triggered');
  });

  test('a trigger is refused while its app is disabled', () => {
    const job = aScheduledJob({ schedules: [], app: 'my_app' });
    job.tell({ type: 'app.attached', app: known(false, 1) });
    expect(trigger(job).refused).toBe('cannot run: app my_app is disabled');
  });
});

describe('a job with an app', () => {
  test('a job with an app blocks its executions until the app answers', () => {
    const job = aScheduledJob({ schedules: [], app: 'my_app' });
    const execution = idOf(trigger(job));
    expect(words(job.tell({ type: 'app.attached', app: known(true, 1) }))).toEqual([`tell execution/${execution} execution.unblock`]);
  });

  test('a job with an app ends its blocked executions when the app answers that it is disabled', () => {
    const job = aScheduledJob({ schedules: [], app: 'my_app' });
    const execution = idOf(trigger(job));
    expect(words(job.tell({ type: 'app.attached', app: known(false, 1) }))).toEqual([`tell execution/${execution} execution.end`]);
  });

  test('a job with an app ends its blocked executions and lets running ones go on when the app is disabled', () => {
    const job = aScheduledJob({ schedules: [], app: 'my_app' });
    job.tell({ type: 'app.attached', app: known(true, 1) });
    trigger(job);
    const waiting = idOf(trigger(job));
    expect(words(job.tell({ type: 'app.changed', app: known(false, 2) }))).toEqual([`tell execution/${waiting} execution.end`]);
  });

  test('a job with an app gives the due times of a disabled app their verdict when it is enabled', () => {
    const job = aScheduledJob({ app: 'my_app' });
    job.tell({ type: 'app.attached', app: known(false, 1) });
    job.jump(30_000);
    expect(verdicts(job.tell({ type: 'app.changed', app: known(true, 2) }))).toEqual([['disabled', 3]]);
  });

  test('a job with an app goes on when an app that it no longer uses is deleted', () => {
    const job = aScheduledJob({ app: 'my_app' });
    job.ask({ type: 'job.update', config: aJob({ app: 'other' }) });
    job.tell({ type: 'job.deregister', app: 'my_app' });
    expect(job.state).toBe('enabled');
  });
});

describe('a job that is killed', () => {
  test('a job that is killed ends each open execution, also those that wait, and stays enabled', () => {
    const job = aScheduledJob({ overlap: 'queue', overlapLimit: 2 });
    for (let count = 0; count < 3; count++) job.pass(10_000);
    const ids = job.context.open.map(open => open.id);
    const killed = job.ask({ type: 'job.kill', reason: 'stopped by ann' });
    expect(ids.flatMap(id => sentTo(killed, `execution/${id}`))).toEqual(
      ids.map(() => ({ type: 'execution.end', reason: 'stopped by ann' })),
    );
    expect([ids.length, job.state, job.timers.length]).toEqual([3, 'enabled', 1]);
  });

  test('a job that is killed while idle accepts it without a change', () => {
    const job = aScheduledJob();
    const before = job.rev;
    expect(job.ask({ type: 'job.kill', reason: 'stopped by ann' })).toMatchObject({ refused: null, effects: [] });
    expect(job.rev).toBe(before);
  });
});

describe('a job that is deregistered', () => {
  test('a job that is deregistered ends its open executions and exists until they have ended', () => {
    const job = aScheduledJob({ schedules: [], overlap: 'allow', overlapLimit: 5 });
    const [first, second] = [idOf(trigger(job)), idOf(trigger(job))];
    expect(words(job.ask({ type: 'job.deregister' }))).toEqual([
      `tell execution/${first} execution.end`,
      `tell execution/${second} execution.end`,
    ]);
    finish(job, first);
    expect(job.state).toBe('deleting');
    finish(job, second);
    expect([job.state, trigger(job).refused]).toEqual(['deleted', 'is not there']);
  });

  test('a job that is deregistered does not wait for an execution that does not exist', () => {
    const job = aScheduledJob({ schedules: [] });
    const execution = idOf(trigger(job));
    job.ask({ type: 'job.deregister' });
    job.tell({ type: 'actor.missing', to: `execution/${execution}`, eventType: 'execution.end' });
    expect(job.state).toBe('deleted');
  });

  test('a job that is deregistered starts from the instant of its next registration', () => {
    const job = aScheduledJob();
    job.ask({ type: 'job.deregister' });
    job.jump(3_600_000);
    job.ask({ type: 'job.register', config: aJob({ schedules: everyTen }) });
    expect([job.context.watermark, job.timers]).toEqual([AT + 3_600_000, [{ id: 'due', inMs: 10_000 }]]);
  });
});
