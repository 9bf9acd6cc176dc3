/** The stored form of an actor: what of its document the runtime alone reads and writes, as JSON texts. */
import type { Address, Contexts, Effect, Kind } from '../../actors/index.ts';
import type { ActorDocument } from '../store/store.ts';

export interface Timer {
  id: string;
  /** Epoch ms. */
  dueAt: number;
  event: { type: string };
}

/** An effect that is owed: its key never repeats (`address:rev:place`). */
export interface Owed {
  key: string;
  rev: number;
  effect: Effect;
}

export interface DeadLetter {
  event: { type: string };
  at: number;
  error: string;
}

export interface Quarantine {
  reason: string;
  at: number;
}

/** The JSON of `ActorDocument.state`. */
export interface State {
  /** XState's persisted snapshot. */
  snapshot: unknown;
  timers: Timer[];
  /** Per sender, the last of its messages that was taken: `rev:place`. */
  seen: Record<string, string>;
  dead: DeadLetter[];
  quarantine: Quarantine | null;
}

/** An actor as readers see it: committed, decoded, without internals that only the runtime needs. */
export interface View<K extends Kind = Kind> {
  address: Address<K>;
  kind: K;
  rev: number;
  life: ActorDocument['life'];
  /** XState state value. */
  value: unknown;
  context: Contexts[K];
  quarantine: Quarantine | null;
  deadLetters: DeadLetter[];
  /** Instants it is armed for. */
  timers: Timer[];
}

export const decodeState = (document: ActorDocument): State => JSON.parse(document.state) as State;
export const decodeOwed = (document: ActorDocument): Owed[] => JSON.parse(document.owed) as Owed[];

export function viewOf<K extends Kind>(document: ActorDocument): View<K> {
  const state = decodeState(document);
  const snapshot = state.snapshot as { value: unknown; context: Contexts[K] };
  return {
    address: document.address as Address<K>,
    kind: document.kind as K,
    rev: document.rev,
    life: document.life,
    value: snapshot.value,
    context: snapshot.context,
    quarantine: state.quarantine,
    deadLetters: state.dead,
    timers: state.timers,
  };
}
