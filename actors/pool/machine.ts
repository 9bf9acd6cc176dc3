/**
 * A pool: named group of hosts, and the only writer of the ledger that says what of their cpu and
 * memory is given to whom. Requests that find no room wait here, in order, and are tried again
 * whenever room appears.
 *
 *   open --> deleted      (only without hosts; requests that wait are sent back)
 */
import { setup } from 'xstate';
import { carryOut, claimOf, declared } from '../decision.ts';
import type { Missing, RunName, Stamped } from '../vocabulary.ts';
import * as decide from './decide.ts';
import type { Homes, HostRefusal, LedgerHost, Placed, RoomRequest } from './placement.ts';

interface PoolConfig {
  name: string;
  /** IANA zone of schedules of its jobs that name none; null: the center's. */
  timeZone: string | null;
  /** Host names or IP addresses that may join; empty: any. */
  servers: string[];
  description: string;
}

export type PoolEvent =
  /** Birth. */
  | { type: 'pool.create'; config: PoolConfig; claim?: string }
  | { type: 'pool.modify'; changes: Partial<Omit<PoolConfig, 'name'>> }
  | { type: 'pool.delete' }
  /**
   * An execution asks for room; the answer is news: `execution.placed` or `execution.waiting`.
   * Asking twice for the same runs is nothing.
   */
  | { type: 'pool.reserve'; request: RoomRequest }
  /** These runs are over. */
  | { type: 'pool.release'; runs: RunName[]; refused?: HostRefusal }
  /** A process of the execution that tried this host has begun there. */
  | { type: 'pool.hostRecovered'; host: string }
  /** Hosts that refused have waited long enough to be tried again. */
  | { type: 'pool.trialDue' }
  /** The execution wants no room any more; what it holds is released one by one as its runs end. */
  | { type: 'pool.withdraw'; execution: string }
  | { type: 'pool.hostReady'; host: string; name: string; cpus: number; memoryMB: number; open: boolean; runs: RunName[]; session: number }
  /** `open: false`: it drains. */
  | { type: 'pool.hostOpen'; host: string; open: boolean }
  /** No session: nothing new goes there, what runs there keeps its room. */
  | { type: 'pool.hostAway'; host: string }
  /** Its runs are lost and their room is free. */
  | { type: 'pool.hostLost'; host: string; reason: string }
  | { type: 'pool.hostGone'; host: string }
  /** The next turn of a look at the waiting requests that was too long for one. */
  | { type: 'pool.look' }
  /** This job is gone, or is not sticky in this pool any more. */
  | { type: 'pool.forget'; job: string }
  | Missing;

export type PoolFact =
  | { type: 'pool.created'; pool: string }
  | { type: 'pool.modified'; pool: string }
  | { type: 'pool.placed'; pool: string; execution: string; placed: Placed[] }
  | { type: 'pool.waiting'; pool: string; execution: string; reason: string }
  /** A host takes nothing new before `until`; then one execution tries it. */
  | { type: 'pool.hostRefusing'; pool: string; host: string; name: string; fault: string; reason: string; until: string }
  | { type: 'pool.hostRecovered'; pool: string; host: string; name: string }
  | { type: 'pool.deleted'; pool: string };

export interface PoolContext {
  config: PoolConfig;
  /** By host id, in the order in which they joined. */
  hosts: Record<string, LedgerHost>;
  /** Requests without room, oldest first. */
  waiting: { request: RoomRequest; since: number; reason: string }[];
  /**
   * A look at them that is not over: the execution where it goes on, and whether room appeared
   * behind its back.
   */
  look: { from: string; again: boolean } | null;
  /** Where the shards of sticky jobs belong. */
  homes: Homes;
  /** Request that created it, where that had an Idempotency-Key: its repeat finds it. */
  claim?: string;
  createdAt: number;
  updatedAt: number;
}

type PoolInput = Stamped<Extract<PoolEvent, { type: 'pool.create' }>>;

const base = setup({
  types: { context: {} as PoolContext, events: {} as Stamped<PoolEvent>, emitted: {} as PoolFact, input: {} as PoolInput },
  actions: declared,
  guards: {
    mayDelete: ({ context }) => context.config.name !== 'default' && Object.keys(context.hosts).length === 0,
  },
});

const on = (decision: decide.PoolDecider) =>
  base.enqueueActions(({ context, event, enqueue }) => carryOut(decision(context, event as never), event, enqueue));
const open = base.createStateConfig({
  on: {
    'pool.reserve': { actions: on(decide.reserved) },
    'pool.release': { actions: on(decide.released) },
    'pool.hostRecovered': { actions: on(decide.hostRecovered) },
    'pool.trialDue': { actions: on(decide.trialDue) },
    'pool.withdraw': { actions: on(decide.withdrawn) },
    'pool.hostReady': { actions: on(decide.hostReady) },
    'pool.hostOpen': { actions: on(decide.hostOpen) },
    'pool.hostAway': { actions: on(decide.hostAway) },
    'pool.hostLost': { actions: on(decide.hostLost) },
    'pool.hostGone': { actions: on(decide.hostGone) },
    'pool.look': { actions: on(decide.lookedOn) },
    'pool.forget': { actions: on(decide.forgotten) },
    'actor.missing': { actions: on(decide.missing) },
    'pool.modify': { actions: on(decide.modified) },
    'pool.delete': { guard: 'mayDelete', target: 'deleted', actions: on(decide.deleted) },
  },
});

export const machine = base.createMachine({
  id: 'pool',
  context: ({ input }) => ({
    config: input.config,
    hosts: {},
    waiting: [],
    look: null,
    homes: {},
    ...claimOf(input),
    createdAt: input.at,
    updatedAt: input.at,
  }),
  entry: on(decide.created),
  initial: 'open',
  states: { open, deleted: { type: 'final' } },
});

export const version = 1;
export const upgrades: Record<number, (snapshot: unknown) => unknown> = {};
export const birth = 'pool.create';
export const index = (context: PoolContext, value: unknown) => ({
  parent: null,
  pool: null,
  status: String(value),
  outcome: null,
  hosts: [],
  at: context.createdAt,
});
export const isOver = (value: unknown): boolean => value === 'deleted';

export function refusal(context: PoolContext, _value: unknown, event: PoolEvent): string | undefined {
  if (event.type === 'pool.create') return 'is there already';
  if (event.type === 'pool.delete' && context.config.name === 'default') return 'is always there';
  if (event.type === 'pool.delete') {
    const count = Object.keys(context.hosts).length;
    return count === 1 ? 'still has 1 host; retire it first' : `still has ${count} hosts; retire them first`;
  }
  return undefined;
}
