/** Reads one actor or all actors of a kind for a response. */
import type { Kind } from '../../actors/types.ts';
import type { View } from '../runtime/document.ts';
import { NoSuchActor } from '../runtime/errors.ts';
import type { Views } from '../runtime/views.ts';
import type { ListQuery } from '../store/port.ts';

/** Longest name of an actor, characters; a longer one is not looked up. */
const NAME_LONGEST = 300;

/** Throws NoSuchActor. */
export async function one<K extends Kind>(views: Views, kind: K, name: string): Promise<View<K>> {
  const view = name.length > NAME_LONGEST || name === '' ? undefined : await views.get<K>(`${kind}/${name}`);
  if (!view) throw new NoSuchActor(`${kind}/${name.slice(0, 100)}`);
  return view;
}

const PAGE = 200;
/**
 * Longest list of a dialect without pages. The rest is omitted; `/v1` has all of it page by page.
 */
const ALL_MAX = 20_000;

/** All matching actors, page by page, at most ALL_MAX. */
export async function all<K extends Kind>(views: Views, kind: K, query: Omit<ListQuery, 'kind' | 'limit' | 'cursor'>): Promise<View<K>[]> {
  const found: View<K>[] = [];
  let cursor: string | null = null;
  do {
    const page: { items: View<K>[]; next: string | null } = await views.list(kind, {
      ...query,
      limit: PAGE,
      ...(cursor ? { cursor } : {}),
    });
    found.push(...page.items);
    cursor = page.next;
  } while (cursor !== null && found.length < ALL_MAX);
  return found.slice(0, ALL_MAX);
}

/** Removes undefined fields: `exactOptionalPropertyTypes` forbids them, a parsed query has them. */
export const presentFields = <T extends object>(query: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };
