/** Finds a host by its id or by a unique name. */

import { Problem } from '../../http/errors.ts';
import { nearest } from '../../lib/suggest.ts';
import type { View } from '../../runtime/document.ts';
import type { Views } from '../../runtime/views.ts';
import { all } from '../lookup.ts';

/** Hosts that a refusal lists. */
const NAMED_MAX = 5;
const severalOf = (hosts: View<'host'>[]): string =>
  hosts
    .slice(0, NAMED_MAX)
    .map(({ context: { id, pool }, value }) => `${id} (pool ${pool}, ${String(value)})`)
    .join(', ');

/**
 * Throws Problem `notFound`, and `conflict` if several hosts have the name, for example in
 * different pools. A host in state `preferred` wins over one in service, and that over a retired
 * one.
 */
export async function findHost(views: Views, idOrName: string, preferred?: 'lost' | 'retired'): Promise<View<'host'>> {
  const byId = idOrName === '' || idOrName.length > 300 ? undefined : await views.get(`host/${idOrName}`);
  if (byId) return byId;
  const hosts = await all(views, 'host', { order: 'name' });
  const named = hosts.filter(view => view.context.name === idOrName);
  const serving = named.filter(view => view.value !== 'retired');
  const first = named.filter(view => view.value === preferred);
  const found = [first, serving, named].find(some => some.length > 0) ?? [];
  if (found.length > 1) throw new Problem('conflict', `${found.length} hosts have the name ${idOrName}; use an id: ${severalOf(found)}`);
  if (found[0]) return found[0];
  const meant = nearest(
    idOrName.slice(0, 300),
    hosts.map(view => view.context.name),
  );
  throw new Problem('notFound', `host not found: ${idOrName.slice(0, 100)}${meant ? `; did you mean ${JSON.stringify(meant)}?` : ''}`);
}
