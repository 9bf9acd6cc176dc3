/** What a token of a program may do. */

/**
 * `metrics`: figures and nothing else. `read`: whatever changes nothing. `all`: everything but
 * making and ending tokens.
 */
export const SCOPES = ['metrics', 'read', 'all'] as const;
export type Scope = (typeof SCOPES)[number];
