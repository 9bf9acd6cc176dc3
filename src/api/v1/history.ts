/** Every fact of one actor, in order. */
import { z } from 'zod';
import { actors } from '../../../actors/index.ts';
import type { Center } from '../center.ts';
import { Problem } from '../errors.ts';
import { iso } from '../fields.ts';
import { type Route, route } from '../routes.ts';
import { cursorOf, paging, placeOf } from './paging.ts';

const Query = z.object({ limit: paging.limit, cursor: paging.cursor, after: paging.cursor });

export const historyRoutes = ({ store }: Center): Route[] => [
  route({
    method: 'GET',
    path: '/v1/history/:kind/:name',
    access: 'user',
    says: 'Every fact of one actor, oldest first, behind `after`.',
    query: Query,
    async handle({ params: { kind, name }, query: { limit, after, cursor } }) {
      if (!Object.hasOwn(actors, kind)) throw new Problem('notFound', `there is no history of ${kind.slice(0, 40)}`);
      const behind = after ?? cursor;
      const [rev = 0, place = 0] = behind === undefined ? [] : placeOf(behind, 2, after === undefined ? 'cursor' : 'after');
      const address = `${kind}/${name.slice(0, 300)}`;
      const facts = await store.history({ address, limit: limit + 1, ...(behind === undefined ? {} : { after: { rev, place } }) });
      const items = facts.slice(0, limit);
      const last = facts.length > limit ? items.at(-1) : undefined;
      return {
        items: items.map(fact => ({
          cursor: cursorOf(fact.rev, fact.place),
          at: iso(fact.at),
          address: fact.address,
          rev: fact.rev,
          type: fact.type,
          data: fact.data,
        })),
        next: last ? cursorOf(last.rev, last.place) : null,
      };
    },
  }),
];
