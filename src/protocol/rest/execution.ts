/** An execution, its shards and their output. */
import { z } from 'zod';
import { endpoints } from './endpoint.ts';
import { choices, field, inOrder, instant, name, once, queryFlag, text } from './fields.ts';
import { listOf, paging } from './lists.ts';
import { count, created, moment, Quarantine, words } from './responses.ts';

export const OUTCOMES = ['succeeded', 'failed', 'timedOut', 'cancelled', 'lost'] as const;
export const Outcome = once(() => field(z.enum(OUTCOMES), 'how it ended; null: it has not'));

/** How an attempt stands or ended. */
const attempt = () => ({
  attempt: count('which attempt it is, from 1; 0: none was made', { example: 1 }),
  host: words('id of its host', 'h-3f9a').nullable(),
  hostName: words('name of its host', 'web-1').nullable(),
  outcome: Outcome().nullable(),
  exitCode: field(z.int().nullable(), 'of its process; null: it has none', { example: 0 }),
  signal: field(z.string().nullable(), 'the signal that ended its process', { example: 'SIGKILL' }),
  startedAt: moment('when its process began').nullable(),
  finishedAt: moment('when it ended').nullable(),
  reason: field(z.string().nullable(), 'the reason of its wait or its outcome', { example: 'its host is lost' }),
});

const Shard = once(() =>
  z
    .object({
      item: count('which shard it is'),
      parameter: words('the text for the processes of the shard', 'Beijing'),
      status: field(z.enum(['waiting', 'starting', 'running', 'ending', 'done']), 'where it stands'),
      ...attempt(),
      notBefore: moment('not before this instant does the next attempt ask for capacity').nullable(),
      output: field(
        z
          .object({
            stdoutBytes: count('written to standard output', { unit: 'bytes', example: 120 }),
            stderrBytes: count('written to standard error', { unit: 'bytes' }),
            leftOutBytes: count(
              'bytes of both streams that the log does not have: beyond its limits, dropped on the host, removed, or not here 30 s after the end',
              { unit: 'bytes' },
            ),
          })
          .nullable(),
        'how much its process wrote; null: it has not ended',
      ),
      past: field(z.array(z.object(attempt())), 'earlier attempts, oldest first'),
    })
    .meta({ id: 'Shard' }),
);
export type Shard = z.output<ReturnType<typeof Shard>>;

export const Execution = once(() =>
  z
    .object({
      id: words('its job and the instant that it is for', 'nightly@20261122T080000.000Z'),
      job: words('name of its job', 'nightly'),
      trigger: field(z.enum(['schedule', 'api', 'misfire', 'retry']), 'what made it'),
      dueAt: moment('the due time that it is for; null: it was triggered').nullable(),
      retryOf: field(z.string().nullable(), 'the execution that it repeats', { example: 'nightly@20261121T080000.000Z' }),
      startedAt: moment('when its first process began').nullable(),
      finishedAt: moment('when it ended').nullable(),
      status: field(z.enum(['pending', 'running', 'cancelling', 'done']), 'where it stands'),
      outcome: Outcome().nullable(),
      reason: field(z.string().nullable(), 'the reason of its wait or its outcome', { example: 'no host of pool west has capacity' }),
      quarantine: Quarantine(),
      pool: words('where it runs', 'west'),
      app: field(z.string().nullable(), 'the app that it runs', { example: 'my_app' }),
      shards: field(z.array(Shard()), 'its shards, in their order'),
      ...created(),
    })
    .meta({ id: 'Execution' }),
);
export type Execution = z.output<ReturnType<typeof Execution>>;

/** The answer of a POST that starts something. */
export const Started = once(() =>
  z.object({ execution: words('id of the execution', 'nightly@20261122T080000.000Z') }).meta({ id: 'Started' }),
);

const OutputLine = once(() =>
  z
    .object({
      seq: count('counts up within a shard over all attempts; continue behind it with `after`', { example: 12 }),
      at: moment('when the host read it'),
      stream: field(z.enum(['stdout', 'stderr']), 'which stream it was written to'),
      text: words('what was written, as it came', 'copied 120 rows\n'),
      leftOut: count('bytes of this stream that are not kept, between the line before and the one behind', {
        unit: 'bytes',
        example: 4_096,
      }).optional(),
      item: count('the shard'),
      attempt: count('which attempt of the shard', { example: 1 }),
    })
    .meta({ id: 'OutputLine' }),
);
export type OutputLine = z.output<ReturnType<typeof OutputLine>>;

/** Query of requests that stop new starts. */
export const KillQuery = z.object({ kill: field(queryFlag(), 'ends what runs, too').default(false) });

const ListQuery = z
  .object({
    ...paging,
    job: field(name(), 'only those of a job', { takes: 'JOB' }).optional(),
    status: field(choices(['pending', 'running', 'cancelling', 'done']), 'only those in these states').optional(),
    outcome: field(choices(OUTCOMES), 'only those with one of these outcomes').optional(),
    host: field(text(300, 1), 'only those with a shard on a host, by its id or its name', { example: 'web-1', takes: 'HOST' }).optional(),
    from: field(instant(), 'not earlier').optional(),
    to: field(instant(), 'earlier than').optional(),
  })
  .superRefine(inOrder);

const LogQuery = z.strictObject({
  shard: field(
    z
      .string()
      .regex(/^\d{1,4}$/, 'a shard number')
      .transform(Number)
      .meta({ written: { type: 'integer', minimum: 0, maximum: 9_999 } }),
    'only this shard; default: all',
    { example: 0, help: 'only this shard, from 0', usual: 'all' },
  ).optional(),
  stream: field(z.enum(['stdout', 'stderr', 'both'], 'stdout, stderr or both'), 'which stream; default: both', {
    help: 'which stream',
    usual: 'both',
  }).optional(),
  follow: field(
    z.enum(['true', 'false'], 'true or false'),
    'whether the answer lasts until the output is complete; default: false',
  ).optional(),
  after: field(z.string().max(20_000, 'a position in this output'), 'go on behind a line: its `seq`, of all shards `0:SEQ,1:SEQ`', {
    example: '0:12,1:7',
    flag: null,
  }).optional(),
});

export const executionEndpoints = endpoints({
  'GET /v1/executions': {
    tag: 'executions',
    access: 'user',
    summary: 'Executions, newest first.',
    query: ListQuery,
    answers: () => listOf(Execution()),
    refusals: [404, 409],
  },
  'GET /v1/executions/:id': { tag: 'executions', access: 'user', summary: 'One execution.', answers: Execution },
  'POST /v1/executions/:id/cancel': {
    tag: 'executions',
    access: 'user',
    summary: 'Ends an execution; the answer shows it on its way.',
    answers: Execution,
    status: 202,
  },
  'POST /v1/executions/:id/retry': {
    tag: 'executions',
    access: 'user',
    summary: 'Runs the job of an ended execution again, as a new execution.',
    takesKey: true,
    answers: Started,
    status: 202,
  },
  'POST /v1/executions/:id/release': {
    tag: 'executions',
    access: 'user',
    summary: 'Ends the quarantine of an execution: messages that wait for it are delivered.',
    answers: Execution,
  },
});

export const logEndpoints = endpoints({
  'GET /v1/executions/:id/logs': {
    tag: 'executions',
    access: 'user',
    summary: 'Output of an execution or of one shard, as NDJSON or text/plain; follow=true lasts until it is complete.',
    query: LogQuery,
    answers: { 'application/x-ndjson': OutputLine, 'text/plain': () => z.string() },
    refusals: [429],
  },
});
