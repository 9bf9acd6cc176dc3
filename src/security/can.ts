/** Authorisation: the only function that decides whether a user may do something. */
import type { Needed } from '../protocol/rest/endpoint.ts';
import type { Scope } from '../protocol/rest/scope.ts';

export interface User {
  name: string;
  /** Scope of the API token that the request carries; absent for a login. */
  scope?: Scope;
}

/** Whether this user may do what needs this scope. A login may do everything. */
export function can({ scope }: User, needed: Needed): boolean {
  if (scope === undefined) return true;
  return scope === needed || (scope === 'all' && needed !== 'login') || (scope === 'read' && needed === 'metrics');
}
