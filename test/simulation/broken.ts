/**
 * The product broken on purpose, from outside: each break removes one guarantee. A simulation that
 * misses one has a gap.
 */
import { COUNT_MAX } from '../../src/protocol/agent.ts';
import { decodeState, encodeState } from '../../src/runtime/document.ts';
import { type Occurrence, type Store, StoreUnavailable } from '../../src/store/port.ts';
import type { Breakage } from './cluster.ts';
import type { Fault } from './faults.ts';

export type Broken =
  | 'commit gate'
  | 'directory of a job'
  | 'fence'
  | 'dedupe'
  | 'ledger'
  | 'look for due times'
  | 'mail'
  | 'text of a delivery';

export interface Break {
  breakage: Breakage;
  /** The same without what is really broken: it must hold. */
  bearable?: Breakage;
  /** Where to begin to look, to be quick; default 1. */
  from?: number;
  /** Invariants that do not hold in either. */
  ignores?: string[];
  /** The invariants that may show it. */
  shows: string[];
  /** Faults to draw from, under which the missing part would be needed; absent: all. */
  kinds?: Fault['kind'][];
}

export const BROKEN: Record<Broken, Break> = {
  /** The store reports an execution as committed before it is: effects leave too early. */
  'commit gate': {
    shows: ['I1', 'I2'],
    kinds: ['centerCrash'],
    breakage: {
      store: (store, system) => ({
        ...store,
        commit(writes) {
          if (!writes.some(({ document }) => document.kind === 'execution')) return store.commit(writes);
          system.time.after(5, () => void store.commit(writes).catch(() => {}));
          return Promise.resolve(writes.map(() => ({ committed: true as const, facts: [] })));
        },
      }),
    },
  },
  /** Agents start runs of a job without its directory, so without its files. */
  'directory of a job': {
    shows: ['files'],
    breakage: {
      rewrite(_host, direction, text) {
        if (direction !== 'toAgent' || !text.startsWith('{"type":"start"') || !text.includes('"directory":{')) return text;
        const frame = JSON.parse(text) as { spec: { directory?: unknown } };
        delete frame.spec.directory;
        return JSON.stringify(frame);
      },
    },
  },
  /** Agents accept commands of an earlier owner like those of the present one. */
  fence: {
    shows: ['fence'],
    kinds: ['centerCrash', 'replay', 'replay'],
    breakage: {
      rewrite: (_host, direction, text) =>
        direction === 'toAgent' && /^\{"type":"(start|stop)"/.test(text)
          ? text.replace(/"epoch":\d+,"rev":\d+/, `"epoch":1,"rev":${COUNT_MAX}`)
          : text,
    },
  },
  /**
   * Actors drop no repeats. Effects stay pending and are sent again after each crash, so a receiver
   * must drop them.
   */
  dedupe: {
    shows: ['repeat', 'verdict', 'overlap', 'I5', 'I7', 'pool', 'notice'],
    kinds: ['centerCrash'],
    ignores: ['I8'],
    from: 60,
    breakage: { store: store => withoutMarks(neverSettles(store)) },
    bearable: { store: neverSettles },
  },
  /** Verdicts of due times are written down nowhere. */
  ledger: {
    shows: ['ledger'],
    breakage: { store: (store): Store => ({ ...store, record: async (_entries: Occurrence[]) => {} }) },
  },
  /** A restarted center does not load the timers of the one before. */
  'look for due times': {
    shows: ['audit'],
    kinds: ['centerCrash'],
    breakage: { store: (store): Store => ({ ...store, due: async () => [] }) },
  },
  /** Mail counts as sent that nobody gets. */
  mail: {
    shows: ['notice'],
    breakage: {
      mail: () => ({ send: async ({ recipients }) => recipients.map(to => ({ to, outcome: 'sent' as const, reason: null })) }),
    },
  },
  /** A repeat says something else than what it repeats. */
  'text of a delivery': {
    shows: ['text'],
    breakage: {
      mail: (port, { name }) => {
        let count = 0;
        return { send: (mail, signal) => port.send({ ...mail, text: `${mail.text}${name} ${++count}` }, signal) };
      },
    },
  },
};

function neverSettles(store: Store): Store {
  return { ...store, acknowledge: () => Promise.reject(new StoreUnavailable('it takes no trims')) };
}

function withoutMarks(store: Store): Store {
  return {
    ...store,
    async load(address) {
      const document = await store.load(address);
      if (!document) return undefined;
      return { ...document, state: encodeState(document.address, { ...decodeState(document), seen: {} }) };
    },
  };
}
