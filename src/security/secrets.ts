/**
 * Hides secrets in answers to callers who may not change anything: values of `env`, and credentials
 * and query (which may be a signature) in the address of an app. One pass covers all routes.
 */

import { can, type User } from './can.ts';

/** Fields that hold the address of an app. */
const ADDRESSES = ['url', 'appURL'];

export const seesSecrets = (user: User): boolean => can(user, 'all');

/** Copies an answer without secrets. The names in `env` stay, each with null. */
export function redactSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redactSecrets);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, redactField(name, inner)]));
}

/** A field as it is shown to who may only read. */
export function redactField(name: string, value: unknown): unknown {
  if (name === 'env' && typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.keys(value).map(variable => [variable, null]));
  }
  if (ADDRESSES.includes(name) && typeof value === 'string') return withoutCredentials(value);
  return redactSecrets(value);
}

/** `http://user:password@host/app.tgz?sig=…` -> `http://***@host/app.tgz?***`. */
const withoutCredentials = (url: string): string => url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1***@').replace(/\?[^#]*/, '?***');
