/**
 * Messages to and from a partition worker: plain data, in batches. The partitions may run in this
 * thread or in a Web Worker.
 */
import type { Effect } from '../../../actors/types.ts';
import type { PublishedFact } from '../../store/port.ts';
import type { Origin, Taken } from '../envelope.ts';
import type { RuntimeMetrics } from '../metrics.ts';
import type { Delivery } from '../outbox.ts';

export interface ActorRequest {
  id: number;
  to: string;
  kind: 'ask' | 'tell' | 'release';
  event: { type: string };
}

/** A message of one actor to another in another worker. */
export interface Message {
  id: number;
  to: string;
  event: { type: string };
  origin: Origin;
}

/** A dedupe mark that its receiver needs no more: the sender can never send that message again. */
export interface DedupeMark {
  to: string;
  from: string;
  dedupeMark: string;
}

/** What a worker holds in memory of the timers of one actor. */
export interface ArmedTimer {
  /** The instant its timer fires at, epoch ms; null: none is armed. */
  timer: number | null;
  /** Its earliest timer, epoch ms; absent while it is not in memory or in a turn. */
  loaded?: number | null;
  /**
   * A turn of it is running, or overdue timers are being fired: the due one may fire any moment.
   */
  isBusy: boolean;
  /** Timers of all actors up to here are in memory, epoch ms; later ones are in the store. */
  until: number;
}

/** An effect that is carried out outside the partitions. */
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
  /** Raises the epochs by so much, durably. */
  | { type: 'raise'; by: number }
  | { type: 'questions'; questions: ActorRequest[] }
  | { type: 'messages'; messages: Message[] }
  /** Results of effects, and of messages to other workers. */
  | { type: 'carried'; items: { id: number; delivery: Delivery }[] }
  | { type: 'hostReady'; host: string }
  /** These actors of other workers take messages again. */
  | { type: 'opened'; addresses: string[] }
  /** Another worker has restarted and takes messages again. */
  | { type: 'returned'; from: number; to: number }
  | { type: 'deleteMarks'; dedupeMarks: DedupeMark[] }
  /** Requests the metrics. */
  | { type: 'measure'; id: number }
  /** Requests the timers of these actors. */
  | { type: 'timersOf'; id: number; addresses: string[] }
  /** Heartbeat. */
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
  /** Results of messages of other workers. */
  | { type: 'delivered'; items: { id: number; delivery: Delivery }[] }
  | { type: 'carry'; orders: CarryOrder[] }
  | { type: 'facts'; facts: PublishedFact[] }
  | { type: 'opened'; addresses: string[] }
  | { type: 'deleteMarks'; dedupeMarks: DedupeMark[] }
  | { type: 'log'; level: 'info' | 'warn' | 'error'; address: string; text: string; cause?: string }
  | { type: 'measured'; id: number; metrics: RuntimeMetrics }
  | { type: 'timersAre'; id: number; timers: ArmedTimer[] }
  | { type: 'pong'; id: number }
  | { type: 'stopped'; left: string[] };
