/** The errors of this folder. `http/errors.ts` maps each code to an answer. */

export type AccessErrorCode = 'unauthorized' | 'notFound' | 'conflict' | 'tooMany' | 'unavailable';

/** The message is one plain sentence for the caller. */
export class AccessError extends Error {
  readonly code: AccessErrorCode;
  /** The field of the request that it is about. */
  readonly field: string | undefined;
  /** Time until a retry makes sense, ms. */
  readonly retryAfterMs: number | undefined;

  constructor(code: AccessErrorCode, message: string, about: { field?: string; retryAfterMs?: number } = {}) {
    super(message);
    this.code = code;
    this.field = about.field;
    this.retryAfterMs = about.retryAfterMs;
  }
}
