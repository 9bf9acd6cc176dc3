/** `POST …/release`: the end of a quarantine, the same for every kind of actor. */
import type { Address, Kind } from '../../../actors/types.ts';
import type { View } from '../../runtime/document.ts';
import type { Center } from '../route-context.ts';

/** `find` throws what says that there is none of that name. Resolves with the thing afterwards. */
export async function released<K extends Kind>(
  { runtime }: Pick<Center, 'runtime'>,
  name: string,
  find: (name: string) => Promise<View<K>>,
): Promise<View<K>> {
  const { address } = await find(name);
  await runtime.release(address as Address<K>);
  return find(address.slice(address.indexOf('/') + 1));
}
