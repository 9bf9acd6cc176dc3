/**
 * A job. `JobFields` has every setting of it once: what requests may say, with limits and defaults,
 * what answers show, the reference, and the flags of the command line come from here.
 */
import { z } from 'zod';
import { MISFIRE_GRACE_MAX_MS } from '../../../actors/job/due-times.ts';
import { quotedValue } from '../../../actors/schedule/error.ts';
import { endpoints } from './endpoint.ts';
import { KillQuery, OUTCOMES, Outcome, Started } from './execution.ts';
import { choice, choices, command, cpus, field, flag, jobId, memoryMB, name, once, queryFlag, span, text, whole } from './fields.ts';
import { storedName } from './file.ts';
import { listOf, paging } from './lists.ts';
import { NotifyFields } from './notify.ts';
import { answered, PatchBody } from './patch.ts';
import { count, created, moment, Quarantine, words } from './responses.ts';
import { Schedule } from './schedule.ts';
import { secret } from './secrets.ts';

const JOB_ID = '0f8c2b6d1a3e4f5061728394';
/** Schedules of one job. */
const SCHEDULES_MAX = 100;
const ENV_MAX = 500;
/** A shard as a key: "00" would match no shard. */
const SHARD = /^(0|[1-9]\d{0,3})$/;

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,199}$/;
/** Longest part of a wrong name that a refusal repeats. */
const NAME_SHOWN = 60;

/** No refusal repeats a value. */
const env = () => {
  const rule = `an object of at most ${ENV_MAX} texts by name`;
  return secret(
    z
      .record(z.string(), text(), rule)
      .superRefine((entries, context) => {
        const wrong = Object.keys(entries).find(key => !VARIABLE.test(key));
        if (wrong === undefined) return;
        const shown = wrong.length > NAME_SHOWN ? `${wrong.slice(0, NAME_SHOWN)}…` : wrong;
        const message = `env.${shown} cannot be the name of a variable: letters, digits and "_" make one, at most 200, and no digit begins it.`;
        context.addIssue({ code: 'custom', path: [shown], message });
      })
      .refine(entries => Object.keys(entries).length <= ENV_MAX, rule),
  );
};

const user = () =>
  z
    .string('a user of the hosts, or null')
    .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/, 'a user of the hosts: letters, digits, "_", "." and "-", at most 100');

const SERVERS_MAX = 1_000;
const serversRule = `a list of at most ${SERVERS_MAX} host names or addresses`;
const SERVERS = 'names, in any case, or IP addresses of the hosts that may run it; empty: any of its pool';

/** Missed due times that `all` still runs, unless a job says how many. */
export const MISFIRE_LIMIT = 10;

const hex = (digits: number, rule: string) =>
  z
    .string(rule)
    .regex(new RegExp(`^[0-9a-fA-F]{${digits}}$`), rule)
    .transform(digest => digest.toLowerCase());

/** Earlier contents of one job. */
const EARLIER_MAX = 60;
const earlierRule = `a list of at most ${EARLIER_MAX} files {name, sha256}`;

/** A content of the file store. A name alone means its newest one. */
const fileFields = () => ({
  name: field(storedName(), 'its name', { example: 'reports.tar.gz' }),
  sha256: field(hex(64, 'a SHA-256: 64 hex digits'), 'just this content; default: the newest of its name', {
    example: 'a'.repeat(64),
  }).optional(),
  filecode: field(hex(32, 'an MD5: 32 hex digits'), 'MD5 of the content, as clients of Cloudtask know it; default: any', {
    example: 'd41d8cd98f00b204e9800998ecf8427e',
  }).optional(),
});
const FileField = () =>
  z.strictObject(
    {
      ...fileFields(),
      size: field(whole(0, Number.MAX_SAFE_INTEGER), 'of the content; default: any', { unit: 'bytes', example: 1_048_576 }).optional(),
    },
    'an object {name, sha256}, or null',
  );
const instantRule = 'an instant such as 2026-11-22T08:00:00.000Z';
const EarlierField = () =>
  z.strictObject(
    {
      ...fileFields(),
      replacedAt: field(z.iso.datetime({ error: instantRule, offset: true }), 'when another one took its place; default: now', {
        example: '2026-11-22T08:00:00.000Z',
      }).optional(),
    },
    'an object {name, sha256}',
  );

/** Every setting, in the order of answers. */
export const JobSettings = z.strictObject(
  {
    name: field(name(), 'unique among the jobs of the center', { flag: null }),
    pool: field(name(), 'where it runs; default: the pool of the center', {
      example: 'west',
      takes: 'POOL',
      help: 'where it runs',
      usual: 'the pool "default"',
    }).optional(),
    group: field(text(100, 1).nullable(), 'business group that lists find it by; null: none', {
      example: 'billing',
      takes: 'GROUP',
      help: 'business group that lists find it by',
    }).default(null),
    kind: field(choice(['transient', 'resident']), 'runs when due, or is kept running').default('transient'),
    app: field(name().nullable(), 'an app that is fetched, and brings the command unless one is given', {
      example: 'my_app',
      takes: 'APP',
    }).default(null),
    file: field(FileField().nullable(), 'what its runs find in their directory, an archive unpacked; not beside an app; null: none', {
      flag: null,
    }).default(null),
    files: field(z.array(EarlierField(), earlierRule).max(EARLIER_MAX, earlierRule), 'its earlier contents, newest first', {
      flag: null,
    }).default([]),
    keepDirectory: field(flag(), 'without an app: its runs on a host work in one directory, which stays from run to run', {
      help: 'its runs on a host work in one directory, which stays from run to run',
    }).default(false),
    command: field(command().nullable(), 'argv, or one text that is split without a shell; null: the command of its app', {
      example: ['sh', '-c', 'echo hello'],
      flag: null,
    }).default(null),
    shell: field(flag(), 'give the command, one text, to a shell as it is', {
      help: 'give the command, one text in quotes, to a shell as it is',
    }).default(false),
    env: field(env(), 'environment of its processes', { example: { LEVEL: 'debug' }, takes: 'NAME=VALUE' }).default({}),
    runAs: field(user().nullable(), 'user of the hosts that its processes run as; null: the one that each host names', {
      example: 'www-data',
      takes: 'USER',
      help: 'user of the hosts that its processes run as, where their agents allow it',
    }).default(null),
    parameter: field(text(), 'a text for its processes', { example: 'full' }).default(''),
    shards: field(
      z.strictObject(
        {
          total: field(whole(1, 1_000), 'into how many shards an execution is cut', { example: 3, flag: 'shards' }).default(1),
          parameters: field(z.record(z.string(), text(), 'an object of texts'), 'a text for the processes of one shard', {
            example: { 0: 'Beijing', 1: 'Shanghai' },
            flag: 'shard-parameter',
            takes: 'ITEM=TEXT',
          }).default({}),
        },
        'an object {total, parameters}',
      ),
      'how an execution is cut',
    ).prefault({}),
    schedules: field(
      z.array(Schedule, `a list of at most ${SCHEDULES_MAX} schedules`).max(SCHEDULES_MAX, `a list of at most ${SCHEDULES_MAX} schedules`),
      'when it is due; empty: when it is triggered',
      { flag: null },
    ).default([]),
    timeZone: field(text(100, 1), 'IANA time zone of its schedules that name none; default: that of its pool', {
      example: 'Europe/Berlin',
      takes: 'ZONE',
      help: 'of its schedules, such as Europe/Berlin',
    }).optional(),
    resources: field(
      z.strictObject(
        {
          cpus: field(cpus(), 'of a host, for each shard', { unit: 'cores', example: 0.5, flag: 'cpus' }).default(0.1),
          memoryMB: field(memoryMB(), 'for each shard', { unit: 'MB', example: 256, flag: 'memory' }).default(64),
        },
        'an object {cpus, memoryMB}',
      ),
      'what each shard takes of its host',
    ).prefault({}),
    placement: field(choice(['pack', 'sticky', 'spread']), 'how hosts are chosen').default('pack'),
    servers: field(z.array(text(253, 1), serversRule).max(SERVERS_MAX, serversRule), SERVERS, {
      example: ['web-1.example.org'],
      flag: 'server',
      takes: 'HOST',
    }).default([]),
    partial: field(flag(), 'start the shards that fit now, instead of all or none').default(false),
    overlap: field(choice(['skip', 'queue', 'allow', 'replace']), 'when it is due while it runs').default('skip'),
    overlapLimit: field(whole(1, 1_000), 'how many may wait with "queue", or be open at once with "allow"; default: 1 and 10', {
      example: 1,
      help: 'how many may wait with "queue", or be open at once with "allow"',
      usual: '1 and 10',
    }).optional(),
    misfire: field(
      z.strictObject(
        {
          policy: field(choice(['skip', 'once', 'all']), 'when its time passed while the center was down', { flag: 'misfire' }).default(
            'once',
          ),
          limit: field(whole(1, 1_000), 'most that "all" makes good', { example: 10, flag: 'misfire-limit' }).default(MISFIRE_LIMIT),
        },
        'an object {policy, limit}',
      ),
      'the policy for missed due times',
    ).prefault({}),
    misfireGraceMs: field(whole(0, MISFIRE_GRACE_MAX_MS), 'a due time later than this counts as missed', {
      unit: 'ms',
      example: 60_000,
    }).default(60_000),
    retry: field(
      z.strictObject(
        {
          attempts: field(whole(1, 1_000), 'how often a failed shard is tried in all', { example: 3, flag: 'attempts' }).default(1),
          backoffMs: field(span(), 'before the second attempt, doubling', { unit: 'ms', example: 1_000, flag: 'backoff' }).default(1_000),
          maxBackoffMs: field(span(), 'longest wait between attempts', { unit: 'ms', example: 300_000, flag: 'max-backoff' }).default(
            300_000,
          ),
          jitter: field(choice(['none', 'equal', 'full']), 'how much of a wait is left to chance: nothing, its second half, all of it', {
            flag: 'jitter',
          }).default('equal'),
        },
        'an object {attempts, backoffMs, maxBackoffMs, jitter}',
      ),
      'the policy for a failed shard',
    ).prefault({}),
    failover: field(flag(), 'move to another host when its own is lost').default(false),
    failoverLimit: field(whole(0, 1_000), 'how often a shard may move', { example: 3 }).default(3),
    failoverOnFailure: field(flag(), 'with failover: also a shard that failed, once its attempts are spent', {
      help: 'with --failover: also a shard that failed, once its attempts are spent',
    }).default(false),
    disconnect: field(choice(['continue', 'stop']), 'when its host cannot reach the center').default('continue'),
    disconnectMs: field(span(), 'with "stop": how long it may go on without its center; default: 60000', {
      unit: 'ms',
      example: 60_000,
      help: 'with "stop": how long it may go on without its center',
      flag: 'disconnect-after',
      usual: '1m; 0: for ever',
    }).optional(),
    timeoutMs: field(span(), 'longest run of a shard; 0: no limit', {
      unit: 'ms',
      example: 300_000,
      help: 'longest run of a shard',
      usual: '0, no limit',
    }).default(0),
    startWithinMs: field(span(), 'an execution that has started no process by then has failed; 0: no limit', {
      unit: 'ms',
      example: 600_000,
      help: 'an execution that has started no process by then has failed',
      usual: '0, no limit',
    }).default(0),
    killGraceMs: field(span(), 'from TERM to KILL', { unit: 'ms', example: 10_000 }).default(10_000),
    shardingContext: field(flag(), 'append the sharding context as the last argument, as ElasticJob scripts expect').default(false),
    notify: field(NotifyFields, 'who is notified of the end of its executions').prefault({}),
    description: field(text(10_000), 'for people', { example: 'copies the databases' }).default(''),
    enabled: field(flag(), 'whether it starts when it is due', { flag: null }).default(true),
  },
  'a JSON object',
);

const consistent = (job: z.output<typeof JobSettings>, context: z.core.$RefinementCtx) => {
  const refuse = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
  const beyond = Object.keys(job.shards.parameters).find(item => !SHARD.test(item) || Number(item) >= job.shards.total);
  if (beyond !== undefined) {
    const rule = `whole numbers from 0 to ${job.shards.total - 1}, written without leading zeros`;
    refuse(['shards', 'parameters'], `shards.parameters has a shard ${quotedValue(beyond)}, but its shards must be ${rule}.`);
  }
  if (job.retry.maxBackoffMs < job.retry.backoffMs) refuse(['retry', 'maxBackoffMs'], 'at least retry.backoffMs');
  if (job.shell && Array.isArray(job.command)) refuse(['shell'], 'false for a command that is a list: a shell takes one text');
};

export const JobFields = JobSettings.superRefine(consistent);

/** Of a registration: the settings, and the id that stays with the job. */
export const NewJobFields = JobSettings.extend({
  id: field(jobId(), 'no other job of the center may have it; default: one is drawn', { example: JOB_ID }).optional(),
}).superRefine(consistent);

const fileShown = () => ({
  name: words('its name', 'reports.tar.gz'),
  sha256: words('SHA-256 of the content', 'a'.repeat(64)),
  filecode: words('MD5 of the content, as clients of Cloudtask know it', 'd41d8cd98f00b204e9800998ecf8427e'),
});

export const Job = once(() =>
  z
    .object({
      ...answered(JobSettings),
      env: field(
        z.record(z.string(), z.string().nullable()),
        'environment of its processes; null: a value that only who may change the job sees',
        {
          example: { LEVEL: 'debug' },
        },
      ),
      file: field(
        z.object({ ...fileShown(), size: count('of the content', { unit: 'bytes', example: 1_048_576 }) }).nullable(),
        'what its runs find in their directory, an archive unpacked; null: none',
      ),
      files: field(
        z.array(z.object({ ...fileShown(), replacedAt: moment('when another one took its place') })),
        'its earlier contents, newest first, at most 60',
      ),
      id: words('24 hex digits in lower case; stays for the life of the job', JOB_ID),
      status: field(z.enum(['idle', 'running', 'disabled', 'deleting', 'deleted', 'quarantined']), 'its present state'),
      nextAt: moment('its next due time; null: it has none').nullable(),
      lastOutcome: Outcome().nullable().describe('how its latest execution ended'),
      lastExecution: words('id of its latest execution that ended', 'nightly@20261122T080000.000Z').nullable(),
      lastFinishedAt: moment('when that ended').nullable(),
      quarantine: Quarantine(),
      version: created().rev.describe('grows with each change of its settings'),
      updatedAt: moment('when its settings were changed last'),
      ...created(),
    })
    .meta({ id: 'Job' }),
);
export type Job = z.output<ReturnType<typeof Job>>;

/** The answer of create and update: the job, its schedules in words, next due times, warnings. */
const SavedJob = once(() =>
  Job()
    .extend({
      warnings: field(
        z.array(
          z.object({
            field: words('the field of the body that it is about', 'schedules[0].cron'),
            message: words('one sentence: the finding, and the remedy', 'pool west has no host with 64 cores.'),
          }),
        ),
        'settings that are valid but probably a mistake',
      ),
      scheduleText: field(z.array(z.string()), 'the schedules in words, in their order', { example: ['at 08:00, Monday to Friday'] }),
      nextDue: field(z.array(z.string()), 'the next three due times; none while the job is disabled', {
        example: ['2026-11-22T08:00:00.000Z'],
      }),
    })
    .meta({ id: 'SavedJob' }),
);
export type SavedJob = z.output<ReturnType<typeof SavedJob>>;

const ListQuery = z.object({
  ...paging,
  status: field(choices(['idle', 'running', 'disabled', 'deleting', 'quarantined']), 'only those in these states').optional(),
  outcome: field(choices(OUTCOMES), 'only those whose latest execution had one of these outcomes').optional(),
  app: field(name(), 'only those of an app', { example: 'my_app', takes: 'APP' }).optional(),
  pool: field(name(), 'only those of a pool', { example: 'west', takes: 'POOL' }).optional(),
  group: field(text(100, 1), 'only those of a business group', { example: 'billing', takes: 'GROUP' }).optional(),
  prefix: field(name(), 'only those whose name begins with this text', { example: 'night' }).optional(),
  text: field(text(100, 1), 'only those whose name contains this text, in any case', { example: 'report' }).optional(),
});

/** Of a trigger. */
export const TriggerQuery = z.object({
  onlyIdle: field(queryFlag(), 'refuses to start while an execution of the job is open, also one that waits').default(false),
});

export const jobEndpoints = endpoints({
  'GET /v1/jobs': { tag: 'jobs', access: 'user', summary: 'Jobs by name.', query: ListQuery, answers: () => listOf(Job()) },
  'POST /v1/jobs': {
    tag: 'jobs',
    access: 'user',
    summary: 'Registers a job.',
    takesKey: true,
    body: NewJobFields,
    answers: SavedJob,
    status: 201,
  },
  'GET /v1/jobs/:name': { tag: 'jobs', access: 'user', summary: 'One job.', answers: Job },
  'PATCH /v1/jobs/:name': {
    tag: 'jobs',
    access: 'user',
    summary: 'Changes the given fields; null puts one back to its default.',
    body: PatchBody,
    patches: JobFields,
    answers: SavedJob,
  },
  'DELETE /v1/jobs/:name': {
    tag: 'jobs',
    access: 'user',
    summary: 'Deletes a job and ends its running executions.',
    answers: null,
    status: 204,
  },
  'POST /v1/jobs/:name/trigger': {
    tag: 'jobs',
    access: 'user',
    summary: 'Runs a job now. The same Idempotency-Key gives the same execution, as long as it is among the last 200 of the job.',
    takesKey: true,
    query: TriggerQuery,
    answers: Started,
    status: 202,
  },
  'POST /v1/jobs/:name/stop': {
    tag: 'jobs',
    access: 'user',
    summary: 'Ends every open execution of a job, also one that waits. The job itself stays as it is.',
    answers: Job,
  },
  'POST /v1/jobs/:name/enable': { tag: 'jobs', access: 'user', summary: 'The job starts again when it is due.', answers: Job },
  'POST /v1/jobs/:name/disable': {
    tag: 'jobs',
    access: 'user',
    summary: 'The job starts no execution; with kill=true its open executions are stopped.',
    query: KillQuery,
    answers: Job,
  },
  'POST /v1/jobs/:name/release': {
    tag: 'jobs',
    access: 'user',
    summary: 'Ends the quarantine of a job: messages that wait for it are delivered.',
    answers: Job,
  },
});
