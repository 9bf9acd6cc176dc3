/**
 * Errors as HTTP responses: the only file with the status codes of refusals.
 *
 *   Problem                        invalid 400, unauthorized 401, forbidden 403, notFound 404,
 *                                  conflict 409, …
 *   AccessError                    unauthorized 401, notFound 404, conflict 409, tooMany 429,
 *                                  unavailable 503
 *   BadCursor                      400
 *   NoSuchActor                    404
 *   Refused, Unreadable            409
 *   Busy                           429
 *   Unavailable, StoreUnavailable  503
 *   anything else                  an opaque 500; the cause goes to the log
 */
import { Busy, NoSuchActor, Refused, Unavailable, Unreadable } from '../runtime/errors.ts';
import { AccessError } from '../security/errors.ts';
import { BadCursor, StoreUnavailable } from '../store/port.ts';

const STATUS = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  notFound: 404,
  conflict: 409,
  tooLarge: 413,
  unsupportedType: 415,
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

/** Until another try after a full mailbox or an unavailable store, ms. */
const RETRY_SOON_MS = 1_000;

export interface ErrorResponse {
  status: number;
  body: { error: { code: string; message: string; field?: string } } | { message: string };
  headers: Record<string, string>;
  /** A fault of the center: the caller logs it with its cause. */
  fault: boolean;
}

/**
 * The response to an error. `dialect`: the called API; clients of ElasticJob know only one body of
 * a 401.
 */
export function errorResponse(error: unknown, dialect: 'elasticjob' | 'v1'): ErrorResponse {
  if (error instanceof Problem || error instanceof AccessError) {
    if (error.code === 'unauthorized' && dialect === 'elasticjob') {
      return { status: STATUS.unauthorized, body: { message: 'Unauthorized.' }, headers: {}, fault: false };
    }
    return response(STATUS[error.code], error.code, error.message, error);
  }
  if (error instanceof Refused || error instanceof Unreadable) return response(STATUS.conflict, error.code, named(error.message));
  if (error instanceof NoSuchActor) return response(STATUS.notFound, 'notFound', error.message);
  if (error instanceof BadCursor) return response(STATUS.invalid, 'invalid', error.message, { field: 'cursor' });
  if (error instanceof Busy) {
    return response(STATUS.tooMany, 'busy', 'the queue of this resource is full; retry soon', { retryAfterMs: RETRY_SOON_MS });
  }
  if (error instanceof Unavailable || error instanceof StoreUnavailable) {
    const sentence = 'the store cannot commit at present; retry soon';
    return response(STATUS.unavailable, 'unavailable', sentence, { retryAfterMs: RETRY_SOON_MS });
  }
  return { ...response(500, 'internal', 'internal error; the log of the center has the details'), fault: true };
}

/** Addresses as text: "job nightly is disabled" for "job/nightly is disabled". */
const named = (message: string): string => message.replace(/^(job|app|pool|host|execution)\//, '$1 ');

function response(
  status: number,
  code: string,
  message: string,
  about: { field?: string | undefined; retryAfterMs?: number | undefined } = {},
): ErrorResponse {
  const headers: Record<string, string> = {};
  if (about.retryAfterMs !== undefined) headers['Retry-After'] = String(Math.max(1, Math.ceil(about.retryAfterMs / 1000)));
  return {
    status,
    body: { error: { code, message, ...(about.field === undefined ? {} : { field: about.field }) } },
    headers,
    fault: false,
  };
}
