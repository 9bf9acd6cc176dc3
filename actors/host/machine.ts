/**
 * A host: a machine with an agent. Owns the session of its agent and says when the host counts as
 * gone: a silent host after its grace, a host whose socket closed without a word soon, unless
 * somebody there says that only the agent is gone.
 *
 *   joining --> ready <---> draining
 *                 |  \        /  |
 *                 |   suspect <--+     (no session; grace runs)
 *                 |      |
 *              retired  lost --> (connects again) ready
 *                 |
 *              deleted                       (no list shows it)
 */
import { setup } from 'xstate';
import { carryOut, type Decision, declared } from '../decision.ts';
import { type Effect, type Missing, type RunName, type Stamped, tell } from '../vocabulary.ts';

export interface HostCapabilities {
  os: string;
  arch: string;
  cpus: number;
  memoryMB: number;
  labels: Record<string, string>;
  agentVersion: string;
  hostname: string;
  treeKill: string;
  /** How what runs write into their apps is kept apart; absent: its agent does not say. */
  appIsolation?: string | undefined;
  /**
   * As whom it runs jobs that name nobody (null: as its agent), and whom they may name; absent: its
   * agent does not say.
   */
  runAs?: { user: string | null; allowed: string[] } | undefined;
}

/**
 * How a session ended. `closed`: the other end was torn down without a word, as when a host is
 * switched off or its agent is killed. `away`: any other way, where the agent may well be alive (it
 * said so, it was sent away, or it fell silent).
 */
export type Parting = 'closed' | 'away';

/**
 * How long a host may be without a session before it is lost, ms: after any parting, and after its
 * socket closed without a word.
 */
export interface Graces {
  graceMs: number;
  closedGraceMs: number;
}

/**
 * A grace whose end comes later than this tells of our own standstill or of a jump of the clock,
 * ms: no silence of the host's.
 */
export const LATE_MS = 2_000;

export type HostEvent =
  /** Birth: an agent joined with this key. */
  | { type: 'host.enroll'; id: string; name: string; pool: string; publicKey: string; graceMs: number }
  /**
   * Its agent proved who it is; `runs` is what it answers for. The newest session wins. Answers
   * `{session}`, the sessions of this host counted; a host that may not serve answers nothing.
   * Graces: default as before.
   */
  | ({
      type: 'host.connected';
      session: string;
      address: string;
      capabilities: HostCapabilities;
      bootId: string;
      runs: RunName[];
    } & Partial<Graces>)
  /** `parting`: default `away`. `silentMs`: how long nothing had been heard by then, default 0. */
  | { type: 'host.disconnected'; session: string; reason: string; parting?: Parting; silentMs?: number }
  /** The keeper of that session's agent says that only the agent is gone. */
  | { type: 'host.attended'; session: string }
  /** Its pool gives it no place. */
  | { type: 'host.unplaced'; session: number; reason: string }
  /**
   * A center began to serve: whatever session there was is gone, and the grace begins anew, because
   * the silence was ours.
   */
  | { type: 'host.reprieve' }
  | { type: 'host.graceOver' }
  | { type: 'host.drain' }
  | { type: 'host.resume' }
  /** For good: its runs are lost, its agent is sent away. */
  | { type: 'host.retire' }
  /** Removes what is left of a retired host; its facts stay as long as all facts. */
  | { type: 'host.delete' }
  | Missing;

export type HostFact =
  | { type: 'host.enrolled'; host: string; name: string; pool: string }
  | { type: 'host.ready'; host: string; name: string; session: string }
  | { type: 'host.draining'; host: string; name: string }
  | { type: 'host.suspect'; host: string; name: string; reason: string }
  | { type: 'host.lost'; host: string; name: string }
  /** Its pool gives it no place; its agent is sent away and tries again. */
  | { type: 'host.unplaced'; host: string; name: string; reason: string }
  | { type: 'host.retired'; host: string; name: string }
  | { type: 'host.deleted'; host: string; name: string };

export interface HostContext {
  id: string;
  name: string;
  pool: string;
  publicKey: string;
  graceMs: number;
  closedGraceMs: number;
  session: string | null;
  /** Sessions so far: the number of the present or last one. */
  sessions: number;
  /** Without a session: the last one, and when it was heard last. */
  parted: { session: string; at: number } | null;
  /** The session of which its keeper said that only the agent is gone. */
  attended: string | null;
  /** When it is lost unless it comes back. */
  graceUntil: number | null;
  /** Why its pool gives it no place. */
  unplaced: string | null;
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

type HostInput = Stamped<Extract<HostEvent, { type: 'host.enroll' }>>;
type Decided = Decision<HostContext, HostFact>;
type Event<T extends HostEvent['type']> = Stamped<Extract<HostEvent, { type: T }>>;

const names = (context: HostContext) => ({ host: context.id, name: context.name });
const toPool = (context: HostContext, event: Parameters<typeof tell<'pool'>>[1]): Effect => tell(`pool/${context.pool}`, event);
const grace = (dueAt: number | null) => ({ id: 'grace', dueAt, event: { type: 'host.graceOver' } });

const enrolled = (context: HostContext): Decided => ({ facts: [{ type: 'host.enrolled', ...names(context), pool: context.pool }] });

const connected = (context: HostContext, event: Event<'host.connected'>): Decided => {
  const { session, address, capabilities, bootId, runs, graceMs = context.graceMs, closedGraceMs = context.closedGraceMs } = event;
  const sessions = context.sessions + 1;
  const fresh = { parted: null, attended: null, graceUntil: null, unplaced: null };
  return {
    context: {
      session,
      sessions,
      ...fresh,
      address,
      capabilities,
      bootId,
      graceMs,
      closedGraceMs,
      connectedAt: event.at,
      lastSeenAt: event.at,
    },
    effects: [
      toPool(context, {
        type: 'pool.hostReady',
        host: context.id,
        name: context.name,
        cpus: capabilities.cpus,
        memoryMB: capabilities.memoryMB,
        open: !context.draining,
        runs,
        session: sessions,
      }),
      { type: 'answer', params: { value: { session: sessions } } },
    ],
    facts: [context.draining ? { type: 'host.draining', ...names(context) } : { type: 'host.ready', ...names(context), session }],
    alarms: [grace(null)],
  };
};

const silent = (context: HostContext, at: number, reason: string, parted: { session: string; at: number }, graceMs: number): Decided => {
  const graceUntil = Math.max(at, parted.at + graceMs);
  return {
    context: { session: null, parted, graceUntil, lastSeenAt: parted.at },
    effects: [toPool(context, { type: 'pool.hostAway', host: context.id })],
    facts: [{ type: 'host.suspect', ...names(context), reason }],
    alarms: [grace(graceUntil)],
  };
};
const disconnected = (context: HostContext, event: Event<'host.disconnected'>): Decided => {
  const isShort = event.parting === 'closed' && context.attended !== event.session;
  const graceMs = isShort ? Math.min(context.closedGraceMs, context.graceMs) : context.graceMs;
  return silent(context, event.at, event.reason, { session: event.session, at: event.at - (event.silentMs ?? 0) }, graceMs);
};
const reprieved = (context: HostContext, event: Event<'host.reprieve'>): Decided =>
  silent(context, event.at, 'the center began to serve', { session: context.session ?? '', at: event.at }, context.graceMs);
/** Its grace begins at this instant, in full. */
const anew = (context: HostContext, at: number): Decided => ({
  context: { graceUntil: at + context.graceMs },
  alarms: [grace(at + context.graceMs)],
});
const reprievedAgain = (context: HostContext, event: Event<'host.reprieve'>): Decided => anew(context, event.at);
/** Late: what passed meanwhile was no silence of the host's. */
const cameLate = (context: HostContext, event: Event<'host.graceOver'>): Decided => anew(context, event.at);

const attendedNow = (_: HostContext, event: Event<'host.attended'>): Decided => ({ context: { attended: event.session } });
const attendedLater = (context: HostContext, event: Event<'host.attended'>): Decided => {
  const { parted, graceMs, graceUntil } = context;
  if (parted?.session !== event.session) return {};
  const until = Math.max(graceUntil ?? 0, parted.at + graceMs);
  return { context: { attended: event.session, graceUntil: until }, alarms: [grace(until)] };
};

const unplaced = (context: HostContext, reason: string): Decided => ({
  context: { unplaced: reason },
  effects: [{ type: 'expel', params: { host: context.id, code: 'unplaced', reason } }],
  facts: [{ type: 'host.unplaced', ...names(context), reason }],
});
const unplacedNow = (context: HostContext, event: Event<'host.unplaced'>): Decided =>
  event.session === context.sessions ? unplaced(context, event.reason) : {};
const missing = (context: HostContext, event: Event<'actor.missing'>): Decided =>
  event.about === 'pool.hostReady' ? unplaced(context, `pool ${context.pool} is not there`) : {};

const lostNow = (context: HostContext): Decided => {
  const waitedMs = (context.graceUntil ?? 0) - (context.parted?.at ?? 0);
  return {
    context: { graceUntil: null },
    effects: [
      toPool(context, {
        type: 'pool.hostLost',
        host: context.id,
        reason: `host ${context.name} did not come back within ${waitedMs} ms`,
      }),
    ],
    facts: [{ type: 'host.lost', ...names(context) }],
  };
};

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
  context: { session: null, graceUntil: null },
  effects: [
    toPool(context, { type: 'pool.hostLost', host: context.id, reason: `host ${context.name} was retired` }),
    toPool(context, { type: 'pool.hostGone', host: context.id }),
    { type: 'expel', params: { host: context.id, code: 'retired', reason: 'this host was retired' } },
  ],
  facts: [{ type: 'host.retired', ...names(context) }],
  alarms: [grace(null)],
});

const deletedNow = (context: HostContext): Decided => ({ facts: [{ type: 'host.deleted', ...names(context) }] });

const base = setup({
  types: { context: {} as HostContext, events: {} as Stamped<HostEvent>, emitted: {} as HostFact, input: {} as HostInput },
  actions: declared,
  guards: {
    isDraining: ({ context }) => context.draining,
    isOurs: ({ context, event }) => 'session' in event && event.session === context.session,
    isLate: ({ context, event }) => context.graceUntil !== null && event.at > context.graceUntil + LATE_MS,
  },
});

const on = (decision: (context: HostContext, event: never) => Decided) =>
  base.enqueueActions(({ context, event, enqueue }) => carryOut(decision(context, event as never), event, enqueue));
/** Already so: nothing changes. (Without an action XState would call it a refusal.) */
const same = { actions: on(() => ({})) };

const retire = { target: 'retired', actions: on(retiredNow) } as const;
const arrives = [
  { guard: 'isDraining', target: 'draining', actions: on(connected) },
  { target: 'ready', actions: on(connected) },
] as const;
const leaves = { guard: 'isOurs', target: 'suspect', actions: on(disconnected) } as const;
const reprieve = { target: 'suspect', actions: on(reprieved) } as const;
const inSession = {
  'host.attended': { guard: 'isOurs', actions: on(attendedNow) },
  'host.unplaced': { actions: on(unplacedNow) },
  'actor.missing': { actions: on(missing) },
} as const;

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
    ...inSession,
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
    ...inSession,
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
    'host.graceOver': [
      { guard: 'isLate', actions: on(cameLate) },
      { target: 'lost', actions: on(lostNow) },
    ],
    'host.attended': { actions: on(attendedLater) },
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

/** Stays readable; its identity never serves again. */
const retired = base.createStateConfig({ on: { 'host.delete': { target: 'deleted', actions: on(deletedNow) } } });

export const machine = base.createMachine({
  id: 'host',
  context: ({ input }) => ({
    id: input.id,
    name: input.name,
    pool: input.pool,
    publicKey: input.publicKey,
    graceMs: input.graceMs,
    closedGraceMs: input.graceMs,
    session: null,
    sessions: 0,
    parted: null,
    attended: null,
    graceUntil: null,
    unplaced: null,
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
  states: { joining, ready, draining, suspect, lost, retired, deleted: { type: 'final' } },
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
export const isOver = (value: unknown): boolean => value === 'deleted';

export function refusal(_context: HostContext, value: unknown, event: HostEvent): string | undefined {
  if (event.type === 'host.enroll') return 'is enrolled already';
  if (event.type === 'host.delete')
    return value === 'retired' ? undefined : 'is not retired; only what is left of a retired host can be deleted';
  return value === 'retired' ? 'is retired' : undefined;
}
