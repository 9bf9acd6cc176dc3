/** Logs in responses of the Cloudtask dialect. */
import { z } from 'zod';
import { field, once } from '../../protocol/rest/fields.ts';
import { count, words } from '../../protocol/rest/responses.ts';
import { succeededWith } from './answers.ts';
import { momentOrNone } from './job-answers.ts';

/** In the order of the original, whose fields end with `createat`. */
const JobLog = once(() =>
  z
    .object({
      jobid: words('of the job', '399d4b159c65c9b34d2a3c41'),
      msgid: words('id of the execution, or of the message that brought the log', 'nightly@20261122T080000.000Z'),
      event: words('as `execerr`; of a run that was stopped, why', ''),
      group: words('`groupid` of the job', ''),
      stat: field(z.union([z.literal(0), z.literal(-1)]), '0: it went well or was stopped; -1: it failed', { example: 0 }),
      location: words('the runtime', 'myCluster'),
      command: words('what it ran', 'ps aux'),
      workdir: words('the directory of its job on the host; empty: it ran in another', '/var/lib/troupe/agent/jobs/1'),
      ipaddr: words('address of its host; empty: it had none', '192.168.2.80'),
      stdout: words('the last 64 KB of its output', 'done\n'),
      errout: words('the last 64 KB of its errors', ''),
      execerr: words('how it failed; empty: it did not', 'job execute exception:exit status 1'),
      execat: momentOrNone('when it began'),
      exectimes: count('how long it ran, ms', { example: 1_500 }),
      createat: count('when it ended, epoch ms', { example: 1_763_798_401_500 }),
      truncated: field(z.boolean(), 'whether `stdout` and `errout` are less than all of it', { example: false }),
    })
    .meta({ id: 'CloudtaskLog' }),
);
export type JobLog = z.output<ReturnType<typeof JobLog>>;

export const LogPage = once(() =>
  succeededWith(
    z.object({
      logs: field(z.array(JobLog()), 'newest first'),
      total: count('all logs that the filters choose', { example: 6 }),
      pageIndex: count('this page, from 1', { example: 1 }),
      pageSize: count('logs of a page', { example: 20 }),
    }),
  ),
);
