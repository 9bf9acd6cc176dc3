/** One actor as the runtime steps it, without a store, a clock or neighbours. */
import type { OccurrenceEntry } from '../../actors/job/occurrence.ts';
import type { Address, Contexts, Effect, Events, Kind } from '../../actors/types.ts';
import { createActorState } from '../../src/runtime/actor-state.ts';
import type { StoredState } from '../../src/runtime/document.ts';

export const AT = Date.UTC(2026, 10, 22, 8, 0, 0);

/** The outcome of one event. */
export interface Outcome {
  /** The answer to the caller, or the reason of a refusal. */
  answer: unknown;
  refused: string | null;
  effects: Effect[];
  facts: { type: string; data: Record<string, unknown> }[];
}

export function anActor<K extends Kind>(address: Address<K>, create: Events[K], { createdAt = AT, salt = (): string => 'abc123' } = {}) {
  const state = createActorState(address, undefined);
  let written = '';
  const stored = () => JSON.parse(written) as StoredState;
  let at = createdAt;
  let writes = 0;
  const take = (kind: 'ask' | 'tell' | 'timers' | 'release', event: { type: string }, chance = 0.5): Outcome => {
    const taken = state.take({ kind, event, origin: null }, { at, chance, salt: salt() });
    const write = state.write(`w${++writes}`, new Set(state.pendingEffects.map(each => each.key)));
    const effects = write ? state.adopt(write).map(each => each.effect) : [];
    if (write) written = write.document.state;
    return {
      answer: taken.result === 'done' ? taken.value : undefined,
      refused: taken.result === 'refused' ? taken.reason : taken.result === 'noSuchActor' ? 'is not there' : null,
      effects,
      facts: write ? write.facts.map(({ type, data }) => ({ type, data })) : [],
    };
  };
  const created = take('ask', create);
  return {
    created,
    ask: (event: Events[K], chance?: number) => take('ask', event, chance),
    tell: (event: Events[K], chance?: number) => take('tell', event, chance),
    release: () => take('release', { type: 'actor.release' }),
    /** Time passes, and what is due by then comes back. */
    pass(ms: number, chance?: number) {
      at += ms;
      return take('timers', { type: 'timers' }, chance);
    },
    /** The wall clock jumps; nothing fires. */
    jump(ms: number) {
      at += ms;
    },
    get at() {
      return at;
    },
    get rev() {
      return state.rev;
    },
    get context() {
      return (stored().snapshot as { context: Contexts[K] }).context;
    },
    get state(): string {
      return nameOf((stored().snapshot as { value: unknown }).value);
    },
    get status() {
      return (stored().snapshot as { status: string }).status;
    },
    get timers() {
      return stored().timers.map(({ id, dueAt }) => ({ id, inMs: dueAt - at }));
    },
    get quarantine() {
      return state.quarantine?.reason ?? null;
    },
  };
}

/** The first region names the state: `{admin, work}` is its `admin`. */
const nameOf = (value: unknown): string => (typeof value === 'string' ? value : String(Object.values(value as object)[0]));

/** An effect as a short text: `tell pool/default pool.reserve`, `start h1 0:1`. */
export function asText(effect: Effect): string {
  switch (effect.type) {
    case 'tell':
      return `tell ${effect.params.to} ${effect.params.event.type}`;
    case 'start':
      return `start ${effect.params.host} ${effect.params.run.item}:${effect.params.run.attempt}`;
    case 'stop':
      return `stop ${effect.params.host} ${effect.params.run.item}:${effect.params.run.attempt} ${effect.params.as}`;
    case 'closeSession':
      return `closeSession ${effect.params.host}`;
    case 'send':
      return `send ${effect.params.message.delivery} to ${effect.params.recipients.map(({ to }) => to).join(' ')}`;
    case 'readOutput':
      return `readOutput ${effect.params.execution}`;
    case 'record':
      return `record ${effect.params.entries.map(entry => entry.verdict).join(' ')}`;
    case 'answer':
    case 'quarantine':
      return effect.type;
  }
}

/**
 * `state; effects; facts`, or `refused: reason`, or `-` without an outcome (an event without
 * meaning there, any event to an ended actor).
 */
export function summary(before: number, actor: { state: string; rev: number }, outcome: Outcome): string {
  if (outcome.refused === 'is not there' || (outcome.refused === null && actor.rev === before)) return '-';
  if (outcome.refused !== null) return `refused: ${outcome.refused}`;
  const parts = [outcome.effects.map(asText).join(', '), outcome.facts.map(fact => fact.type).join(', ')];
  return [actor.state, ...parts].join('; ').replace(/(; )+$/, '');
}

export const sentTo = (outcome: Outcome, to: string) =>
  outcome.effects.flatMap(effect => (effect.type === 'tell' && effect.params.to === to ? [effect.params.event] : []));

export const recorded = (outcome: Outcome): OccurrenceEntry[] =>
  outcome.effects.flatMap(effect => (effect.type === 'record' ? effect.params.entries : []));
