/** `POST …/release` ends a quarantine, for every kind of actor. */
import type { Address, Kind } from '../../../actors/types.ts';
import type { View } from '../../runtime/document.ts';
import type { Center } from '../route-context.ts';

/** Resolves with the released actor. Throws the errors of `find`. */
export async function released<K extends Kind>(
  { runtime }: Pick<Center, 'runtime'>,
  name: string,
  find: (name: string) => Promise<View<K>>,
): Promise<View<K>> {
  const { address } = await find(name);
  await runtime.release(address as Address<K>);
  return find(address.slice(address.indexOf('/') + 1));
}
