/**
 * Turns a `Decision` (changed context, effects, facts, timers) into actions of XState. Nothing is
 * carried out here: after the step the runtime reads the actions as data.
 */
import type { Address, Effect, Events, Kind } from './types.ts';

type Params<T extends Effect['type']> = Extract<Effect, { type: T }>['params'];

/**
 * The effects that a machine may ask for. The bodies are empty: name and parameter type are the
 * contract, the runtime carries the effects out.
 */
export const effectActions = {
  /** Send the event to another actor. */
  tell: (_: unknown, _params: Params<'tell'>) => {},
  /** Write entries of the occurrence ledger. */
  record: (_: unknown, _params: Params<'record'>) => {},
  /** Have an agent start a run. */
  start: (_: unknown, _params: Params<'start'>) => {},
  /** Have an agent end a run. */
  stop: (_: unknown, _params: Params<'stop'>) => {},
  /** Close the session of a host. */
  closeSession: (_: unknown, _params: Params<'closeSession'>) => {},
  /** Send a notification. */
  send: (_: unknown, _params: Params<'send'>) => {},
  /** Read the end of the output of an attempt. */
  readOutput: (_: unknown, _params: Params<'readOutput'>) => {},
  /** Answer the command being decided. */
  answer: (_: unknown, _params: Params<'answer'>) => {},
  /** Put this actor into quarantine. */
  quarantine: (_: unknown, _params: Params<'quarantine'>) => {},
};

/** Guards of kinds that a create or modify event may enable or disable in the same turn. */
export const switchGuards = {
  /** True in the first step alone: only there the event has the input. */
  isCreatedDisabled: ({ event }: { event: object }) => 'input' in event && (event.input as { enabled?: boolean }).enabled === false,
  switchesOff: ({ event }: { event: object }) => 'enabled' in event && event.enabled === false,
  switchesOn: ({ event }: { event: object }) => 'enabled' in event && event.enabled === true,
};

export const EFFECTS = Object.keys(effectActions) as Effect['type'][];

/**
 * Arms a timer of the actor: `event` arrives at `dueAt`, epoch ms. Arming an id again replaces it;
 * `dueAt: null` disarms it.
 */
interface TimerChange {
  id: string;
  dueAt: number | null;
  event: { type: string };
}

export interface Decision<Context, Fact> {
  context?: Partial<Context>;
  effects?: Effect[];
  facts?: Fact[];
  timers?: TimerChange[];
}

/** The used part of XState's `enqueue`, whose own type is bound to one machine. */
interface Enqueue {
  (action: Effect): void;
  assign(context: object): void;
  emit(fact: unknown): void;
  raise(event: { type: string }, options: { id: string; delay: number }): void;
  cancel(id: string): void;
}

export function toActions<Context, Fact>(
  decision: Decision<Context, Fact>,
  event: { at?: number; input?: { at: number } },
  enqueuer: unknown,
): void {
  const enqueue = enqueuer as Enqueue;
  if (decision.context) enqueue.assign(decision.context);
  for (const effect of decision.effects ?? []) enqueue(effect);
  for (const fact of decision.facts ?? []) enqueue.emit(fact);
  const at = event.at ?? event.input?.at;
  for (const timer of decision.timers ?? []) {
    if (timer.dueAt === null) enqueue.cancel(timer.id);
    else if (at === undefined) throw new Error(`timer "${timer.id}" was armed by an event without an instant`);
    else enqueue.raise(timer.event, { id: timer.id, delay: Math.max(0, timer.dueAt - at) });
  }
}

/** The idempotency key of the request that creates an actor, if it has one. */
export const claimOf = ({ claim }: { claim?: string }): { claim?: string } => (claim === undefined ? {} : { claim });

/** Whose request creates an actor, if it is known. */
export const createdBy = ({ by }: { by?: string }): { createdBy?: string; updatedBy?: string } =>
  by === undefined ? {} : { createdBy: by, updatedBy: by };

/** Whose request changes an actor, if it is known. */
export const updatedBy = ({ by }: { by?: string }): { updatedBy?: string } => (by === undefined ? {} : { updatedBy: by });

export const tell = <K extends Kind>(to: Address<K>, event: Events[K]): Effect => ({ type: 'tell', params: { to, event } }) as Effect;
