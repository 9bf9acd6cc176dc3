/** `troupe why JOB|EXECUTION`: why it runs, waits, or ended as it did. */

import type { Why } from '../../protocol/rest/why.ts';
import { EXIT, Failure } from '../failure.ts';
import { type VerbCall, verb } from '../verb.ts';

type Fact = Why['facts'][number];

/** Limit of shown lines of standard error. */
const LINES_SHOWN = 10;
/**
 * Range of `seq` of one attempt: its first piece has one more than this times the number of earlier
 * attempts.
 */
const ATTEMPT = 1_000_000_000;

export const why = verb({
  summary: 'explains why a job or an execution runs, waits, or ended as it did; of a failure also the last lines of its standard error',
  takes: ['JOB|EXECUTION'],
  options: {},
  examples: ['troupe why hello', 'troupe why hello@20261122T080000.000Z'],
  async run(call) {
    const { client, print, words } = call;
    const [name = ''] = words;
    // Names of jobs have no "@", ids of executions always do.
    const explanation: Why = name.includes('@')
      ? await client.call('GET /v1/executions/:id/why', { params: { id: name } })
      : await client.call('GET /v1/jobs/:name/why', { params: { name } });
    const { sentence, facts } = explanation;
    const rest = facts.filter(fact => !isSaid(fact, sentence, facts));
    const failed = facts.find(({ type, outcome }) => (type === 'done' || type === 'lastExecution') && outcome !== 'succeeded');
    const wrong = failed && !print.json ? await standardError(call, String(failed.execution)) : [];
    await print.show(explanation, () => [
      ...print.prose(print.localised(sentence)),
      // After the line about the failure, which is the first one unless the job now waits for
      // something else.
      ...(failed && rest.includes(failed) ? [] : wrong),
      ...rest.flatMap(fact => [...print.prose(`  ${print.localised(fact.message)}`, '    '), ...(fact === failed ? wrong : [])]),
    ]);
    return EXIT.done;
  },
});

/** Facts in the sentence, or implied by others, are not repeated. Programs get all. */
function isSaid(fact: Fact, sentence: string, all: Fact[]): boolean {
  const others = all.filter(other => other !== fact);
  if (sentence.includes(fact.message)) return true;
  // A due time whose execution another fact names.
  if (fact.type === 'lastDue') return fact.execution !== null && others.some(other => other.execution === fact.execution);
  // Free capacity of a host that takes no runs is of no use beside its status.
  return fact.type === 'free' && fact.open === false && others.some(({ type, host }) => type === 'host' && host === fact.host);
}

/**
 * The end of standard error of the first failed shard, from its last attempt. Also the command that
 * shows all of it. Empty where no process started.
 */
async function standardError({ client, print, shell }: VerbCall, id: string): Promise<string[]> {
  try {
    const { shards } = await client.call('GET /v1/executions/:id', { params: { id } });
    const shard = shards.find(({ outcome, startedAt }) => outcome !== null && outcome !== 'succeeded' && startedAt !== null);
    if (!shard) return [];
    const { item, attempt } = shard;
    const query = { shard: item, stream: 'stderr', follow: false, after: String((attempt - 1) * ATTEMPT) } as const;
    let lines: string[] = [];
    let unfinished = '';
    for await (const { text } of client.stream('GET /v1/executions/:id/logs', { params: { id }, query }, shell.signal)) {
      const [first = '', ...others] = text.split('\n');
      lines = [...lines, unfinished + first, ...others].slice(-LINES_SHOWN - 1);
      unfinished = lines.pop() ?? '';
    }
    if (unfinished !== '') lines.push(unfinished);
    const command = `"troupe logs ${id}${shards.length > 1 ? ` --shard ${item}` : ''}"`;
    if (lines.length === 0) return print.prose(`  it wrote nothing to standard error; ${command} shows its output`, '    ');
    return [
      `  the end of its standard error:`,
      ...lines.slice(-LINES_SHOWN).flatMap(line => print.prose(`    | ${line}`, '    | ')),
      ...print.prose(`  ${command} shows the rest`, '    '),
    ];
  } catch (error) {
    // Old executions may be deleted.
    if (error instanceof Failure && error.code === 'notFound') return [];
    throw error;
  }
}
