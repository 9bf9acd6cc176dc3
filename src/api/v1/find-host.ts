/** A host by its id, or by its name where only one has it. */
import { nearest } from '../../nearest.ts';
import type { View } from '../../runtime/document.ts';
import type { Views } from '../../runtime/views.ts';
import { Problem } from '../errors.ts';
import { all } from '../lookup.ts';

/** Throws Problem where no host has the name, and where several have it. One that serves comes before those that were retired. */
export async function findHost(views: Views, idOrName: string): Promise<View<'host'>> {
  const byId = idOrName === '' || idOrName.length > 300 ? undefined : await views.get(`host/${idOrName}`);
  if (byId) return byId;
  const hosts = await all(views, 'host', { order: 'name' });
  const named = hosts.filter(view => view.context.name === idOrName);
  const serving = named.filter(view => view.value !== 'retired');
  const found = serving.length > 0 ? serving : named;
  if (found.length > 1) throw new Problem('conflict', `${found.length} hosts are called ${idOrName}; use the id`);
  if (found[0]) return found[0];
  const meant = nearest(
    idOrName.slice(0, 300),
    hosts.map(view => view.context.name),
  );
  throw new Problem('notFound', `there is no host ${idOrName.slice(0, 100)}${meant ? `; did you mean ${meant}?` : ''}`);
}
