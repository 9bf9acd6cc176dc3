/**
 * The stored form of an actor: what of its document the runtime alone reads and writes, as JSON
 * texts. Each ends with its own checksum, because a disk may give back a text that is still JSON
 * and yet another one.
 */
import { crc32 } from 'node:zlib';
import { actors } from '../../actors/index.ts';
import type { Address, Contexts, Effect, Kind } from '../../actors/types.ts';
import type { ActorDocument } from '../store/port.ts';
import { isInstant } from '../store/readable.ts';
import { Unreadable } from './errors.ts';

export interface Timer {
  id: string;
  /** Epoch ms. */
  dueAt: number;
  event: { type: string };
}

/** An effect that is not acknowledged yet. Its key never repeats (`address:rev:index`). */
export interface PendingEffect {
  key: string;
  rev: number;
  effect: Effect;
}

export interface DeadLetter {
  event: { type: string };
  at: number;
  error: string;
}

export interface StoredQuarantine {
  reason: string;
  at: number;
}

/** The JSON of `ActorDocument.state`. */
export interface StoredState {
  /** XState's persisted snapshot. */
  snapshot: unknown;
  timers: Timer[];
  /** Per sender, the last of its messages that was taken: `rev:index`. */
  seen: Record<string, string>;
  dead: DeadLetter[];
  quarantine: StoredQuarantine | null;
}

/** An actor as readers see it: committed, decoded, without the runtime's internals. */
export interface View<K extends Kind = Kind> {
  address: Address<K>;
  kind: K;
  rev: number;
  life: ActorDocument['life'];
  /** XState state value. */
  value: unknown;
  context: Contexts[K];
  quarantine: StoredQuarantine | null;
  deadLetters: DeadLetter[];
  /** Instants it is armed for. */
  timers: Timer[];
}

export const encodeState = (address: string, state: StoredState): string => seal(address, JSON.stringify(state));
export const encodePendingEffects = (address: string, effects: readonly PendingEffect[]): string =>
  effects.length === 0 ? NO_EFFECTS : seal(address, JSON.stringify(effects));

/**
 * The state of the document, upgraded to the version of this program. Throws Unreadable for a newer
 * version, for text that is no JSON, and for a wrong checksum.
 */
export function decodeState(document: ActorDocument): StoredState {
  const { address, version } = document;
  if (!Object.hasOwn(actors, document.kind))
    throw new Unreadable(address, `is of kind "${document.kind}", which this program does not know`);
  const kind = actors[document.kind as Kind];
  if (version > kind.version) {
    throw new Unreadable(address, `was written by version ${version} of its machine; this program knows versions up to ${kind.version}`);
  }
  const state = opened(document, document.state, isState, 'state');
  let { snapshot } = state;
  for (let from = version; from < kind.version; from++) {
    const upgrade = kind.upgrades[from];
    if (!upgrade) throw new Unreadable(address, `is of version ${from} of its machine, and no way leads from there to ${from + 1}`);
    snapshot = upgrade(snapshot);
  }
  return { ...state, snapshot };
}

/** Throws Unreadable. */
export const decodePendingEffects = (document: Pick<ActorDocument, 'address' | 'pendingEffects' | 'damage'>): PendingEffect[] =>
  document.pendingEffects === NO_EFFECTS && document.damage === undefined
    ? []
    : opened(document, document.pendingEffects, arePendingEffects, 'pendingEffects');

const NO_EFFECTS = '[]';

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isTimer = (value: unknown): boolean =>
  isObject(value) &&
  typeof value.id === 'string' &&
  Number.isSafeInteger(value.dueAt) &&
  isObject(value.event) &&
  typeof value.event.type === 'string';
const isQuarantine = (value: unknown): boolean => isObject(value) && typeof value.reason === 'string' && isInstant(value.at);

/** A matching checksum does not prove the shape: another program may have written the text. */
function isState(value: unknown): value is StoredState {
  if (!isObject(value)) return false;
  const { snapshot, timers, seen, dead, quarantine } = value;
  const hasSnapshot = isObject(snapshot) && isObject(snapshot.context);
  return (
    hasSnapshot &&
    Array.isArray(timers) &&
    timers.every(isTimer) &&
    isObject(seen) &&
    Array.isArray(dead) &&
    (quarantine === null || isQuarantine(quarantine))
  );
}

const arePendingEffects = (value: unknown): value is PendingEffect[] =>
  Array.isArray(value) &&
  value.every(each => isObject(each) && typeof each.key === 'string' && Number.isSafeInteger(each.rev) && isObject(each.effect));

const SUM = /^,"sum":"([0-9a-f]{8})"$/;
const SUM_LENGTH = ',"sum":"01234567"'.length;
/** The end of a sealed text, which stays JSON with one more field in its last object. */
const closing = (text: string): string => (text.endsWith('}]') ? '}]' : '}');
const sumOf = (address: string, text: string): string =>
  crc32(text, crc32(`${address}\n`))
    .toString(16)
    .padStart(8, '0');

function seal(address: string, text: string): string {
  const end = closing(text);
  return `${text.slice(0, -end.length)},"sum":"${sumOf(address, text)}"${end}`;
}

/**
 * The value of a sealed text. Throws Unreadable for a text without a matching checksum: it may be
 * damaged.
 */
function opened<T>(
  { address, damage }: Pick<ActorDocument, 'address' | 'damage'>,
  stored: string,
  isRight: (value: unknown) => value is T,
  what: 'state' | 'pendingEffects',
): T {
  const damaged = (how: string) => new Unreadable(address, `cannot be read: ${how}`);
  if (damage !== undefined) throw damaged(damage);
  const end = closing(stored);
  const sumStart = stored.length - end.length - SUM_LENGTH;
  const sum = sumStart < 0 ? undefined : SUM.exec(stored.slice(sumStart, -end.length))?.[1];
  if (sum === undefined) throw damaged(`what is stored of it is damaged (its ${what} has no checksum)`);
  const text = stored.slice(0, sumStart) + end;
  if (sum !== sumOf(address, text)) throw damaged('what is stored of it is damaged (its checksum does not fit)');
  const value: unknown = JSON.parse(text);
  if (!isRight(value)) throw damaged(`what is stored of it is damaged (its ${what} has another shape)`);
  return value;
}

/** Throws Unreadable. */
export function viewOf<K extends Kind>(document: ActorDocument): View<K> {
  const state = decodeState(document);
  const snapshot = state.snapshot as { value: unknown; context: Contexts[K] };
  checkShape(document, snapshot, state.quarantine !== null);
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

/**
 * Throws Unreadable where the index of the actor cannot be computed, so that a list fails here and
 * not in the middle of its answer.
 */
function checkShape(
  { address, kind }: ActorDocument,
  { context, value }: { context: unknown; value: unknown },
  isQuarantined: boolean,
): void {
  try {
    actors[kind as Kind].index(context as never, value, isQuarantined);
  } catch (error) {
    throw new Unreadable(address, `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
