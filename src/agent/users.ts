/** Users as which this host runs jobs: its own, one of its settings, those a job may name. */

/** A user of this host. */
export interface HostUser {
  name: string;
  uid: number;
  gid: number;
  /** Including the primary one. */
  groups: number[];
  home: string;
}

export interface RunUsers {
  /** User of jobs that name none; undefined: the agent's own. */
  byDefault: HostUser | undefined;
  /** Further users that a job may name. */
  allowed: HostUser[];
  /** The agent's own user, where it has a name. */
  own: string | undefined;
}

/** The run is not started. The message is the reason in its report. */
export class UserProblem extends Error {
  readonly code = 'user';
}

/** Undefined: the agent's own user. Throws UserProblem for a user that is not allowed here. */
export function userOf(users: RunUsers, wanted: string | undefined): HostUser | undefined {
  const { byDefault, allowed, own } = users;
  if (wanted === undefined || wanted === byDefault?.name) return byDefault;
  const found = allowed.find(({ name }) => name === wanted);
  if (found) return found;
  if (wanted === own && byDefault === undefined) return undefined;
  const names = [byDefault?.name ?? own, ...allowed.map(({ name }) => name)].filter(name => name !== undefined);
  throw new UserProblem(
    `runAs is "${wanted}", and this host runs jobs as ${names.join(', ') || 'its own user'} alone; name it in TROUPE_RUN_AS_ALLOWED of its agent`,
  );
}

/** The variables of a user. SHELL is not the login shell, which runs nothing for services. */
export const identityOf = ({ name, home }: HostUser): Record<string, string> => ({
  HOME: home,
  USER: name,
  LOGNAME: name,
  SHELL: '/bin/sh',
});
