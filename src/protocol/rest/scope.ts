/** What a token of a program may do. */

/**
 * `metrics`: metrics only. `read`: every read. `all`: everything except creating and revoking
 * tokens.
 */
export const SCOPES = ['metrics', 'read', 'all'] as const;
export type Scope = (typeof SCOPES)[number];
