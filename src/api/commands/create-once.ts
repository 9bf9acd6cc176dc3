/** Creates an actor although the request may arrive twice. */

import { Refused } from '../../runtime/errors.ts';
import type { Center } from '../route-context.ts';

type Claimed = { claim?: string };

/**
 * Asks an actor to create itself. Resolves also where this very request created it before and its
 * answer was lost. Throws what `ask` throws otherwise.
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
