/** The read side: committed actors, one or many, decoded. Reading never loads an actor. */
import type { Address, Kind } from '../../actors/types.ts';
import type { ActorStore, ListQuery } from '../store/port.ts';
import { type View, viewOf } from './document.ts';
import { Unreadable } from './errors.ts';

export interface Views {
  /** The actor, or undefined where there is none (a tombstone is none). Throws Unreadable. */
  get<K extends Kind>(address: Address<K>): Promise<View<K> | undefined>;
  /** See `ActorStore.list`. An unreadable actor does not hide the others. */
  list<K extends Kind>(kind: K, query: Omit<ListQuery, 'kind'>): Promise<ViewPage<K>>;
}

export interface ViewPage<K extends Kind> {
  items: View<K>[];
  next: string | null;
  /** Only with `total: true`. */
  total?: number;
  /**
   * Those of this page whose documents are damaged or of a newer version. `parent`: a host's pool,
   * a job's app, an execution's job.
   */
  unreadable: { address: Address<K>; reason: string; parent: string | null }[];
}

export function createViews({ store }: { store: ActorStore }): Views {
  return {
    async get<K extends Kind>(address: Address<K>) {
      const document = await store.load(address);
      return document && document.life !== 'tombstone' ? viewOf<K>(document) : undefined;
    },
    async list<K extends Kind>(kind: K, query: Omit<ListQuery, 'kind'>) {
      const page = await store.list({ ...query, kind });
      const { next, total } = page;
      const read: ViewPage<K> = { items: [], next, unreadable: [], ...(total !== undefined && { total }) };
      for (const document of page.items) {
        try {
          read.items.push(viewOf<K>(document));
        } catch (error) {
          if (!(error instanceof Unreadable)) throw error;
          read.unreadable.push({ address: document.address as Address<K>, reason: error.reason, parent: document.index.parent });
        }
      }
      return read;
    },
  };
}
