/**
 * What crosses the boundary of a set of partitions: messages only, plain data, in batches. The partitions may live in this thread or in a worker;
 * nobody can tell from here.
 */
import type { Effect } from '../../actors/index.ts';
import type { PlacedFact } from '../store/store.ts';
import type { Taken } from './envelope.ts';
import type { Delivery } from './outbox.ts';

export interface Question {
  id: number;
  to: string;
  kind: 'ask' | 'tell' | 'release';
  event: { type: string };
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
  | { type: 'questions'; questions: Question[] }
  | { type: 'carried'; items: { id: number; delivery: Delivery }[] }
  | { type: 'hostReady'; host: string }
  | { type: 'stop'; graceMs: number };

export type FromPartitions =
  | { type: 'started' }
  | { type: 'startFailed'; reason: string }
  | { type: 'answers'; answers: { id: number; taken: Taken }[] }
  | { type: 'carry'; orders: CarryOrder[] }
  | { type: 'facts'; facts: PlacedFact[] }
  | { type: 'log'; level: 'info' | 'warn' | 'error'; address: string; text: string; cause?: string }
  | { type: 'stopped'; left: string[] };
