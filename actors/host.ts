/**
 * A host: a machine with an agent. Owns the session of its agent and says when the host counts as gone.
 *
 *   joining --> ready <---> draining
 *                 |  \        /  |
 *                 |   suspect <--+     (no session; grace runs)
 *                 |      |
 *              retired  lost --> (connects again) ready
 */
import { setup } from 'xstate';
import { carryOut, declared, type Decision } from './decide.ts';
import { type Effect, type Missing, type RunName, type Stamped, tell } from './vocabulary.ts';

export interface HostCapabilities {
  os: string;
  arch: string;
  cpus: number;
  memoryMB: number;
  labels: Record<string, string>;
  agentVersion: string;
  hostname: string;
  treeKill: string;
}

export type HostEvent =
  /** Birth: an agent joined with this key. */
  | { type: 'host.enroll'; id: string; name: string; pool: string; publicKey: string; graceMs: number }
  /** Its agent proved who it is; `runs` is what it answers for. The newest session wins. */
  | { type: 'host.connected'; session: string; address: string; capabilities: HostCapabilities; bootId: string; runs: RunName[] }
  | { type: 'host.disconnected'; session: string; reason: string }
  /** A center began to serve: whatever session there was is gone, and the grace begins anew, because the silence was ours. */
  | { type: 'host.reprieve' }
  | { type: 'host.graceOver' }
  | { type: 'host.drain' }
  | { type: 'host.resume' }
  /** For good: its runs are lost, its agent is sent away. */
  | { type: 'host.retire' }
  | Missing;

export type HostFact =
  | { type: 'host.enrolled'; host: string; name: string; pool: string }
  | { type: 'host.ready'; host: string; name: string; session: string }
  | { type: 'host.draining'; host: string; name: string }
  | { type: 'host.suspect'; host: string; name: string; reason: string }
  | { type: 'host.lost'; host: string; name: string }
  | { type: 'host.retired'; host: string; name: string };

export interface HostContext {
  id: string;
  name: string;
  pool: string;
  publicKey: string;
  graceMs: number;
  session: string | null;
  address: string;
  bootId: string | null;
  capabilities: HostCapabilities | null;
  /** Draining survives a lost session. */
  draining: boolean;
  createdAt: number;
  connectedAt: number | null;
  /** When the last session ended. */
  lastSeenAt: number | null;
}

export type HostInput = Stamped<Extract<HostEvent, { type: 'host.enroll' }>>;
type Decided = Decision<HostContext, HostFact>;
type Event<T extends HostEvent['type']> = Stamped<Extract<HostEvent, { type: T }>>;

const names = (context: HostContext) => ({ host: context.id, name: context.name });
const toPool = (context: HostContext, event: Parameters<typeof tell<'pool'>>[1]): Effect => tell(`pool/${context.pool}`, event);
const grace = (dueAt: number | null) => ({ id: 'grace', dueAt, event: { type: 'host.graceOver' } });

const enrolled = (context: HostContext): Decided => ({ facts: [{ type: 'host.enrolled', ...names(context), pool: context.pool }] });

const connected = (context: HostContext, event: Event<'host.connected'>): Decided => {
  const { session, address, capabilities, bootId, runs } = event;
  return {
    context: { session, address, capabilities, bootId, connectedAt: event.at, lastSeenAt: event.at },
    effects: [
      toPool(context, {
        type: 'pool.hostReady',
        host: context.id,
        name: context.name,
        cpus: capabilities.cpus,
        memoryMB: capabilities.memoryMB,
        open: !context.draining,
        runs,
        session,
      }),
    ],
    facts: [context.draining ? { type: 'host.draining', ...names(context) } : { type: 'host.ready', ...names(context), session }],
    alarms: [grace(null)],
  };
};

const silent = (context: HostContext, reason: string, at: number): Decided => ({
  context: { session: null, lastSeenAt: at },
  effects: [toPool(context, { type: 'pool.hostAway', host: context.id })],
  facts: [{ type: 'host.suspect', ...names(context), reason }],
  alarms: [grace(at + context.graceMs)],
});
const disconnected = (context: HostContext, event: Event<'host.disconnected'>): Decided => silent(context, event.reason, event.at);
const reprieved = (context: HostContext, event: Event<'host.reprieve'>): Decided => silent(context, 'the center began to serve', event.at);
const reprievedAgain = (context: HostContext, event: Event<'host.reprieve'>): Decided => ({ alarms: [grace(event.at + context.graceMs)] });

const lostNow = (context: HostContext): Decided => ({
  effects: [
    toPool(context, {
      type: 'pool.hostLost',
      host: context.id,
      reason: `host ${context.name} did not come back within ${context.graceMs} ms`,
    }),
  ],
  facts: [{ type: 'host.lost', ...names(context) }],
});

const drainingNow = (context: HostContext): Decided => ({
  context: { draining: true },
  effects: [toPool(context, { type: 'pool.hostOpen', host: context.id, open: false })],
  facts: [{ type: 'host.draining', ...names(context) }],
});
const resumedNow = (context: HostContext): Decided => ({
  context: { draining: false },
  effects: [toPool(context, { type: 'pool.hostOpen', host: context.id, open: true })],
  facts: [{ type: 'host.ready', ...names(context), session: context.session ?? '' }],
});
const drainLater = (): Decided => ({ context: { draining: true } });
const resumeLater = (): Decided => ({ context: { draining: false } });

const retiredNow = (context: HostContext): Decided => ({
  context: { session: null },
  effects: [
    toPool(context, { type: 'pool.hostLost', host: context.id, reason: `host ${context.name} was retired` }),
    toPool(context, { type: 'pool.hostGone', host: context.id }),
    { type: 'expel', params: { host: context.id, reason: 'this host was retired' } },
  ],
  facts: [{ type: 'host.retired', ...names(context) }],
  alarms: [grace(null)],
});

const base = setup({
  types: { context: {} as HostContext, events: {} as Stamped<HostEvent>, emitted: {} as HostFact, input: {} as HostInput },
  actions: declared,
  guards: {
    isDraining: ({ context }) => context.draining,
    isOurs: ({ context, event }) => event.type === 'host.disconnected' && event.session === context.session,
  },
});

const on = (decision: (context: HostContext, event: never) => Decided) =>
  base.enqueueActions(({ context, event, enqueue }) => carryOut(decision(context, event as never), event, enqueue));
/** Asked for what is so already: fine, and nothing changes. (Without an action XState would call it a refusal.) */
const same = { actions: on(() => ({})) };

const retire = { target: 'retired', actions: on(retiredNow) } as const;
const arrives = [
  { guard: 'isDraining', target: 'draining', actions: on(connected) },
  { target: 'ready', actions: on(connected) },
] as const;
const leaves = { guard: 'isOurs', target: 'suspect', actions: on(disconnected) } as const;
const reprieve = { target: 'suspect', actions: on(reprieved) } as const;

const joining = base.createStateConfig({
  on: {
    'host.connected': arrives,
    'host.retire': retire,
    'host.drain': { actions: on(drainLater) },
    'host.resume': { actions: on(resumeLater) },
    'host.reprieve': same,
  },
});

const ready = base.createStateConfig({
  on: {
    'host.connected': arrives,
    'host.disconnected': leaves,
    'host.reprieve': reprieve,
    'host.drain': { target: 'draining', actions: on(drainingNow) },
    'host.resume': same,
    'host.retire': retire,
  },
});

const draining = base.createStateConfig({
  on: {
    'host.connected': arrives,
    'host.disconnected': leaves,
    'host.reprieve': reprieve,
    'host.drain': same,
    'host.resume': { target: 'ready', actions: on(resumedNow) },
    'host.retire': retire,
  },
});

const suspect = base.createStateConfig({
  on: {
    'host.connected': arrives,
    'host.reprieve': { actions: on(reprievedAgain) },
    'host.graceOver': { target: 'lost', actions: on(lostNow) },
    'host.drain': { actions: on(drainLater) },
    'host.resume': { actions: on(resumeLater) },
    'host.retire': retire,
  },
});

const lost = base.createStateConfig({
  on: {
    'host.connected': arrives,
    'host.drain': { actions: on(drainLater) },
    'host.resume': { actions: on(resumeLater) },
    'host.retire': retire,
    'host.reprieve': same,
  },
});

export const machine = base.createMachine({
  id: 'host',
  context: ({ input }) => ({
    id: input.id,
    name: input.name,
    pool: input.pool,
    publicKey: input.publicKey,
    graceMs: input.graceMs,
    session: null,
    address: '',
    bootId: null,
    capabilities: null,
    draining: false,
    createdAt: input.at,
    connectedAt: null,
    lastSeenAt: null,
  }),
  entry: on(enrolled),
  initial: 'joining',
  states: { joining, ready, draining, suspect, lost, retired: { type: 'final' } },
});

export const version = 1;
export const upgrades: Record<number, (snapshot: unknown) => unknown> = {};
export const birth = 'host.enroll';
export const index = (context: HostContext, value: unknown) => ({
  parent: context.pool,
  pool: null,
  status: String(value),
  outcome: null,
  hosts: [],
  at: context.createdAt,
});
/** A retired host stays readable; its identity never serves again. */
export const isOver = (): boolean => false;

export function refusal(_context: HostContext, value: unknown, event: HostEvent): string | undefined {
  if (event.type === 'host.enroll') return 'is enrolled already';
  return value === 'retired' ? 'is retired' : undefined;
}
