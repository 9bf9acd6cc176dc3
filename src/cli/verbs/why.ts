/** `troupe why`: why a job or an execution runs, waits, or did not run. */
import { EXIT } from '../failure.ts';
import { verb } from '../verb.ts';
import { executionPath } from './executions.ts';
import { jobPath } from './jobs.ts';

export const why = verb({
  says: 'tells why a job or an execution runs, waits, or did not run',
  takes: ['JOB|EXECUTION'],
  options: {},
  async run({ client, print, words }) {
    const [name = ''] = words;
    // Names of jobs have no "@", and the id of every execution has one.
    const path = name.includes('@') ? executionPath(name) : jobPath(name);
    const answer = await client.get<{ sentence: string }>(`${path}/why`);
    await print.show(answer, () => [answer.sentence]);
    return EXIT.done;
  },
});
