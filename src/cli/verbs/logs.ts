/** `troupe logs EXECUTION`: what its processes wrote. */
import { EXIT } from '../failure.ts';
import { copyOutput } from '../follow.ts';
import { choice, flag, whole } from '../options.ts';
import type { Execution } from '../surface.ts';
import { verb } from '../verb.ts';
import { executionPath } from './executions.ts';

export const logs = verb({
  says: 'shows what the processes of an execution wrote; of several shards, each line says which',
  takes: ['EXECUTION'],
  options: {
    follow: flag('go on until it is done', { short: 'f' }),
    shard: whole('N', 'only this one, from 0 (default: all)'),
    stream: choice(['stdout', 'stderr', 'both'], 'which of the two (default: both)'),
  },
  async run(call) {
    const { shard, stream = 'both', follow = false } = call.values;
    const execution = await call.client.get<Execution>(executionPath(call.words[0]));
    await copyOutput(call, { execution, shard, stream, follow, signal: call.shell.signal });
    return EXIT.done;
  },
});
