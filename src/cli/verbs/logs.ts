/** `troupe logs EXECUTION`: what its processes wrote. */
import { EXIT } from '../failure.ts';
import { copyOutput, createOutput } from '../follow.ts';
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
    const { client, shell, values } = call;
    const [id = ''] = call.words;
    const follow = values.follow ?? false;
    const { shards } = await client.get<Execution>(executionPath(id));
    const items = values.shard === undefined ? shards.map(({ item }) => item) : [values.shard];
    const output = createOutput(call, items.length === 1);
    const copy = async (item: number) => {
      await copyOutput(call, {
        execution: id,
        item,
        stream: values.stream ?? 'both',
        follow,
        signal: shell.signal,
        write: line => output.write(item, line),
      });
      await output.end(item);
    };
    if (follow) await Promise.all(items.map(copy));
    else for (const item of items) await copy(item);
    return EXIT.done;
  },
});
