/**
 * What of an answer only they may see who could change the thing it is about: values of `env`, and the credentials and the query (a
 * signature, perhaps) in the address of an app. One pass over the answers of all routes, so that no route can forget it.
 */
import { opens } from './api-tokens.ts';
import type { User } from './routes.ts';

/** Fields that hold the address of an app. */
const ADDRESSES = ['url', 'appURL'];

export const seesSecrets = (user: User): boolean => user.scope === undefined || opens(user.scope, 'all');

/** A copy without them: the names in `env` stay, each with null. */
export function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, hidden(name, inner)]));
}

/** A field as it is shown to who may only read. */
export function hidden(name: string, value: unknown): unknown {
  if (name === 'env' && typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.keys(value).map(variable => [variable, null]));
  }
  if (ADDRESSES.includes(name) && typeof value === 'string') return withoutCredentials(value);
  return withoutSecrets(value);
}

/** `http://user:password@host/app.tgz?sig=…` -> `http://***@host/app.tgz?***`. */
const withoutCredentials = (url: string): string => url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1***@').replace(/\?[^#]*/, '?***');
