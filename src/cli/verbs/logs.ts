/** `troupe logs EXECUTION|JOB`: the output of its processes. */

import type { Execution } from '../../protocol/rest/execution.ts';
import { EXIT, Failure, Interrupted } from '../failure.ts';
import { copyOutput } from '../follow.ts';
import { flagOption, instantOption, wholeOption } from '../options.ts';
import { type VerbCall, verb } from '../verb.ts';

export const logs = verb({
  summary: 'shows the output of an execution, or of the last execution of a job; with several shards each line names its shard',
  takes: ['EXECUTION|JOB'],
  options: {
    tail: wholeOption('N', 'only the last lines of each shard (default: all)'),
    since: instantOption('only output since then, such as 10m (ago), yesterday or "2026-11-22 08:00"', { spanIsPast: true }),
    timestamps: flagOption('begin each line with its time', { short: 't' }),
  },
  query: async () => (await import('../../protocol/rest/execution.ts')).logEndpoints['GET /v1/executions/:id/logs'].query,
  examples: ['troupe logs hello --tail 20 -f', 'troupe logs hello --since 1h --stream stderr', 'troupe logs hello@20261122T080000.000Z'],
  async run(call) {
    const { tail, since, timestamps } = call.values;
    const { stream = 'both', follow } = call.query;
    const shard = call.query.shard === undefined ? undefined : Number(call.query.shard);
    const { signal } = call.shell;
    const execution = await executionOf(call);
    await copyOutput(call, { execution, shard, stream, follow: follow === true, tail, since, timestamps, signal });
    call.shell.endLine();
    if (signal.aborted && signal.reason !== 'EPIPE') throw new Interrupted(`no longer following ${execution.id}`);
    return EXIT.done;
  },
});

/** Names of jobs have no "@", ids of executions always do. */
async function executionOf({
  client,
  print,
  shell,
  words: [name = ''],
}: Pick<VerbCall, 'client' | 'print' | 'shell' | 'words'>): Promise<Execution> {
  if (name.includes('@')) return client.call('GET /v1/executions/:id', { params: { id: name } });
  const { items } = await client.list('GET /v1/executions', { query: { job: name, limit: 1 } });
  const [last] = items;
  if (last) {
    if (!print.json) shell.notify(last.id);
    return last;
  }
  await client.call('GET /v1/jobs/:name', { params: { name } });
  throw new Failure(
    EXIT.failed,
    `job ${name} has no executions; "troupe why ${name}" explains why, "troupe trigger ${name} -f" runs it now`,
    {
      code: 'notFound',
    },
  );
}
