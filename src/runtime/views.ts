/** The read side: committed actors, one or many, decoded. Reading never wakes an actor. */
import type { Address, Kind } from '../../actors/index.ts';
import type { ActorStore, ListQuery } from '../store/store.ts';
import { type View, viewOf } from './document.ts';

export interface Views {
  /** The actor, or undefined where there is none (a tombstone is none). */
  get<K extends Kind>(address: Address<K>): Promise<View<K> | undefined>;
  /** See `ActorStore.list`. */
  list<K extends Kind>(kind: K, query: Omit<ListQuery, 'kind'>): Promise<{ items: View<K>[]; next: string | null }>;
}

export function createViews({ store }: { store: ActorStore }): Views {
  return {
    async get<K extends Kind>(address: Address<K>) {
      const document = await store.load(address);
      return document && document.life !== 'tombstone' ? viewOf<K>(document) : undefined;
    },
    async list<K extends Kind>(kind: K, query: Omit<ListQuery, 'kind'>) {
      const page = await store.list({ ...query, kind });
      return { items: page.items.map(document => viewOf<K>(document)), next: page.next };
    },
  };
}
