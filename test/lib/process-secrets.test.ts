/** What other processes can read of this one: environment, command line, files. */
import { afterEach, describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { lockDataDirectory as lockAgentDirectory } from '../../src/agent/host/lock.ts';
import { agentEnvironment } from '../../src/cli/local-agent.ts';
import { AGENT_USAGE } from '../../src/config/agent-settings.ts';
import { keepPrivate, makePrivate } from '../../src/lib/private-file.ts';
import { secretFlagsIn, secretsIn, startsIn } from '../../src/lib/process-secrets.ts';
import { createSqliteStore } from '../../src/store/sqlite/index.ts';
import { aWrite } from '../support/store-builders.ts';
import { tempDir } from '../support/temp-dir.ts';

const bytes = (words: string[]) => Buffer.from(words.map(word => `${word}\0`).join(''));
const found = (from: Uint8Array, stretches: { at: number; length: number }[]) =>
  stretches.map(({ at, length }) => Buffer.from(from.slice(at, at + length)).toString());

describe('secrets of this process', () => {
  test('secrets of this process are found in its environment, at their bytes', () => {
    const environ = bytes([
      'PATH=/bin',
      'NOTE=Größe TROUPE_ROOT_PASSWORD=no',
      'TROUPE_ROOT_PASSWORD=pässword',
      'TROUPE_STORE=mongodb://u:p@h/db',
      'TROUPE_JOIN_TOKEN=troupe_join_x',
      'TROUPE_ROOT_PASSWORDS=no',
      'TROUPE_SMTP=',
    ]);
    expect(found(environ, secretsIn(environ))).toEqual(['pässword', 'mongodb://u:p@h/db', 'troupe_join_x', '']);
    expect(secretsIn(new Uint8Array())).toEqual([]);
  });

  test('secrets of this process are found on its command line, behind a blank and behind "="', () => {
    const line = bytes(['troupe', 'up', '--root-password', 'one', '--token=two', '--store=mongodb://u:p@h/db', '--data', '--token']);
    expect(found(line, secretFlagsIn(line))).toEqual(['one', 'two', 'mongodb://u:p@h/db', '']);
  });

  test('secrets of this process are looked for where the kernel has them, whatever the program is called', () => {
    const fields = Array.from({ length: 50 }, (_, place) => String(place + 3));
    expect(startsIn(`1 (a) b (c)) ${fields.join(' ')}\n`)).toEqual({ argStart: 48, envStart: 50 });
  });
});

describe('the agent of "troupe up"', () => {
  /** Passed as flags or over standard input. */
  const OTHERWISE = ['TROUPE_CENTER', 'TROUPE_JOIN_TOKEN', 'TROUPE_CENTER_KEY', 'TROUPE_POOL', 'TROUPE_AGENT_DATA'];

  test('the agent of "troupe up" gets every setting of its own, and no other variable of the center', () => {
    const settings = [...AGENT_USAGE.matchAll(/TROUPE_\w+/g)].map(([name]) => name).filter(name => !OTHERWISE.includes(name));
    expect(settings.length).toBeGreaterThan(3);
    const ours = Object.fromEntries([...settings, 'PATH', 'HOME', 'LC_ALL', 'TZ'].map(name => [name, 'x']));
    const theirs = { TROUPE_ROOT_PASSWORD: 'x', TROUPE_STORE: 'x', TROUPE_SMTP: 'x', AWS_SECRET_ACCESS_KEY: 'x', UNSET: undefined };
    expect(agentEnvironment({ ...ours, ...theirs })).toEqual(ours);
  });
});

describe('files in a directory that everybody may look into', () => {
  const before = process.umask(0o022);
  afterEach(() => process.umask(before));
  const aWideDirectory = () => {
    process.umask(0o022);
    const directory = tempDir('wide');
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, 0o755);
    return directory;
  };
  const wide = (directory: string) => readdirSync(directory).filter(name => (statSync(join(directory, name)).mode & 0o077) !== 0);

  test('files of the store are readable by their owner alone: database, log, index, locks, mark', async () => {
    const directory = aWideDirectory();
    const store = await createSqliteStore({ directory });
    await store.commit([aWrite({ address: 'job/a' })]);
    expect(readdirSync(directory)).toEqual(
      expect.arrayContaining(['troupe.sqlite', 'troupe.sqlite-wal', 'troupe.sqlite-shm', 'lock.sqlite', 'lock.pid']),
    );
    expect(wide(directory)).toEqual([]);
    await store.close();
    // As an earlier version or a restored copy left them.
    for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o644);
    const again = await createSqliteStore({ directory });
    expect(wide(directory).filter(name => name !== 'troupe.mark')).toEqual([]);
    await again.close();
  });

  test('the lock of an agent is readable by its owner alone', () => {
    const directory = aWideDirectory();
    const lock = lockAgentDirectory(directory);
    expect(readdirSync(directory)).toContain('agent.lock');
    expect(wide(directory)).toEqual([]);
    lock.release();
  });

  test('private files are made once, and keep their content and the locks on them', () => {
    const directory = aWideDirectory();
    const path = join(directory, 'file');
    writeFileSync(path, 'kept');
    makePrivate(path);
    expect([statSync(path).mode & 0o777, Bun.file(path).size]).toEqual([0o600, 4]);
    keepPrivate(join(directory, 'nothing'));
    expect(readdirSync(directory)).toEqual(['file']);

    const lock = join(directory, 'lock.sqlite');
    const holder = new DatabaseSync(lock);
    holder.exec('begin exclusive');
    makePrivate(lock);
    const other = Bun.spawnSync([
      process.execPath,
      '-e',
      `new (require('node:sqlite').DatabaseSync)(${JSON.stringify(lock)}).exec('begin exclusive')`,
    ]);
    expect([other.exitCode === 0, other.stderr.toString().includes('locked')]).toEqual([false, true]);
    holder.close();
  });
});
