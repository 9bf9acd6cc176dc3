/**
 * Every operation of `/v1` as types for clients: its request and its answer. Types alone, so that
 * no client loads a schema for them.
 */
import type { z } from 'zod';
import type { appEndpoints } from './app.ts';
import type { healthEndpoints } from './center.ts';
import type { Operation, ParamsOf } from './endpoint.ts';
import type { executionEndpoints, logEndpoints } from './execution.ts';
import type { feedEndpoints, historyEndpoints } from './fact.ts';
import type { fileEndpoints } from './file.ts';
import type { hostEndpoints } from './host.ts';
import type { jobEndpoints } from './job.ts';
import type { occurrenceEndpoints } from './occurrence.ts';
import type { poolEndpoints } from './pool.ts';
import type { postedLogEndpoints } from './posted-log.ts';
import type { scheduleEndpoints } from './schedule.ts';
import type { sessionEndpoints, tokenEndpoints } from './token.ts';
import type { whyEndpoints } from './why.ts';

type Endpoints = typeof appEndpoints &
  typeof executionEndpoints &
  typeof feedEndpoints &
  typeof fileEndpoints &
  typeof healthEndpoints &
  typeof historyEndpoints &
  typeof hostEndpoints &
  typeof jobEndpoints &
  typeof logEndpoints &
  typeof occurrenceEndpoints &
  typeof poolEndpoints &
  typeof postedLogEndpoints &
  typeof scheduleEndpoints &
  typeof sessionEndpoints &
  typeof tokenEndpoints &
  typeof whyEndpoints;

/** `GET /v1/jobs/:name` */
export type OperationName = keyof Endpoints & Operation;

/** Undefined where a success has no body. */
export type AnswerOf<N extends OperationName> = Endpoints[N]['answers'] extends () => z.ZodType
  ? z.output<ReturnType<Endpoints[N]['answers']>>
  : undefined;

export interface Page<T> {
  items: T[];
  next: string | null;
  /** Stored, and nothing that this center can read. */
  unreadable?: { name: string; reason: string }[] | undefined;
}

/** Operations that answer pages. */
export type ListName = {
  [N in OperationName]: Extract<AnswerOf<N>, { items: unknown[]; next: string | null }> extends never ? never : N;
}[OperationName];
type Items<A> = A extends { items: (infer T)[] } ? T : never;
export type ItemOf<N extends ListName> = Items<AnswerOf<N>>;

/** Operations that answer a stream of JSON lines. */
export type StreamName = 'GET /v1/executions/:id/logs';
export type PieceOf<N extends StreamName> = z.output<ReturnType<Endpoints[N]['answers']['application/x-ndjson']>>;

/** A value of a query before it is written as a text: of `I`, which is read as a `T`. */
type Written<I, T> = I | (T extends number ? number : never) | (T extends boolean ? boolean : never) | Word<I>;
type Word<I> = string extends I ? never : 'true' extends I ? boolean : never;

export type WrittenQuery<Q extends z.ZodType> = {
  [K in keyof z.input<Q>]?: Written<NonNullable<z.input<Q>[K]>, K extends keyof z.output<Q> ? z.output<Q>[K] : never> | undefined;
};
export type QueryOf<N extends OperationName> = Endpoints[N] extends { query: infer Q extends z.ZodType } ? WrittenQuery<Q> : undefined;

/** RFC 7396: null puts a setting back to its default. */
type PatchOf<T> = T extends readonly unknown[] ? T : T extends object ? { [K in keyof T]?: PatchOf<T[K]> | null } : T;

export type BodyOf<N extends OperationName> = Endpoints[N] extends { patches: infer P extends z.ZodType }
  ? PatchOf<z.input<P>>
  : Endpoints[N] extends { body: infer B extends z.ZodType }
    ? z.input<B>
    : undefined;

type Part<Name extends string, T> = T extends undefined ? { [N in Name]?: T } : { [N in Name]: T };

export type RequestOf<N extends OperationName> = (unknown extends ParamsOf<N> ? object : { params: ParamsOf<N> }) &
  Part<'body', BodyOf<N>> & { query?: QueryOf<N>; key?: string | undefined };
