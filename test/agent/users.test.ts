/** Users as which a host runs jobs. */
import { describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openUsers } from '../../src/agent/host/users.ts';
import { type HostUser, type RunUsers, UserProblem, userOf } from '../../src/agent/users.ts';
import { tempDir } from '../support/temp-dir.ts';

const aUser = (name: string): HostUser => ({ name, uid: 7, gid: 7, groups: [7], home: '/' });
const [alice, bob] = [aUser('alice'), aUser('bob')];

describe('the user of a run', () => {
  const asRoot: RunUsers = { byDefault: undefined, allowed: [bob], own: 'root' };
  const asAlice: RunUsers = { byDefault: alice, allowed: [bob], own: 'root' };
  test.each([
    ['nobody, by default as the agent', asRoot, undefined, undefined],
    ['nobody, with a default', asAlice, undefined, alice],
    ['the default', asAlice, 'alice', alice],
    ['one that is allowed', asAlice, 'bob', bob],
    ['the user of the agent', asRoot, 'root', undefined],
  ] as [string, RunUsers, string | undefined, HostUser | undefined][])(
    'the user of a run whose job names %s',
    (_, users, wanted, found) => {
      expect(userOf(users, wanted)).toEqual(found as HostUser);
    },
  );

  test.each([
    ['one that is not allowed', asRoot, 'alice', 'this host runs jobs as root, bob alone'],
    ['the user of the agent, where there is a default', asAlice, 'root', 'this host runs jobs as alice, bob alone'],
    [
      'anybody, where nothing is set',
      { byDefault: undefined, allowed: [], own: undefined },
      'bob',
      'this host runs jobs as its own user alone',
    ],
  ] as [string, RunUsers, string, string][])('the user of a run whose job names %s is refused', (_, users, wanted, reason) => {
    expect(() => userOf(users, wanted)).toThrow(UserProblem);
    expect(() => userOf(users, wanted)).toThrow(reason);
  });
});

describe('the users of the settings', () => {
  const isRoot = process.getuid?.() === 0;
  const problemOf = (wanted: Parameters<typeof openUsers>[0], data: string) => {
    try {
      openUsers(wanted, data);
      return undefined;
    } catch (problem) {
      return (problem as Error).message;
    }
  };

  test('the users of the settings are none by default, and leave the data directory alone', () => {
    const data = tempDir('users');
    chmodSync(data, 0o700);
    expect(openUsers({ runAs: undefined, allowed: [] }, data)).toMatchObject({ byDefault: undefined, allowed: [] });
    expect(statSync(data).mode & 0o777).toBe(0o700);
  });

  test.if(isRoot)('the users of the settings must exist and reach their files, and each that does not is named', () => {
    const closed = join(tempDir('users'), 'closed');
    const data = join(closed, 'data');
    mkdirSync(data, { recursive: true, mode: 0o700 });
    for (let at = dirname(closed); at.startsWith(tmpdir()); at = dirname(at)) chmodSync(at, statSync(at).mode | 0o001);
    const missing = problemOf({ runAs: 'no-such-user', allowed: ['daemon', 'neither'] }, data);
    expect(missing).toContain('TROUPE_RUN_AS is "no-such-user": must be a user of this host');
    expect(missing).toContain('TROUPE_RUN_AS_ALLOWED is "neither"');
    expect(missing).not.toContain('"daemon"');
    expect(problemOf({ runAs: 'daemon', allowed: [] }, data)).toContain(`may not pass through ${closed}; let it (chmod o+x)`);
    chmodSync(closed, 0o701);
    expect(openUsers({ runAs: 'daemon', allowed: [] }, data).byDefault).toMatchObject({ name: 'daemon', uid: 1, gid: 1 });
    expect(statSync(data).mode & 0o777).toBe(0o711);
  });
});
