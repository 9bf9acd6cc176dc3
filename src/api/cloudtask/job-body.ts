/**
 * Schemas of a job of Cloudtask in requests. `job-meaning.ts` maps it to a JobConfig, `job-json.ts`
 * maps that back. What the center alone knows is passed over like an unknown field.
 */
import { z } from 'zod';
import { isTimeZone } from '../../../actors/schedule/index.ts';
import { choice, cpus, field, flag, jobId, memoryMB, name, SPAN_MAX, TEXT_MAX, text, whole } from '../../protocol/rest/fields.ts';
import { JobSettings, MISFIRE_LIMIT } from '../../protocol/rest/job.ts';
import { EnvList } from './env-list.ts';
import { NotifySetting } from './notify-setting.ts';
import { ScheduleItem } from './schedule-item.ts';

const SCHEDULES_MAX = 100;
const schedulesRule = `a list of at most ${SCHEDULES_MAX} schedules`;
const zoneRule = 'an IANA time zone such as Europe/Berlin';
const idRule = '24 hex digits';

const codeRule = 'an MD5: 32 hex digits, or empty';
const fileCode = () =>
  z
    .string(codeRule)
    .regex(/^(?:[0-9a-fA-F]{32})?$/, codeRule)
    .transform(code => code.toLowerCase());

const cmdRule = `a text of 1 to ${TEXT_MAX} characters`;
const cmd = () => text(undefined, 1).refine(value => value.trim() !== '', 'a command that is not empty');

const Policy = () => choice(['skip', 'once', 'all']);
const Misfire = z.union(
  [
    Policy(),
    z.object(
      {
        policy: field(Policy(), 'as above', { example: 'all' }),
        limit: field(whole(1, 1_000), 'most that "all" makes good', { example: MISFIRE_LIMIT }).default(MISFIRE_LIMIT),
      },
      'an object {policy, limit}',
    ),
  ],
  'skip, once, all, or an object {policy, limit} of one of these and a whole number from 1 to 1000',
);
export type Misfire = z.output<typeof Misfire>;

/** The fields that a request may hold, without their defaults; an answer has most of them alike. */
export const JOB_FIELDS = {
  jobid: field(jobId(), '24 hex digits, unique in the center; default: drawn', { example: '399d4b159c65c9b34d2a3c41' }),
  name: field(name(), 'unique among the jobs of the center', { example: 'ACCT.ShippingCost.job' }),
  location: field(name(), 'its runtime', { example: 'myCluster' }),
  groupid: field(text(100), 'its group; empty: none', { example: '' }),
  servers: field(JobSettings.shape.servers.unwrap(), 'hosts that may run it, by name or address; empty: all', {
    example: ['192.168.2.81'],
  }),
  filename: field(text(200), 'its file: the newest content of this name, unless filecode says which; empty: none', {
    example: 'reports.tar.gz',
  }),
  filecode: field(fileCode(), 'MD5 of the content that it is bound to; empty: the newest of its name', {
    example: 'd41d8cd98f00b204e9800998ecf8427e',
  }),
  cmd: field(cmd(), 'its command, a text for a shell', { example: 'ps aux' }),
  env: field(EnvList(), 'environment of its processes, NAME=value', { example: ['LEVEL=debug'] }),
  description: field(text(10_000), 'for people', { example: 'copies the databases' }),
  timeout: field(whole(0, SPAN_MAX / 1_000), 'longest run, seconds; 0: no limit', { example: 0 }),
  enabled: field(z.union([z.literal(0), z.literal(1)], '0 or 1'), '1: it starts when it is due', { example: 1 }),
  schedule: field(z.array(ScheduleItem, schedulesRule).max(SCHEDULES_MAX, schedulesRule), 'when it is due'),
  notifysetting: field(NotifySetting, 'who is notified of the end of its executions'),
  timezone: field(
    text(100).refine(zone => zone === '' || isTimeZone(zone), zoneRule),
    'IANA time zone of its schedules; empty: that of its runtime',
    { example: 'Europe/Berlin' },
  ),
  misfire: field(Misfire, 'what becomes of due times that passed while the center was down', { example: 'skip' }),
  failover: field(flag(), 'whether an interrupted run moves to another host', { example: false }),
  cpus: field(cpus(), 'of a host', { unit: 'cores', example: 0.001 }),
  memorymb: field(memoryMB(), 'of a host', { unit: 'MB', example: 1 }),
} as const;

/** Body of POST. */
export const NewJobBody = z.object(
  {
    ...JOB_FIELDS,
    jobid: JOB_FIELDS.jobid.optional(),
    groupid: JOB_FIELDS.groupid.default(''),
    servers: JOB_FIELDS.servers.default([]),
    filename: JOB_FIELDS.filename.default(''),
    filecode: JOB_FIELDS.filecode.default(''),
    env: JOB_FIELDS.env.default([]),
    description: JOB_FIELDS.description.default(''),
    timeout: JOB_FIELDS.timeout.default(0),
    enabled: JOB_FIELDS.enabled.default(1),
    schedule: JOB_FIELDS.schedule.default([]),
    notifysetting: JOB_FIELDS.notifysetting.prefault({}),
    timezone: JOB_FIELDS.timezone.default(''),
    misfire: JOB_FIELDS.misfire.default('skip'),
    failover: JOB_FIELDS.failover.default(false),
    // A host takes as many as in the original, which knew neither.
    cpus: JOB_FIELDS.cpus.default(0.001),
    memorymb: JOB_FIELDS.memorymb.default(1),
  },
  'a JSON object',
);
export type NewJobBody = z.output<typeof NewJobBody>;

/**
 * Body of PUT: an absent field is unchanged. Names and command are compared with the job before
 * they are judged: the command of a job of another surface may be empty here.
 */
export const JobChangeBody = z
  .object(
    {
      ...JOB_FIELDS,
      jobid: field(z.string(idRule), 'its jobid, which stays', { example: '399d4b159c65c9b34d2a3c41' }),
      name: field(z.string('a name'), 'its name, which stays', { example: 'ACCT.ShippingCost.job' }),
      cmd: field(z.string(cmdRule), 'its command, a text for a shell', { example: 'ps aux' }),
    },
    'a JSON object',
  )
  .partial();
export type JobChangeBody = z.output<typeof JobChangeBody>;

/** What is judged of a change only where it differs from the job; the rest was judged before. */
export const ComparedFields = z.looseObject({ cmd: JOB_FIELDS.cmd.optional() });
