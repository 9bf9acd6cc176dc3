/** Logs of a job that other systems posted: runs that happened elsewhere. */
import { z } from 'zod';
import { endpoints } from './endpoint.ts';
import { choice, field, inOrder, instant, once } from './fields.ts';
import { listOf, paging } from './lists.ts';
import { count, moment, words } from './responses.ts';

const fields = () => ({
  id: words('unique among the posted logs of the job', 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'),
  outcome: field(z.enum(['succeeded', 'failed']), 'how the run went', { example: 'succeeded' }),
  startedAt: moment('when the run began').nullable(),
  finishedAt: moment('when it ended'),
  durationMs: count('how long it ran', { unit: 'ms', example: 1_500 }),
  receivedAt: moment('when the log came'),
  pool: words('its pool, as it was posted', 'default'),
  group: words('its group, as it was posted', ''),
  host: words('address of its host, as it was posted', '192.168.2.80'),
  command: words('what it ran, as it was posted', './run.sh'),
  directory: words('its directory on the host, as it was posted', '/var/lib/cloudtask/1'),
  event: words('as it was posted', ''),
  reason: words('why it failed, as it was posted; empty: it did not', 'job execute exception:exit status 1'),
  stdoutBytes: count('bytes of output that are kept', { unit: 'bytes', example: 5 }),
  stderrBytes: count('bytes of errors that are kept', { unit: 'bytes' }),
});

const PostedLogItem = once(() => z.object(fields()).meta({ id: 'PostedLog', description: 'a log without its output' }));

const WholePostedLog = once(() =>
  z
    .object({
      ...fields(),
      stdout: words('its output; a mark says how many bytes of a long one were left out', 'done\n'),
      stderr: words('its errors, likewise', ''),
    })
    .meta({ id: 'WholePostedLog', description: 'a log with its output' }),
);

export const postedLogEndpoints = endpoints({
  'GET /v1/jobs/:name/posted-logs': {
    tag: 'jobs',
    access: 'user',
    summary: 'Logs of runs elsewhere that other systems posted about the job, newest end first, without output.',
    query: z
      .object({
        ...paging,
        from: field(instant(), 'ended not earlier').optional(),
        to: field(instant(), 'ended not later').optional(),
        outcome: field(choice(['succeeded', 'failed']), 'only those that went so').optional(),
      })
      .superRefine(inOrder),
    answers: () => listOf(PostedLogItem()),
  },
  'GET /v1/jobs/:name/posted-logs/:id': {
    tag: 'jobs',
    access: 'user',
    summary: 'One posted log, with its output.',
    answers: WholePostedLog,
  },
});
