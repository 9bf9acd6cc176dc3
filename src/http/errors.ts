/**
 * Errors as HTTP responses: the only file with the status codes of refusals.
 *
 *   Problem                        invalid 400, unauthorized 401, forbidden 403, notFound 404,
 *                                  conflict 409, …
 *   AccessError                    unauthorized 401, notFound 404, conflict 409, tooMany 429,
 *                                  unavailable 503
 *   FileRefused                    invalid 400, notFound 404, conflict 409, tooLarge 413,
 *                                  unavailable 503
 *   BadCursor                      400
 *   NoSuchActor                    404
 *   Refused, Unreadable            409
 *   Busy                           429
 *   Unavailable, StoreUnavailable  503
 *   anything else                  an opaque 500; the cause goes to the log
 */
import type { z } from 'zod';
import { ErrorAnswer } from '../protocol/rest/responses.ts';
import { Busy, NoSuchActor, Refused, Unavailable, Unreadable } from '../runtime/errors.ts';
import { AccessError } from '../security/errors.ts';
import { FileRefused } from '../store/file-port.ts';
import { BadCursor, StoreUnavailable } from '../store/port.ts';

const STATUS = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  notFound: 404,
  conflict: 409,
  tooLarge: 413,
  unsupportedType: 415,
  rangeNotSatisfiable: 416,
  misdirected: 421,
  tooMany: 429,
  unavailable: 503,
  /** Another center serves from the same database. */
  standby: 503,
} as const;
export type ProblemCode = keyof typeof STATUS;

/** A refusal of the HTTP server. Its message is one sentence for the caller. */
export class Problem extends Error {
  readonly code: ProblemCode;
  /** The invalid field of the body or the query. */
  readonly field: string | undefined;
  /** When another try makes sense, ms. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ProblemCode, message: string, about: { field?: string; retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, { cause: about.cause });
    this.code = code;
    this.field = about.field;
    this.retryAfterMs = about.retryAfterMs;
  }
}

/** Until another try after a 429 or a 503 that names no other time, ms. */
const RETRY_SOON_MS = 1_000;
const RETRIED: readonly number[] = [STATUS.tooMany, STATUS.unavailable];

/** An error before its surface writes it down. */
export interface ReportedError {
  status: number;
  /** The kind of error, for programs. */
  code: string;
  /** One sentence for the caller. */
  message: string;
  /** The invalid field of the body or the query. */
  field?: string | undefined;
  /** When another try makes sense, ms. Default: RETRY_SOON_MS for a 429 or a 503. */
  retryAfterMs?: number | undefined;
  /** A fault of the center: the caller logs it with its cause. */
  fault?: true;
}

/** How a surface writes errors down. */
export interface ErrorFormat {
  /** A JSON value. */
  body(failure: ReportedError): unknown;
  /** The schema of the body by status, for the reference. */
  schema(status: number | 'default'): z.ZodType;
}

/** Errors of `/v1`. */
export const nativeErrors: ErrorFormat = {
  body: ({ code, message, field }) => ({ error: { code, message, ...(field === undefined ? {} : { field }) } }),
  schema: ErrorAnswer,
};

export interface ErrorResponse {
  status: number;
  body: unknown;
  headers: Record<string, string>;
  /** A fault of the center: the caller logs it with its cause. */
  fault: boolean;
}

/** The response to an error in the format of the called surface. */
export function errorResponse(error: unknown, { body }: ErrorFormat): ErrorResponse {
  const failure = failureOf(error);
  const { status, fault = false } = failure;
  const retryAfterMs = failure.retryAfterMs ?? (RETRIED.includes(status) ? RETRY_SOON_MS : undefined);
  const headers: Record<string, string> = {};
  if (retryAfterMs !== undefined) headers['Retry-After'] = String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
  return { status, body: body(failure), headers, fault };
}

function failureOf(error: unknown): ReportedError {
  if (error instanceof Problem || error instanceof AccessError || error instanceof FileRefused) {
    const { code, message, field, retryAfterMs } = error;
    return { status: STATUS[code], code, message, field, retryAfterMs };
  }
  if (error instanceof Refused || error instanceof Unreadable) {
    return { status: STATUS.conflict, code: error.code, message: named(error.message) };
  }
  if (error instanceof NoSuchActor) return { status: STATUS.notFound, code: 'notFound', message: error.message };
  if (error instanceof BadCursor) return { status: STATUS.invalid, code: 'invalid', message: error.message, field: 'cursor' };
  if (error instanceof Busy) {
    return { status: STATUS.tooMany, code: 'busy', message: 'the queue of this resource is full; retry soon' };
  }
  if (error instanceof Unavailable || error instanceof StoreUnavailable) {
    return { status: STATUS.unavailable, code: 'unavailable', message: 'the store cannot commit at present; retry soon' };
  }
  return { status: 500, code: 'internal', message: 'internal error; the log of the center has the details', fault: true };
}

/** Addresses as text: "job nightly is disabled" for "job/nightly is disabled". */
const named = (message: string): string => message.replace(/^(job|app|pool|host|execution)\//, '$1 ');
