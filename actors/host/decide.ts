/** What a host decides, event by event: context and event in, decision out. */
import { type Decision, tell } from '../decision.ts';
import type { Effect, EventOf, HostEvent, HostFact } from '../types.ts';
import type { HostContext } from './types.ts';

type Decided = Decision<HostContext, HostFact>;
type Event<T extends HostEvent['type']> = EventOf<'host', T>;
export type HostDecider = (context: HostContext, event: never) => Decided;

const initialContext = (input: Event<'host.enroll'>): HostContext => ({
  id: input.id,
  name: input.name,
  pool: input.pool,
  publicKey: input.publicKey,
  graceMs: input.graceMs,
  closedGraceMs: input.graceMs,
  session: null,
  sessions: 0,
  lastDisconnect: null,
  agentLost: null,
  graceUntil: null,
  rejectedByPool: null,
  address: '',
  bootId: null,
  capabilities: null,
  draining: false,
  createdAt: input.at,
  connectedAt: null,
  lastSeenAt: null,
});

const names = (context: HostContext) => ({ host: context.id, name: context.name });
const toPool = (context: HostContext, event: Parameters<typeof tell<'pool'>>[1]): Effect => tell(`pool/${context.pool}`, event);
const graceTimer = (dueAt: number | null) => ({ id: 'grace', dueAt, event: { type: 'host.graceExpired' } });

const enrolled = (context: HostContext): Decided => ({ facts: [{ type: 'host.enrolled', ...names(context), pool: context.pool }] });

function connected(context: HostContext, event: Event<'host.connected'>): Decided {
  const { session, address, capabilities, bootId, runs, graceMs = context.graceMs, closedGraceMs = context.closedGraceMs } = event;
  const sessions = context.sessions + 1;
  return {
    context: {
      session,
      sessions,
      lastDisconnect: null,
      agentLost: null,
      graceUntil: null,
      rejectedByPool: null,
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
        hostname: capabilities.hostname,
        address,
        cpus: capabilities.cpus,
        memoryMB: capabilities.memoryMB,
        open: !context.draining,
        runs,
        session: sessions,
      }),
      { type: 'answer', params: { value: { session: sessions } } },
    ],
    facts: [context.draining ? { type: 'host.draining', ...names(context) } : { type: 'host.ready', ...names(context), session }],
    timers: [graceTimer(null)],
  };
}

function suspected(context: HostContext, at: number, reason: string, parted: { session: string; at: number }, graceMs: number): Decided {
  const graceUntil = Math.max(at, parted.at + graceMs);
  return {
    context: { session: null, lastDisconnect: parted, graceUntil, lastSeenAt: parted.at },
    effects: [toPool(context, { type: 'pool.hostDisconnected', host: context.id })],
    facts: [{ type: 'host.suspect', ...names(context), reason }],
    timers: [graceTimer(graceUntil)],
  };
}

function disconnected(context: HostContext, event: Event<'host.disconnected'>): Decided {
  const isShort = event.disconnectKind === 'closed' && context.agentLost !== event.session;
  const graceMs = isShort ? Math.min(context.closedGraceMs, context.graceMs) : context.graceMs;
  return suspected(context, event.at, event.reason, { session: event.session, at: event.at - (event.silentMs ?? 0) }, graceMs);
}

const suspectedAtStart = (context: HostContext, event: Event<'host.restartGrace'>): Decided =>
  suspected(context, event.at, 'the center began to serve', { session: context.session ?? '', at: event.at }, context.graceMs);

/**
 * The full grace starts again at this instant. The center was down or its clock jumped; the host
 * may be up.
 */
const restartGrace = (context: HostContext, event: { at: number }): Decided => ({
  context: { graceUntil: event.at + context.graceMs },
  timers: [graceTimer(event.at + context.graceMs)],
});

const agentLost = (_: HostContext, event: Event<'host.agentLost'>): Decided => ({ context: { agentLost: event.session } });
function agentLostBefore(context: HostContext, event: Event<'host.agentLost'>): Decided {
  const { lastDisconnect, graceMs, graceUntil } = context;
  if (lastDisconnect?.session !== event.session) return {};
  const until = Math.max(graceUntil ?? 0, lastDisconnect.at + graceMs);
  return { context: { agentLost: event.session, graceUntil: until }, timers: [graceTimer(until)] };
}

const rejected = (context: HostContext, reason: string): Decided => ({
  context: { rejectedByPool: reason },
  effects: [{ type: 'closeSession', params: { host: context.id, code: 'rejectedByPool', reason } }],
  facts: [{ type: 'host.rejectedByPool', ...names(context), reason }],
});
const rejectedByPool = (context: HostContext, event: Event<'host.rejectedByPool'>): Decided =>
  event.session === context.sessions ? rejected(context, event.reason) : {};
const poolMissing = (context: HostContext, event: Event<'actor.missing'>): Decided =>
  event.eventType === 'pool.hostReady' ? rejected(context, `pool ${context.pool} does not exist`) : {};

function lost(context: HostContext): Decided {
  const waitedMs = (context.graceUntil ?? 0) - (context.lastDisconnect?.at ?? 0);
  const reason = `host ${context.name} did not come back within ${waitedMs} ms`;
  return {
    context: { graceUntil: null },
    effects: [toPool(context, { type: 'pool.hostLost', host: context.id, reason })],
    facts: [{ type: 'host.lost', ...names(context) }],
  };
}

const drain = (context: HostContext): Decided => ({
  context: { draining: true },
  effects: [toPool(context, { type: 'pool.hostOpen', host: context.id, open: false })],
  facts: [{ type: 'host.draining', ...names(context) }],
});
const resume = (context: HostContext): Decided => ({
  context: { draining: false },
  effects: [toPool(context, { type: 'pool.hostOpen', host: context.id, open: true })],
  facts: [{ type: 'host.ready', ...names(context), session: context.session ?? '' }],
});
/** Without a session: takes effect with the next one. */
const drainLater = (): Decided => ({ context: { draining: true } });
const resumeLater = (): Decided => ({ context: { draining: false } });

const retire = (context: HostContext): Decided => ({
  context: { session: null, graceUntil: null },
  effects: [
    toPool(context, { type: 'pool.hostLost', host: context.id, reason: `host ${context.name} was retired`, isRetired: true }),
    toPool(context, { type: 'pool.hostRemoved', host: context.id }),
    { type: 'closeSession', params: { host: context.id, code: 'retired', reason: 'this host was retired' } },
  ],
  facts: [{ type: 'host.retired', ...names(context) }],
  timers: [graceTimer(null)],
});

const deleted = (context: HostContext): Decided => ({ facts: [{ type: 'host.deleted', ...names(context) }] });

export const hostDecisions = {
  initialContext,
  enrolled,
  connected,
  disconnected,
  suspectedAtStart,
  restartGrace,
  agentLost,
  agentLostBefore,
  rejectedByPool,
  poolMissing,
  lost,
  drain,
  resume,
  drainLater,
  resumeLater,
  retire,
  deleted,
};
