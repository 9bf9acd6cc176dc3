/** Jobs in responses of the Cloudtask dialect. */
import { z } from 'zod';
import { field, once, text } from '../../protocol/rest/fields.ts';
import { count, words } from '../../protocol/rest/responses.ts';
import { succeededWith } from './answers.ts';
import { JOB_FIELDS } from './job-body.ts';

const jobid = () => words('24 hex digits', '399d4b159c65c9b34d2a3c41');
const filename = () => words('its file; empty: none', 'reports.tar.gz');
const filecode = () => words('MD5 of the content of its file; of nothing where it has none', 'd41d8cd98f00b204e9800998ecf8427e');
const cmd = () => field(text(), 'its command as one line; empty: that of its app', { example: 'ps aux' });
const version = () => count('1 at first, one more with each edit', { example: 1 });
export const userOrNone = (description: string) => words(`${description}; empty: not known`, 'root');
export const momentOrNone = (description: string) =>
  z.string().meta({ format: 'date-time', description: `${description}; of the year 1: none`, examples: ['2026-11-22T08:00:00.000Z'] });

const { name, location, groupid, servers, env, description, timeout, enabled, schedule, notifysetting } = JOB_FIELDS;
const { timezone, misfire, failover, cpus, memorymb } = JOB_FIELDS;

export const STATS = [202, 200, 0, -1] as const;

export const JobDocument = once(() =>
  z
    .object({
      jobid: jobid(),
      name,
      location,
      groupid,
      servers,
      filename: filename(),
      files: field(
        z.array(
          z.object({
            name: filename(),
            createat: count('when another one took its place, epoch ms', { example: 1_763_798_400_000 }),
            filecode: filecode(),
          }),
        ),
        'its earlier contents, newest first, at most 60',
      ),
      cmd: cmd(),
      env,
      description,
      timeout,
      enabled,
      schedule,
      notifysetting,
      stat: field(
        z.literal(STATS),
        '202: no host is allocated to it; 200: an execution is open; -1: its last run failed, or it is in quarantine; 0: none of these',
        { example: 0 },
      ),
      execerr: words('how its last run failed; empty: it did not', 'job execute exception:exit status 1'),
      execat: momentOrNone('when its last run began'),
      nextat: momentOrNone('when it is due next'),
      createuser: userOrNone('whose request made it'),
      createat: momentOrNone('when it was made'),
      edituser: userOrNone('whose request changed it last'),
      editat: momentOrNone('when it was changed last'),
      filecode: filecode(),
      version: version(),
      timezone,
      misfire,
      failover,
      cpus,
      memorymb,
      cron: field(z.array(z.string()), 'its expressions of cron, which other APIs set', { example: ['0/5 * * * * ?'] }),
    })
    .meta({ id: 'CloudtaskJob' }),
);
export type JobDocument = z.output<ReturnType<typeof JobDocument>>;

export const JobBase = once(() =>
  z
    .object({
      jobid: jobid(),
      jobname: name,
      filename: filename(),
      filecode: filecode(),
      cmd: cmd(),
      env,
      timeout,
      version: version(),
      schedule,
    })
    .meta({ id: 'CloudtaskJobBase' }),
);
export type JobBase = z.output<ReturnType<typeof JobBase>>;

export const OneJob = once(() => succeededWith(z.object({ job: field(JobDocument(), 'the job') })));
export const JobPage = once(() =>
  succeededWith(
    z.object({
      jobs: field(z.array(JobDocument()), 'the jobs of this page, by name'),
      total: count('all jobs that the filters choose', { example: 6 }),
    }),
  ),
);
