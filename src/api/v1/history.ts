/** All facts of one actor, in order. */
import { actors } from '../../../actors/index.ts';
import type { Address, Kind } from '../../../actors/types.ts';
import { Problem } from '../../http/errors.ts';
import { type Route, serving } from '../../http/route.ts';
import { nearest } from '../../lib/suggest.ts';
import { historyEndpoints } from '../../protocol/rest/fact.ts';
import { toIso } from '../iso.ts';
import { presentFields } from '../lookup.ts';
import { notFound } from '../nearest-name.ts';
import type { Center } from '../route-context.ts';
import { findHost } from './find-host.ts';
import { cursorOf, positionOf } from './paging.ts';

const on = serving(historyEndpoints);

const isKind = (kind: string): kind is Kind => Object.hasOwn(actors, kind);

export const historyRoutes = ({ store, views }: Center): Route[] => [
  on('GET /v1/history/:kind/:name', async ({ params: { kind, name }, query: { limit, after, cursor, order, ...range } }) => {
    if (!isKind(kind)) {
      const meant = nearest(kind.slice(0, 40), Object.keys(actors));
      throw new Problem(
        'notFound',
        `unknown kind ${JSON.stringify(kind.slice(0, 40))}${meant ? `; did you mean ${JSON.stringify(meant)}?` : ''}`,
      );
    }
    if (after !== undefined && cursor !== undefined) {
      throw new Problem('invalid', 'after and cursor exclude each other; send one of them', { field: 'after' });
    }
    const behind = after ?? cursor;
    const [rev = 0, position = 0] = behind === undefined ? [] : positionOf(behind, 2, after === undefined ? 'cursor' : 'after');
    const read = (address: Address) =>
      store.history({
        address,
        limit: limit + 1,
        order,
        ...presentFields(range),
        ...(behind === undefined ? {} : { after: { rev, position } }),
      });
    const address = `${kind}/${name.slice(0, 300)}` as const;
    let facts = await read(address);
    // Facts outlive their actor: the name is unknown only if there is neither.
    if (facts.length === 0 && !(await store.history({ address, limit: 1 })).length && !(await views.get(address))) {
      if (kind !== 'host') throw await notFound(views, kind, name);
      facts = await read((await findHost(views, name)).address);
    }
    const items = facts.slice(0, limit);
    const last = facts.length > limit ? items.at(-1) : undefined;
    return {
      items: items.map(fact => ({
        cursor: cursorOf(fact.rev, fact.position),
        at: toIso(fact.at),
        address: fact.address,
        rev: fact.rev,
        type: fact.type,
        data: fact.data,
      })),
      next: last ? cursorOf(last.rev, last.position) : null,
    };
  }),
];
