/** A host by its id, or by its name where only one has it. */
import { NoSuchActor } from '../../runtime/errors.ts';
import type { View } from '../../runtime/document.ts';
import type { Views } from '../../runtime/views.ts';
import { Problem } from '../errors.ts';
import { all } from '../lookup.ts';

/** Throws NoSuchActor, and Problem when several hosts have the name. One that serves comes before those that were retired. */
export async function findHost(views: Views, idOrName: string): Promise<View<'host'>> {
  const byId = idOrName === '' || idOrName.length > 300 ? undefined : await views.get(`host/${idOrName}`);
  if (byId) return byId;
  const named = (await all(views, 'host', { order: 'name' })).filter(view => view.context.name === idOrName);
  const serving = named.filter(view => view.value !== 'retired');
  const found = serving.length > 0 ? serving : named;
  if (found.length > 1) throw new Problem('conflict', `${found.length} hosts are called ${idOrName}; use the id`);
  if (!found[0]) throw new NoSuchActor(`host/${idOrName.slice(0, 100)}`);
  return found[0];
}
