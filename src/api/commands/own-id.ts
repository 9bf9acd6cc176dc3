/** Ids of jobs that come with a request: no two jobs of the center have one. */
import { Problem } from '../../http/errors.ts';
import type { RouteContext } from '../route-context.ts';

/**
 * Runs `register` with the id while no other request with this id runs. `id`: in lower case. Throws
 * Problem `conflict` naming `field` where another job has it. The job `name` itself may have it:
 * the request may be a repeat.
 */
export const withOwnId = (
  { inTurn, views }: Pick<RouteContext, 'inTurn' | 'views'>,
  { id, name, field }: { id: string; name: string; field: string },
  register: (id: string) => Promise<void>,
): Promise<void> =>
  inTurn(`alias/${id}`, async () => {
    const { items, unreadable } = await views.list('job', { alias: id, order: 'name', limit: 2 });
    const other = [...items, ...unreadable].map(({ address }) => address.slice('job/'.length)).find(each => each !== name);
    if (other === undefined) return register(id);
    throw new Problem('conflict', `${field} is "${id}", which job ${other} has; give another one, or none to have one drawn`, { field });
  });
