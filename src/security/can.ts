/** Authorisation: the only function that decides whether a user may do something. */
import type { Needed } from '../protocol/rest/endpoint.ts';
import type { Scope } from '../protocol/rest/scope.ts';

export interface User {
  name: string;
  /** Scope of the token of the request, `agent` for an agent's session; absent for a login. */
  scope?: Scope | 'agent';
}

/** Whether this user may do what needs this scope. A login may do everything. */
export function can({ scope }: User, needed: Needed): boolean {
  if (scope === undefined) return true;
  if (needed === 'file') return scope !== 'metrics';
  return scope === needed || (scope === 'all' && needed !== 'login') || (scope === 'read' && needed === 'metrics');
}
