/** `troupe why JOB|EXECUTION`: why it runs, waits, or ended as it did. */
import { EXIT } from '../failure.ts';
import type { Explanation } from '../surface.ts';
import { verb } from '../verb.ts';
import { executionPath } from './executions.ts';
import { jobPath } from './jobs.ts';

type Fact = Explanation['facts'][number];

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
      const rest = facts.filter(fact => !isSaid(fact, sentence, facts));
      return [...print.prose(print.localised(sentence)), ...rest.flatMap(({ says }) => print.prose(`  ${print.localised(says)}`, '    '))];
    });
    return EXIT.done;
  },
});

/** What makes up the sentence, or follows from another fact, need not be read twice. Programs get all of it. */
function isSaid(fact: Fact, sentence: string, all: Fact[]): boolean {
  const others = all.filter(other => other !== fact);
  if (sentence.includes(fact.says)) return true;
  // A due time that became the execution which is told anyhow.
  if (fact.type === 'lastDue') return fact.execution !== null && others.some(other => other.execution === fact.execution);
  // How much is free on a host that takes nothing is of no use beside what the host is.
  return fact.type === 'free' && fact.open === false && others.some(({ type, host }) => type === 'host' && host === fact.host);
}
