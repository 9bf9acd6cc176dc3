/** `troupe why JOB|EXECUTION`: why it runs, waits, or ended as it did. */
import { EXIT } from '../failure.ts';
import type { Explanation } from '../surface.ts';
import { verb } from '../verb.ts';
import { tame } from '../width.ts';
import { localised } from '../words.ts';
import { executionPath } from './executions.ts';
import { jobPath } from './jobs.ts';

export const why = verb({
  says: 'tells why a job or an execution runs, waits, or ended as it did',
  takes: ['JOB|EXECUTION'],
  options: {},
  examples: ['troupe why hello', 'troupe why hello@20261122T080000.000Z'],
  async run({ client, print, words: [name = ''] }) {
    // Names of jobs have no "@", ids of executions always do.
    const path = name.includes('@') ? executionPath(name) : jobPath(name);
    const explanation = await client.get<Explanation>(`${path}/why`);
    await print.show(explanation, () => {
      const { sentence, facts } = explanation;
      // What makes up the sentence need not be read twice.
      const rest = facts.filter(({ says }) => !sentence.includes(says)).map(({ says }) => `  ${tame(localised(says))}`);
      return [tame(localised(sentence)), ...rest];
    });
    return EXIT.done;
  },
});
