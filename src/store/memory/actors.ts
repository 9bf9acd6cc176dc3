/**
 * Actors in memory: compare-and-set on a map, with separate indexes of timers and pending effects.
 * Every returned record is a copy.
 */

import { type ListOrder, type ListPosition, listCursor, listPosition } from '../cursor.ts';
import { asciiLower, compareText } from '../order.ts';
import {
  type ActorDocument,
  type ActorStore,
  ALL_PARTITIONS,
  type HistoryFact,
  type ListQuery,
  PARTITIONS,
  type PublishedFact,
} from '../port.ts';
import { readableActor } from '../readable.ts';
import { refuseRepeats } from '../refuse-repeats.ts';

export interface KeptActors {
  documents: ReadonlyMap<string, ActorDocument>;
  /** By partition, see `ActorStore.floor`. */
  floors: Map<number, number>;
  drop(address: string): void;
}

export function createMemoryActors({ append }: { append: (fact: HistoryFact) => PublishedFact }): ActorStore & { kept: KeptActors } {
  const documents = new Map<string, ActorDocument>();
  /** Separate, so that a million finished executions do not slow `due` and `pending`. */
  const armed = new Map<string, number>();
  const withPending = new Set<string>();
  const floors = new Map<number, number>();
  const epochs = Array.from({ length: PARTITIONS }, () => 0);
  const owners = Array.from({ length: PARTITIONS }, (): string | null => null);

  const keep = (document: ActorDocument) => {
    const { address, nextDue } = document;
    documents.set(address, document);
    if (nextDue !== null && !document.quarantined && document.life !== 'tombstone') armed.set(address, nextDue);
    else armed.delete(address);
    if (document.pendingEffects === '[]') withPending.delete(address);
    else withPending.add(address);
  };

  return {
    kept: {
      documents,
      floors,
      drop(address) {
        documents.delete(address);
        armed.delete(address);
        withPending.delete(address);
      },
    },

    async floor(partition) {
      return floors.get(partition) ?? 0;
    },

    async commit(writes) {
      refuseRepeats(writes);
      return writes.map(({ document, facts, follows = document.rev - 1 }) => {
        const rev = documents.get(document.address)?.rev ?? 0;
        if (rev !== follows) return { committed: false };
        keep({ ...document, index: { ...document.index, hosts: [...document.index.hosts] } });
        return { committed: true, facts: facts.map(append) };
      });
    },

    async load(address) {
      const document = documents.get(address);
      return document && copy(document);
    },

    async claim(owner, { from, to } = ALL_PARTITIONS, raiseBy) {
      const range = Array.from({ length: to - from + 1 }, (_, position) => from + position);
      const other = raiseBy === undefined ? undefined : range.find(partition => owners[partition] !== owner);
      if (other !== undefined) throw new Error(`partition ${other} is owned by "${owners[other]}"`);
      for (const partition of range) {
        epochs[partition] = (epochs[partition] ?? 0) + (raiseBy ?? 1);
        owners[partition] = owner;
      }
      return epochs.slice(from, to + 1);
    },

    async due({ until, limit, after }) {
      const inOrder = (a: { nextDue: number; address: string }, b: { nextDue: number; address: string }) =>
        a.nextDue - b.nextDue || compareText(a.address, b.address);
      return [...armed]
        .map(([address, nextDue]) => ({ address, nextDue }))
        .filter(timer => timer.nextDue <= until && (!after || inOrder(timer, after) > 0))
        .sort(inOrder)
        .slice(0, limit);
    },

    async pending({ limit, after }) {
      return [...withPending]
        .filter(address => after === undefined || compareText(address, after) > 0)
        .sort(compareText)
        .slice(0, limit);
    },

    async acknowledge(entries) {
      for (const { address, rev, pendingEffects } of entries) {
        const document = documents.get(address);
        if (document?.rev === rev) keep({ ...document, pendingEffects });
      }
    },

    async list(query) {
      const order = query.order ?? 'newest';
      const behind = query.cursor === undefined ? undefined : listPosition(order, query.cursor);
      const { offset = 0, limit } = query;
      const wanted = [...documents.values()].filter(document => isWanted(document, query));
      const found = wanted
        .map(document => ({ document, position: { at: instantOf(document, order), address: document.address } }))
        .filter(({ position }) => !behind || inListOrder(order, position, behind) > 0)
        .sort((a, b) => inListOrder(order, a.position, b.position))
        .slice(offset);
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return {
        items: page.map(({ document }) => copy(document)),
        next: last && found.length > page.length ? listCursor(order, last.position) : null,
        ...(query.total && { total: wanted.length }),
      };
    },
  };
}

function inListOrder(order: ListOrder, a: ListPosition, b: ListPosition): number {
  return order === 'name' ? compareText(a.address, b.address) : b.at - a.at || compareText(b.address, a.address);
}

/** By which the order goes. */
const instantOf = ({ index }: ActorDocument, order: ListOrder | undefined): number =>
  order === 'ended' ? (index.endedAt ?? Number.NaN) : index.at;

function isWanted(document: ActorDocument, query: ListQuery): boolean {
  const { address, kind, life, index } = document;
  const at = instantOf(document, query.order);
  return (
    kind === query.kind &&
    life !== 'tombstone' &&
    (query.parent === undefined || index.parent === query.parent) &&
    (query.pool === undefined || index.pool === query.pool) &&
    (query.alias === undefined || index.alias === query.alias) &&
    (query.group === undefined || index.group === query.group) &&
    (query.text === undefined || asciiLower(address.slice(kind.length + 1)).includes(asciiLower(query.text))) &&
    (query.states?.some(({ status, outcome }) => status === index.status && (outcome?.includes(index.outcome) ?? true)) ?? true) &&
    (query.prefix === undefined || address.startsWith(`${kind}/${query.prefix}`)) &&
    (query.status?.includes(index.status) ?? true) &&
    (query.outcome === undefined || (index.outcome !== null && query.outcome.includes(index.outcome))) &&
    (query.host === undefined || index.hosts.includes(query.host)) &&
    // Also false of one without an end.
    at >= (query.from ?? Number.NEGATIVE_INFINITY) &&
    at < (query.to ?? Number.POSITIVE_INFINITY)
  );
}

function copy(document: ActorDocument): ActorDocument {
  return readableActor({ ...document, ...document.index });
}
