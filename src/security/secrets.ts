/**
 * Removes secrets from responses to callers who may only read: values of `env`, credentials and
 * query of the URL of an app, all of a webhook but its host. A query may hold a signature, and a
 * webhook is often a secret by its path. One pass covers all routes.
 */

import { can, type User } from './can.ts';

/** Fields with the URL of an app. */
const URL_FIELDS = ['url', 'appURL'];
/** Fields with addresses of recipients, in a list or in one text. */
const ADDRESS_FIELDS = ['to', 'owners'];

export const seesSecrets = (user: User): boolean => can(user, 'all');

/**
 * A copy of a response without secrets. The names in `env` stay, each with null, or with
 * HIDDEN_VALUE in a list.
 */
export function redactSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redactSecrets);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, redactField(name, inner)]));
}

/** Stands for a hidden value in a list of `NAME=value`. */
export const HIDDEN_VALUE = '******';

/** The value of a field without secrets. */
export function redactField(name: string, value: unknown): unknown {
  if (name === 'env' && Array.isArray(value)) return value.map(entry => `${String(entry).split('=', 1)[0]}=${HIDDEN_VALUE}`);
  if (name === 'env' && typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.keys(value).map(variable => [variable, null]));
  }
  if (URL_FIELDS.includes(name) && typeof value === 'string') return withoutCredentials(value);
  if (ADDRESS_FIELDS.includes(name) && typeof value === 'string') return hostOnly(value);
  if (ADDRESS_FIELDS.includes(name) && Array.isArray(value)) {
    return value.map(each => (typeof each === 'string' ? hostOnly(each) : redactSecrets(each)));
  }
  return redactSecrets(value);
}

/** `https://user@hooks.example/x?y` -> `https://hooks.example/***`; mail addresses stay. */
const hostOnly = (addresses: string): string => addresses.replace(/(https?:\/\/)(?:[^/?#;\s]*@)?([^/?#;\s]+)[^;\s]*/gi, '$1$2/***');

/** `http://user:password@host/app.tgz?sig=…` -> `http://***@host/app.tgz?***`. */
const withoutCredentials = (url: string): string => url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1***@').replace(/\?[^#]*/, '?***');
