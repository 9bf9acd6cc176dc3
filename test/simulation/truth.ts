/**
 * The committed state: the memory store, which outlives every center, and a record of each commit.
 * A center sees it through a port that takes time, refuses, loses answers, and dies with its
 * center.
 */
import type { JobConfig } from '../../actors/job/types.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { type ActorDocument, type HistoryFact, type Store, StoreUnavailable, type Write } from '../../src/store/port.ts';
import type { CrashPoint } from './faults.ts';
import type { SimulatedSystem } from './system.ts';
import { never, type Program } from './time.ts';

export interface Truth {
  readonly store: Store;
  /** The committed document. */
  read(address: string): ActorDocument | undefined;
  /** `pendingEffects` of that very commit, undefined when there is none. */
  pendingEffectsOf(address: string, rev: number): string | undefined;
  /** Facts of an actor in the order of their commits. */
  factsOf(address: string): readonly HistoryFact[];
  /** What a job was configured to be by each commit that registered or edited it, by rev. */
  configsOf(address: string): ReadonlyMap<number, JobConfig>;
  readonly addresses: Iterable<string>;
  readonly commits: number;
  /** Executions that retention removed; what they were is still to be read here. */
  readonly deleted: ReadonlySet<string>;
  /** Addresses whose tombstone retention removed; some live again. */
  readonly buried: ReadonlySet<string>;
}

export function createTruth(system: SimulatedSystem): Truth {
  const store = createMemoryStore();
  const documents = new Map<string, ActorDocument>();
  const pendingEffects = new Map<string, string>();
  const facts = new Map<string, HistoryFact[]>();
  const configs = new Map<string, Map<number, JobConfig>>();
  const deleted = new Set<string>();
  const nameless = new Set<string>();
  const buried = new Set<string>();
  let commits = 0;

  function seen({ document, facts: news }: Write): void {
    const { address, rev } = document;
    const before = documents.get(address)?.rev ?? 0;
    // A name whose tombstone left goes on anywhere behind it.
    const follows = nameless.delete(address) ? rev > before : rev === before + 1;
    if (!follows) system.fail('I3', `${address} went from rev ${before} to rev ${rev}`);
    if (deleted.has(address)) system.fail('retention', `${address} came to life again after it was deleted`);
    commits += 1;
    documents.set(address, document);
    pendingEffects.set(`${address}:${rev}`, document.pendingEffects);
    const known = facts.get(address) ?? [];
    facts.set(address, known);
    known.push(...news);
    if (news.some(fact => fact.type === 'job.registered' || fact.type === 'job.updated')) {
      const edits = configs.get(address) ?? new Map<number, JobConfig>();
      configs.set(address, edits.set(rev, contextOf(document).config as JobConfig));
    }
    system.note('commit', () => `${address} rev ${rev} ${news.map(fact => `${fact.type} ${JSON.stringify(fact.data)}`).join(', ')}`);
  }

  return {
    store: {
      ...store,
      async commit(writes) {
        const results = await store.commit(writes);
        writes.forEach((write, place) => {
          if (results[place]?.committed) seen(write);
        });
        return results;
      },
      async deleteExecutions(query) {
        const result = await store.deleteExecutions(query);
        for (const address of result.gone) {
          const document = documents.get(address);
          if (document?.life !== 'done' || document.pendingEffects !== '[]')
            system.fail('retention', `${address} was deleted before its end`);
          deleted.add(address);
        }
        return result;
      },
      async deleteTombstones(query) {
        const count = await store.deleteTombstones(query);
        for (const { address, life } of documents.values()) {
          if (life !== 'tombstone' || (await store.load(address))) continue;
          nameless.add(address);
          buried.add(address);
        }
        return count;
      },
      async acknowledge(entries) {
        await store.acknowledge(entries);
        for (const { address, rev, pendingEffects: left } of entries) {
          const document = documents.get(address);
          if (document?.rev === rev) documents.set(address, { ...document, pendingEffects: left });
        }
      },
    },
    read: address => documents.get(address),
    pendingEffectsOf: (address, rev) => pendingEffects.get(`${address}:${rev}`),
    factsOf: address => facts.get(address) ?? [],
    configsOf: address => configs.get(address) ?? new Map(),
    get addresses() {
      return documents.keys();
    },
    get commits() {
      return commits;
    },
    deleted,
    buried,
  };
}

/** What is wrong with the store at the moment. */
export interface StoreTrouble {
  /** Simulated ms until which every call is refused. */
  refusesUntil: number;
  slowUntil: number;
  slowMs: number;
  /**
   * How the next commits end: with an error, and applied, not applied, or applied for some of their
   * writes.
   */
  unknown: ('applied' | 'lost' | 'partly')[];
}

export const noTrouble = (): StoreTrouble => ({ refusesUntil: 0, slowUntil: 0, slowMs: 0, unknown: [] });

/** The store as one center has it.  */
export function storeFor(parts: {
  system: SimulatedSystem;
  store: Store;
  program: Program;
  trouble: StoreTrouble;
  point: CrashPoint;
}): Store {
  const { system, store, program, trouble, point } = parts;
  const { time } = system;
  const random = system.random('store');

  function call<A extends unknown[], R>(name: string, method: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
    return (...args) => {
      const index = program.isAlive ? point.before(name) : 0;
      if (index === 0) return never();
      const ms = random.between(0.1, 1) + (trouble.slowUntil > time.elapsed ? random.between(0, trouble.slowMs) : 0);
      const refused = trouble.refusesUntil > time.elapsed;
      const unknown = name === 'commit' && !refused ? trouble.unknown.shift() : undefined;
      return new Promise((resolve, reject) => {
        time.after(ms, async () => {
          if (!program.isAlive) return;
          if (refused) return reject(new StoreUnavailable('the store refuses'));
          if (unknown !== undefined) {
            system.note('store', () => `a commit ends unknown: ${unknown}`);
            if (unknown === 'applied') await method(...args);
            if (unknown === 'partly') {
              const [writes] = args as unknown as [Write[]];
              await store.commit(writes.filter(() => random.chance(0.5)));
            }
            return program.isAlive ? reject(new StoreUnavailable('the connection broke during the commit')) : undefined;
          }
          try {
            const result = await method(...args);
            if (program.isAlive && point.after(index)) resolve(result);
          } catch (problem) {
            reject(problem);
          }
        });
      });
    };
  }

  return Object.fromEntries(
    Object.entries(store).map(([name, method]) => [name, call(name, method as (...args: unknown[]) => Promise<unknown>)]),
  ) as unknown as Store;
}

/** Value and context of a committed actor. Read-only: every caller gets the same object. */
export function stateOf(truth: Pick<Truth, 'read'>, address: string): Readonly<Snapshot> | undefined {
  const document = truth.read(address);
  if (!document) return undefined;
  return stateIn(document);
}

interface Snapshot {
  value: unknown;
  context: Record<string, unknown>;
}

/** The checks look at one document many times; a tenth of a seed went into reading it anew. */
const snapshots = new WeakMap<ActorDocument, Snapshot>();

/** The same of a document. */
export function stateIn(document: ActorDocument): Snapshot {
  const known = snapshots.get(document);
  if (known) return known;
  const { snapshot } = JSON.parse(document.state) as { snapshot: Snapshot };
  snapshots.set(document, snapshot);
  return snapshot;
}
const contextOf = (document: ActorDocument) => stateIn(document).context;
