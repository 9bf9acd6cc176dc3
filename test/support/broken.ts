/**
 * Parts that break one guarantee each, on purpose: a check that stays green with one of these
 * checks nothing. Each stands at a port, for tests of the runtime and for the simulation.
 */
import type { Disk } from '../../src/agent/ports.ts';
import type { Dialer } from '../../src/lib/dialer.ts';
import { decodeState, encodeState } from '../../src/runtime/document.ts';
import type { ActorDocument, Occurrence, Store } from '../../src/store/port.ts';

/**
 * Answers "committed" at once and writes at the next call: effects leave before their commit, and a
 * crash loses the commit.
 */
export function answersBeforeCommit(store: Store): Store {
  let open: Parameters<Store['commit']>[0] = [];
  const flush = async () => {
    const writes = open;
    open = [];
    if (writes.length > 0) await store.commit(writes);
  };
  return over(store, {
    async commit(writes) {
      await flush();
      open = writes;
      return writes.map(({ facts }) => ({ committed: true, facts: facts.map(fact => ({ ...fact, cursor: '' })) }));
    },
    async load(address) {
      const mine = open.find(write => write.document.address === address);
      return mine ? { ...mine.document } : store.load(address);
    },
  });
}

/** Writes without asking whether the rev still fits: of two writers both win. */
export function ignoresRev(store: Store): Store {
  return over(store, {
    async commit(writes) {
      const fitted = await Promise.all(
        writes.map(async ({ document, facts }) => {
          const stored = await store.load(document.address);
          return { document: { ...document, rev: (stored?.rev ?? 0) + 1 }, facts };
        }),
      );
      return store.commit(fitted);
    },
  });
}

/** Keeps actors without their dedupe marks, and drops acknowledgements of effects. */
export function forgetsMarks(store: Store): Store {
  const unmarked = (document: ActorDocument): ActorDocument => ({
    ...document,
    state: encodeState(document.address, { ...decodeState(document), seen: {} }),
  });
  return over(store, {
    commit: writes => store.commit(writes.map(({ document, facts }) => ({ document: unmarked(document), facts }))),
    async acknowledge() {},
  });
}

/** A ledger in which each writing of an entry adds one more. */
export function recordsTwice(store: Store): Store {
  const kept: Occurrence[] = [];
  return over(store, {
    async record(entries) {
      kept.push(...entries);
    },
    occurrences: async ({ job, limit }) => kept.filter(entry => entry.job === job).slice(0, limit),
  });
}

/** A ledger that loses every `nth` entry and reports it as kept. */
export function dropsEntries(store: Store, nth = 3): Store {
  let count = 0;
  return over(store, { record: entries => store.record(entries.filter(() => ++count % nth !== 0)) });
}

/**
 * The disk of an agent that finds its journal empty each time it starts: whatever it did before, it
 * does again.
 */
export function forgetsJournal(disk: Disk): Disk {
  return { ...disk, read: async path => (path === 'journal.jsonl' ? undefined : disk.read(path)) };
}

/**
 * The way to an agent on which each command gets a fence higher than any before: no agent can
 * refuse what is late.
 */
export function liftsFences(dialer: Dialer): Dialer {
  let height = 1_000_000;
  const lifted = (text: string): string => {
    const frame = JSON.parse(text) as { fence?: { partition: number; epoch: number; rev: number } };
    if (!frame.fence) return text;
    height += 1;
    return JSON.stringify({ ...frame, fence: { partition: frame.fence.partition, epoch: height, rev: height } });
  };
  return { dial: (url, on) => dialer.dial(url, { ...on, frame: text => on.frame(lifted(text)) }) };
}

function over(store: Store, changes: Partial<Store>): Store {
  return new Proxy(store, { get: (target, name) => Reflect.get(Object.hasOwn(changes, name) ? changes : target, name) });
}
