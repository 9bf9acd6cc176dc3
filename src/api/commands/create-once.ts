/** Creating a thing, where the request may come twice. */

import { Refused } from '../../runtime/errors.ts';
import type { Center } from '../route-context.ts';

type Claimed = { claim?: string };

/**
 * Asks for a birth. Where the thing is there already because this very request made it (its answer
 * was lost), that is as good. Throws what `ask` throws otherwise.
 */
export async function createdBy<K extends 'job' | 'app' | 'pool'>(
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
