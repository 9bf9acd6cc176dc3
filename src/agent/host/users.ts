/** Users of this machine by its name service, and whether the agent may act as them. */
import { spawnSync } from 'node:child_process';
import { chmodSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError, type ConfigProblem } from '../../config/center.ts';
import { setpriv } from '../../lib/setpriv.ts';
import type { HostUser, RunUsers } from '../users.ts';

export interface WantedUsers {
  runAs: string | undefined;
  allowed: string[];
}

/**
 * The users of the settings, with their numbers and groups as they are now. Makes the data
 * directory traversable when there are any. Throws ConfigError where the agent may not switch
 * users, a user does not exist, or one could not reach its own directories.
 */
export function openUsers({ runAs, allowed }: WantedUsers, data: string): RunUsers {
  const own = nameOf(process.getuid?.());
  const isRoot = process.getuid?.() === 0;
  const problems: ConfigProblem[] = [];
  const find = (variable: string, name: string): HostUser | undefined => {
    // The agent needs no rights to run processes as its own user.
    if (name === own) return isRoot ? lookUp(name) : undefined;
    const user = isRoot ? lookUp(name) : undefined;
    if (!isRoot)
      problems.push({
        variable,
        value: name,
        expected: `needs an agent that runs as root; this one runs as ${own ?? 'a user without a name'}`,
      });
    else if (!user) problems.push({ variable, value: name, expected: 'must be a user of this host; there is none of that name' });
    return user;
  };
  const byDefault = runAs === undefined ? undefined : find('TROUPE_RUN_AS', runAs);
  const others = allowed.map(name => find('TROUPE_RUN_AS_ALLOWED', name)).filter(user => user !== undefined);
  if (problems.length > 0) throw new ConfigError(problems);
  const users = { byDefault, allowed: others, own };
  const strangers = [byDefault, ...others].filter(user => user !== undefined).filter(({ uid }) => uid !== 0);
  if (strangers.length === 0) return users;
  // They cannot list it, and its files are readable by their owner alone.
  chmodSync(data, 0o711);
  for (const user of strangers) {
    const variable = user === byDefault ? 'TROUPE_RUN_AS' : 'TROUPE_RUN_AS_ALLOWED';
    if (user.groups.some(group => group !== user.gid) && !maySetGroups(user)) {
      const expected = 'is in several groups, and a process gets them by setpriv of util-linux, which does not work here';
      problems.push({ variable, value: user.name, expected });
    }
    const closed = closedTo(user, data);
    if (closed === undefined) continue;
    const expected = `must be able to reach the work directories in ${data}, and may not pass through ${closed}; let it (chmod o+x), or choose another --data`;
    problems.push({ variable, value: user.name, expected });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return users;
}

/** The first directory on the way that keeps the user out. */
function closedTo({ uid, groups }: HostUser, path: string): string | undefined {
  const parents: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    parents.unshift(at);
    if (at === dirname(at)) break;
  }
  return parents.find(each => {
    const { mode, uid: owner, gid } = statSync(each);
    const bit = owner === uid ? 0o100 : groups.includes(gid) ? 0o010 : 0o001;
    return (mode & bit) === 0;
  });
}

function lookUp(name: string): HostUser | undefined {
  const entry = ask('getent', ['passwd', name])?.split(':');
  const [, , uid, gid, , home = '/'] = entry ?? [];
  if (!entry || !isNumber(uid) || !isNumber(gid)) return undefined;
  const groups = (ask('id', ['-G', name]) ?? gid).split(' ').filter(isNumber).map(Number);
  return { name, uid: Number(uid), gid: Number(gid), groups, home: home || '/' };
}

function maySetGroups(user: HostUser): boolean {
  const [program = '', ...args] = [...setpriv(user), 'true'];
  return spawnSync(program, args, { timeout: ASK_MS }).status === 0;
}

const nameOf = (uid: number | undefined): string | undefined =>
  uid === undefined ? undefined : ask('getent', ['passwd', String(uid)])?.split(':')[0];

const isNumber = (text: string | undefined): text is string => text !== undefined && /^\d+$/.test(text);

/** The first line that the program prints; undefined when it fails. */
function ask(program: string, args: string[]): string | undefined {
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8', timeout: ASK_MS });
  return status === 0 ? stdout.split('\n')[0]?.trim() || undefined : undefined;
}

/** A name service over a network may hang. */
const ASK_MS = 10_000;
