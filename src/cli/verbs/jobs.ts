/** `troupe jobs`: jobs, their settings, and the verdict of each due time. */

import type { BodyOf } from '../../protocol/rest/index.ts';
import type { Job, SavedJob } from '../../protocol/rest/job.ts';
import { EXIT, wrongUsage } from '../failure.ts';
import { flagOption, textOption } from '../options.ts';
import { type Family, type VerbCall, verb } from '../verb.ts';
import { singleLine } from '../width.ts';
import { checkExists, given, releaseOf, showList } from './common.ts';
import { jobLines, scheduleLine, whatOf } from './job-lines.ts';
import { jobBody, jobFlags, jobHints, loadJobSettings, removals } from './job-settings.ts';

/** Limit of schedules in one cell of a list; `jobs show` has them all. */
const SCHEDULES_SHOWN = 3;
function schedulesOf({ schedules }: Pick<Job, 'schedules'>): string {
  const shown = schedules.slice(0, SCHEDULES_SHOWN).map(scheduleLine).join(', ');
  return schedules.length > SCHEDULES_SHOWN ? `${shown} and ${schedules.length - SCHEDULES_SHOWN} more` : shown;
}

const list = verb({
  summary: 'lists jobs by name',
  takes: [],
  options: {},
  query: async () => (await import('../../protocol/rest/job.ts')).jobEndpoints['GET /v1/jobs'].query,
  async run(call) {
    const { state } = call.print.paint;
    const { app, pool } = call.query;
    const page = await call.client.list('GET /v1/jobs', { query: call.query });
    await checkExists(page, [
      () => app && call.client.call('GET /v1/apps/:name', { params: { name: app } }),
      () => pool && call.client.call('GET /v1/pools/:name', { params: { name: pool } }),
    ]);
    await showList(call, page, 'jobs', [
      { head: 'NAME', cell: job => job.name },
      { head: 'STATUS', cell: job => job.status, paint: state },
      { head: 'LAST', cell: job => job.lastOutcome ?? '', paint: state },
      { head: 'NEXT', cell: job => call.print.instant(job.nextAt) },
      { head: 'SHARDS', cell: job => String(job.shards.total), right: true, spare: true },
      { head: 'POOL', cell: job => job.pool, spare: true },
      { head: 'SCHEDULE', cell: schedulesOf, spare: true },
      { head: 'RUNS', cell: whatOf, spare: true },
    ]);
    return EXIT.done;
  },
});

const show = verb({
  summary: 'shows one job',
  takes: ['JOB'],
  options: {},
  async run(call) {
    const job = await call.client.call('GET /v1/jobs/:name', { params: { name: call.words[0] ?? '' } });
    await call.print.show(job, () => jobLines(call.print, job));
    return EXIT.done;
  },
});

/** Shows the saved job; its warnings go to standard error, with --json too. */
async function showSaved({ print, shell }: Pick<VerbCall, 'print' | 'shell'>, job: SavedJob, done: string): Promise<void> {
  const { nextDue, scheduleText } = job;
  await print.show(job, () => [
    `${done} ${job.name}`,
    ...scheduleText.flatMap(words => print.prose(`  due ${words}`, '    ')),
    ...(nextDue.length === 0 ? [] : print.prose(`  next ${nextDue.map(due => print.instant(due)).join(', ')}`, '    ')),
  ]);
  for (const { field, message } of job.warnings) shell.notify(singleLine(`warning: ${field}: ${print.localised(message)}`));
}

const create = verb({
  summary: 'registers a job, from flags, from a JSON file, or both',
  takes: ['[JOB]'],
  takesRest: true,
  options: {
    ...jobFlags,
    id: textOption('ID', 'its id, 24 hex digits that no other job has (default: one is drawn)'),
    disabled: flagOption('do not run it before it is enabled'),
  },
  settings: loadJobSettings,
  hints: jobHints,
  examples: [
    `troupe jobs create hello --cron '0/10 * * * * ?' -- sh -c 'echo hello from shard $TROUPE_SHARD'`,
    'troupe jobs create report --app my_app --shards 3 --attempts 3 --overlap queue',
    'troupe jobs create report --file reports.tar.gz --shell -- ./run.sh',
    'troupe jobs create --settings job.json',
  ],
  async run(call) {
    const [name] = call.words;
    const { disabled, id } = call.values;
    const body = { ...(await jobBody(call)), ...given({ id }), ...(name ? { name } : {}), ...(disabled ? { enabled: false } : {}) };
    if (!('name' in body)) throw wrongUsage('JOB is missing: troupe jobs create JOB, or a "name" in the file');
    await showSaved(call, await call.client.call('POST /v1/jobs', { body: body as BodyOf<'POST /v1/jobs'> }), 'created');
    return EXIT.done;
  },
});

const update = verb({
  summary: 'changes the given settings of a job; running executions keep the old ones',
  takes: ['JOB'],
  takesRest: true,
  options: { ...jobFlags, ...removals },
  settings: loadJobSettings,
  isChange: true,
  hints: jobHints,
  examples: ['troupe jobs update backup --env LEVEL=debug --unset-env TOKEN', 'troupe jobs update backup --no-schedule'],
  async run(call) {
    const body = await jobBody(call);
    if (Object.keys(body).length === 0) throw wrongUsage('no setting to change is given; --help lists the settings');
    await showSaved(call, await call.client.call('PATCH /v1/jobs/:name', { params: { name: call.words[0] ?? '' }, body: body }), 'updated');
    return EXIT.done;
  },
});

const enable = verb({
  summary: 'lets a job run again when it is due',
  takes: ['JOB'],
  options: {},
  async run({ client, print, words }) {
    const job = await client.call('POST /v1/jobs/:name/enable', { params: { name: words[0] ?? '' } });
    await print.show(job, () => [`enabled ${job.name}`]);
    return EXIT.done;
  },
});

const disable = verb({
  summary: 'keeps a job from starting new executions',
  takes: ['JOB'],
  options: {},
  query: async () => (await import('../../protocol/rest/execution.ts')).KillQuery,
  async run({ client, print, words, query }) {
    const job = await client.call('POST /v1/jobs/:name/disable', { params: { name: words[0] ?? '' }, query });
    await print.show(job, () => [`disabled ${job.name}`]);
    return EXIT.done;
  },
});

const stop = verb({
  summary: 'ends all open executions of a job, also those that wait; the job itself stays enabled',
  takes: ['JOB'],
  options: {},
  async run({ client, print, words }) {
    const job = await client.call('POST /v1/jobs/:name/stop', { params: { name: words[0] ?? '' } });
    await print.show(job, () => [`stopped ${job.name}`]);
    return EXIT.done;
  },
});

const remove = verb({
  summary: 'deletes a job and ends its running executions',
  takes: ['JOB'],
  options: {},
  async run({ client, print, words }) {
    await client.call('DELETE /v1/jobs/:name', { params: { name: words[0] ?? '' } });
    await print.show({ name: words[0], deleted: true }, () => [`deleted ${words[0]}`]);
    return EXIT.done;
  },
});

const release = releaseOf('JOB', 'a job', (client, name) => client.call('POST /v1/jobs/:name/release', { params: { name } }));

const occurrences = verb({
  summary: 'lists the due times of a job with their verdicts, the latest first',
  takes: ['JOB'],
  options: {},
  query: async () => (await import('../../protocol/rest/occurrence.ts')).occurrenceEndpoints['GET /v1/jobs/:name/occurrences'].query,
  async run(call) {
    const { summary, ...query } = call.query;
    const params = { name: call.words[0] ?? '' };
    if (summary) {
      const { from, to } = query;
      const counts = await call.client.call('GET /v1/jobs/:name/occurrences', { params, query: { summary: true, from, to } });
      await call.print.show(counts, () => countLines(call, counts));
      return EXIT.done;
    }
    const page = await call.client.list('GET /v1/jobs/:name/occurrences', { params, query });
    await showList(call, page, 'due times', [
      { head: 'DUE', cell: due => call.print.instant(due.dueAt) },
      { head: 'VERDICT', cell: due => due.verdict, paint: call.print.paint.state },
      { head: 'EXECUTION', cell: due => due.execution ?? '', spare: true },
      { head: 'WHY', cell: due => due.reason ?? '' },
    ]);
    return EXIT.done;
  },
});

function countLines({ print }: Pick<VerbCall, 'print'>, counts: object): string[] {
  const rows = Object.entries(counts).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  if (rows.length === 0) return ['no due times'];
  return print.table(rows, [
    { head: 'VERDICT', cell: ([verdict]) => verdict, paint: print.paint.state },
    { head: 'TIMES', cell: ([, times]) => String(times), right: true },
  ]);
}

const posted = verb({
  summary: 'lists logs of a job that other systems posted, the latest first; with ID its output',
  takes: ['JOB', '[ID]'],
  options: {},
  query: async () => (await import('../../protocol/rest/posted-log.ts')).postedLogEndpoints['GET /v1/jobs/:name/posted-logs'].query,
  async run(call) {
    const [name = '', id = ''] = call.words;
    if (id !== '') {
      const log = await call.client.call('GET /v1/jobs/:name/posted-logs/:id', { params: { name, id } });
      await call.print.show(log, () => [log.stdout, log.stderr].filter(text => text !== ''));
      return EXIT.done;
    }
    const page = await call.client.list('GET /v1/jobs/:name/posted-logs', { params: { name }, query: call.query });
    await showList(call, page, 'posted logs', [
      { head: 'ENDED', cell: log => call.print.instant(log.finishedAt) },
      { head: 'OUTCOME', cell: log => log.outcome, paint: call.print.paint.state },
      { head: 'HOST', cell: log => log.host },
      { head: 'ID', cell: log => log.id, spare: true },
      { head: 'WHY', cell: log => log.reason },
    ]);
    return EXIT.done;
  },
});

export const jobs: Family = {
  summary: 'commands with schedule and policies',
  verbs: { list, show, create, update, enable, disable, stop, delete: remove, release, occurrences, posted },
  hints: {
    run: '"troupe trigger JOB" runs a job now',
    trigger: '"troupe trigger JOB" runs a job now',
    start: '"troupe trigger JOB" runs a job now',
    logs: '"troupe logs JOB" shows the output of its last execution',
    history: '"troupe history JOB" lists its facts',
    next: '"troupe next JOB" lists its next due times',
    why: '"troupe why JOB" explains why it runs or does not',
    executions: '"troupe executions --job JOB" lists its executions',
    edit: '"troupe jobs update JOB" changes its settings',
    register: '"troupe jobs create JOB -- COMMAND" registers a job',
  },
};
