/** Names one after the other, as a pass by name asks for them. */
import { compareText } from '../order.ts';

/** Each call is the next of these names behind `after`, in order; undefined at their end. */
export function namesAfter(names: Iterable<string>, after: string): () => string | undefined {
  const left = [...names].filter(name => compareText(name, after) > 0).sort((a, b) => compareText(b, a));
  return () => left.pop();
}
