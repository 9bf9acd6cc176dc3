/** Creates an actor once, although its request may arrive twice. */

import { Refused } from '../../runtime/errors.ts';
import type { Center } from '../route-context.ts';

type Claimed = { claim?: string };

/**
 * Sends a creating command. Resolves also if the same request created the actor before and its
 * response was lost. Throws the other errors of `ask`.
 */
export async function createOnce<K extends 'job' | 'app' | 'pool'>(
  { views }: Pick<Center, 'views'>,
  address: `${K}/${string}`,
  claim: string | undefined,
  ask: (claim: Claimed) => Promise<unknown>,
): Promise<void> {
  try {
    await ask(claim === undefined ? {} : { claim });
  } catch (error) {
    if (!(error instanceof Refused) || claim === undefined) throw error;
    const context: Claimed | undefined = (await views.get(address))?.context;
    if (context?.claim !== claim) throw error;
  }
}
