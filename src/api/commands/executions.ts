/** Commands to executions. */
import { retryRefusal } from '../../../actors/execution/kind.ts';
import { Problem } from '../../http/errors.ts';
import { oneOrNearest } from '../nearest-name.ts';
import type { RouteContext } from '../route-context.ts';
import type { StartAnswer } from './jobs.ts';

/** `by`: name of the user. Throws Problem `notFound` and Refused. */
export async function cancelExecution({ views, runtime }: RouteContext, id: string, by: string | undefined): Promise<void> {
  const { address } = await oneOrNearest(views, 'execution', id);
  await runtime.ask(address, { type: 'execution.cancel', reason: `cancelled by ${by ?? 'nobody'}` });
}

/**
 * Runs the job of an ended execution again, as a new execution. The same `key` gives the same one.
 * Throws Problem `notFound`, `conflict` and Refused.
 */
export async function retryExecution({ views, runtime }: RouteContext, id: string, key: string | undefined): Promise<StartAnswer> {
  const { context, value } = await oneOrNearest(views, 'execution', id);
  const refusal = retryRefusal(value);
  if (refusal !== undefined) throw new Problem('conflict', `execution ${context.id} ${refusal}`);
  // A retry and a trigger may have the same key. A header has no line break, so the two differ.
  const keyed = key === undefined ? {} : { key: `retry\n${context.id}\n${key}` };
  return (await runtime.ask(`job/${context.job}`, { type: 'job.retry', execution: context.id, ...keyed })) as StartAnswer;
}

/** Resolves once the started execution can be read, at most 2 s later. */
export async function visibleExecution(
  { waitUntilVisible }: Pick<RouteContext, 'waitUntilVisible'>,
  { execution, joined }: StartAnswer,
): Promise<{ execution: string }> {
  await waitUntilVisible(`execution/${execution}`, { isNew: !joined });
  return { execution };
}
