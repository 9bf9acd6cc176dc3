/**
 * What crosses the boundary of a set of partitions: messages only, plain data, in batches. The
 * partitions may live in this thread or in a worker; nobody can tell from here.
 */
import type { Effect } from '../../../actors/types.ts';
import type { PlacedFact } from '../../store/port.ts';
import type { Origin, Taken } from '../envelope.ts';
import type { RuntimeMetrics } from '../metrics.ts';
import type { Delivery } from '../outbox.ts';

export interface ActorRequest {
  id: number;
  to: string;
  kind: 'ask' | 'tell' | 'release';
  event: { type: string };
}

/** A message of one actor to another that lives in another set. */
export interface Message {
  id: number;
  to: string;
  event: { type: string };
  origin: Origin;
}

/** A mark that its receiver needs no more: the sender can never send that message again. */
export interface StepMark {
  to: string;
  from: string;
  mark: string;
}

/** What a set of partitions holds in memory of the timers of one actor. */
export interface ArmedTimer {
  /** The instant it will be woken at, epoch ms; null: nothing is armed. */
  timer: number | null;
  /** Its earliest timer, epoch ms; absent while it is not in memory or in a turn. */
  loaded?: number | null;
  /**
   * A turn of it is under way, or the timers are catching up on what is overdue: what is due may
   * get its verdict any moment.
   */
  isBusy: boolean;
  /** Timers of all actors up to here are in memory, epoch ms; later ones are in the store. */
  until: number;
}

/** An effect that somebody outside the partitions must carry out. */
export interface CarryOrder {
  id: number;
  from: string;
  key: string;
  partition: number;
  epoch: number;
  rev: number;
  effect: Exclude<Effect, { type: 'tell' | 'answer' | 'quarantine' }>;
}

export type ToPartitions =
  | { type: 'start' }
  | { type: 'arm' }
  /** Raise your epochs by so much, durably. */
  | { type: 'raise'; by: number }
  | { type: 'questions'; questions: ActorRequest[] }
  | { type: 'messages'; messages: Message[] }
  /** What became of orders, and of messages to other sets. */
  | { type: 'carried'; items: { id: number; delivery: Delivery }[] }
  | { type: 'hostReady'; host: string }
  /** These actors of other sets take messages again. */
  | { type: 'opened'; addresses: string[] }
  /** Another set has begun anew and takes messages again. */
  | { type: 'returned'; from: number; to: number }
  | { type: 'forget'; marks: StepMark[] }
  /** Tell your figures. */
  | { type: 'measure'; id: number }
  /** What do your timers hold for these actors? */
  | { type: 'timersOf'; id: number; addresses: string[] }
  /** Are you there? */
  | { type: 'ping'; id: number }
  | { type: 'stop'; graceMs: number };

export type FromPartitions =
  /** `epochs`: of its partitions, from the first on. */
  | { type: 'started'; epochs: number[] }
  | { type: 'startFailed'; reason: string }
  | { type: 'raised'; epochs: number[] }
  | { type: 'raiseFailed'; reason: string }
  | { type: 'answers'; answers: { id: number; taken: Taken }[] }
  | { type: 'messages'; messages: Message[] }
  /** What became of messages of other sets. */
  | { type: 'delivered'; items: { id: number; delivery: Delivery }[] }
  | { type: 'carry'; orders: CarryOrder[] }
  | { type: 'facts'; facts: PlacedFact[] }
  | { type: 'opened'; addresses: string[] }
  | { type: 'forget'; marks: StepMark[] }
  | { type: 'log'; level: 'info' | 'warn' | 'error'; address: string; text: string; cause?: string }
  | { type: 'measured'; id: number; figures: RuntimeMetrics }
  | { type: 'timersAre'; id: number; timers: ArmedTimer[] }
  | { type: 'pong'; id: number }
  | { type: 'stopped'; left: string[] };
