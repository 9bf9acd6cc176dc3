/** Command lines, programs on the PATH, and the settings of an agent. */
import { describe, expect, test } from 'bun:test';
import { chmod, mkdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { programs } from '../../src/agent/host/programs.ts';
import { type RunFiles, resolveArgv } from '../../src/agent/runs/command.ts';
import { readAgentConfig } from '../../src/config/agent.ts';
import { splitCommand } from '../../src/lib/command-words.ts';
import { tempDir } from '../support/temp-dir.ts';

describe('a command line', () => {
  test.each([
    ['a b  c', ['a', 'b', 'c']],
    [' a\tb\n', ['a', 'b']],
    [`'a b' "c d"`, ['a b', 'c d']],
    [`a'b'"c"d`, ['abcd']],
    [`''  ""`, ['', '']],
    [String.raw`a\ b \' \\`, ['a b', "'", '\\']],
    [String.raw`"a\"b\\c\d"`, [String.raw`a"b\c\d`]],
    [String.raw`'a\b'`, [String.raw`a\b`]],
    ['a\\\nb', ['ab']],
    ['$HOME *.txt `id` a|b;c >d', ['$HOME', '*.txt', '`id`', 'a|b;c', '>d']],
    ['', []],
  ])('the command line %j is split into %j', (text, words) => {
    expect(splitCommand(text).words).toEqual(words);
  });

  test.each(["a 'b", 'a "b', 'a \\'])('the command line %j is refused', text => {
    expect(() => splitCommand(text)).toThrow('the command');
  });
});

describe('a program', () => {
  const spec = { shell: false };
  const inApp = async (run: (app: RunFiles) => Promise<void>, script?: string) => {
    const directory = tempDir('app');
    try {
      await mkdir(join(directory, 'bin'));
      for (const name of ['bin/start.sh', ...(script ? [script] : [])])
        await writeFile(join(directory, name), '#!/bin/sh\n', { mode: 0o600 });
      await symlink('/bin/sh', join(directory, 'bin/out'));
      await symlink('start.sh', join(directory, 'bin/in'));
      await run({ directory, script, of: 'app' });
    } finally {
      await rm(directory, { recursive: true });
    }
  };
  const PATH = '/usr/bin:/bin';

  test('a program is looked up in the app first, in either spelling, and made executable', () =>
    inApp(async app => {
      for (const command of ['bin/start.sh x', String.raw`bin\start.sh x`, './bin/start.sh x', ['bin\\start.sh', 'x']]) {
        await chmod(join(app.directory, 'bin/start.sh'), 0o600);
        expect(await resolveArgv({ ...spec, command }, app, PATH, programs)).toEqual([join(app.directory, 'bin/start.sh'), 'x']);
        expect((await stat(join(app.directory, 'bin/start.sh'))).mode & 0o100).not.toBe(0);
      }
      expect(await resolveArgv({ ...spec, command: 'bin/in' }, app, PATH, programs)).toEqual([join(app.directory, 'bin/in')]);
    }));

  test('a program is never found outside the app by a relative name', () =>
    inApp(async app => {
      for (const command of ['../../bin/sh', 'bin/out', 'bin/../../x', 'bin']) {
        expect(resolveArgv({ ...spec, command }, app, PATH, programs)).rejects.toThrow('neither in the app nor on the PATH');
      }
      await Promise.resolve();
    }));

  test('a program is looked up in the directory of a job like in an app', () =>
    inApp(async ({ directory }) => {
      const files: RunFiles = { directory, script: undefined, of: 'directory of the job' };
      expect(await resolveArgv({ ...spec, command: './bin/start.sh' }, files, PATH, programs)).toEqual([join(directory, 'bin/start.sh')]);
      await expect(resolveArgv({ ...spec, command: 'bin/none' }, files, PATH, programs)).rejects.toThrow(
        'the program "bin/none" is neither in the directory of the job nor on the PATH of this host',
      );
    }));

  test.each([
    ['/no/such/file', 'there is no program "/no/such/file" on this host'],
    ['/etc/passwd', '"/etc/passwd" may not be executed on this host'],
    ['/etc', '"/etc" may not be executed on this host'],
    ['./backup.sh', 'the program "./backup.sh" is a relative path, which is looked up in an app alone; write an absolute path'],
  ])('a program named by the path %s that leads to none is refused with the reason', async (command, sentence) => {
    await expect(resolveArgv({ ...spec, command }, undefined, PATH, programs)).rejects.toThrow(sentence);
  });

  test('a program is looked up on the PATH next', async () => {
    const [found] = await resolveArgv({ ...spec, command: 'sh -c true' }, undefined, PATH, programs);
    expect(found).toEndWith('/bin/sh');
    expect(await resolveArgv({ ...spec, command: '/bin/sh' }, undefined, '', programs)).toEqual(['/bin/sh']);
    await expect(resolveArgv({ ...spec, command: 'no-such-program' }, undefined, PATH, programs)).rejects.toThrow('not on the PATH');
    expect(resolveArgv({ ...spec, command: '' }, undefined, PATH, programs)).rejects.toThrow('the command is empty');
  });

  test('a program that is a bare script runs when it is named, and when the command is only arguments', () =>
    inApp(async app => {
      const script = join(app.directory, 'job.sh');
      const argv = (command: string | string[]) => resolveArgv({ ...spec, command, lastArgument: '{}' }, app, PATH, programs);
      expect(await argv('job.sh a')).toEqual([script, 'a', '{}']);
      expect(await argv('./job.sh')).toEqual([script, '{}']);
      expect(await argv('')).toEqual([script, '{}']);
      expect(await argv('--fast b')).toEqual([script, '--fast', 'b', '{}']);
      expect(await argv('2026 b')).toEqual([script, '2026', 'b', '{}']);
      expect((await argv('sh job.sh')).slice(1)).toEqual(['job.sh', '{}']);
    }, 'job.sh'));

  test('a program of a shell gets the line as it is, and the last argument as its first', async () => {
    const shell = await programs.shell();
    const command = 'echo "$1" | wc';
    expect(await resolveArgv({ shell: true, command }, undefined, PATH, programs)).toEqual([shell, '-c', command]);
    expect(await resolveArgv({ shell: true, command, lastArgument: '{}' }, undefined, PATH, programs)).toEqual([
      shell,
      '-c',
      command,
      shell,
      '{}',
    ]);
  });
});

describe('the settings of an agent', () => {
  const host = { hostname: 'Host 1.lan', cpus: 4, memoryMB: 8_000 };
  const read = (args: string[], env: Record<string, string> = {}) => readAgentConfig({ args, env, host });

  test('the settings of an agent have defaults', () => {
    expect(read([])).toMatchObject({
      centers: ['ws://127.0.0.1:8899/v1/agents'],
      name: 'Host-1.lan',
      pool: undefined,
      cpus: 4,
      memoryMB: 8_000,
      labels: {},
      dataDir: './data/agent',
    });
  });

  test('the settings of an agent come from the environment, and flags win', () => {
    const env = {
      TROUPE_CENTER: 'ws://a:1, https://b/',
      TROUPE_JOIN_TOKEN: 't',
      TROUPE_NAME: 'n',
      TROUPE_POOL: 'p',
      TROUPE_CPUS: '0.5',
      TROUPE_MEMORY: '100',
      TROUPE_LABELS: 'zone=a,disk=ssd',
      TROUPE_AGENT_DATA: '/d',
    };
    expect(read([], env)).toMatchObject({
      centers: ['ws://a:1/v1/agents', 'wss://b/v1/agents'],
      joinToken: 't',
      name: 'n',
      pool: 'p',
      cpus: 0.5,
      memoryMB: 100,
      labels: { zone: 'a', disk: 'ssd' },
      dataDir: '/d',
    });
    const flags = ['--center', 'ws://c', '--center=ws://d/troupe', '--name=m', '--label', 'zone=b', '--label', 'x='];
    expect(read(flags, env)).toMatchObject({
      centers: ['ws://c/v1/agents', 'ws://d/troupe/v1/agents'],
      name: 'm',
      pool: 'p',
      labels: { zone: 'b', x: '' },
    });
  });

  test('the settings of an agent limit the directories of jobs by megabytes and days', () => {
    expect(read([])).toMatchObject({ jobDirectoriesMaxBytes: 5_120 * 1024 ** 2, keepJobDirectoriesMs: 30 * 86_400_000 });
    const env = { TROUPE_JOB_DIRECTORIES_MAX_MB: '100', TROUPE_KEEP_JOB_DIRECTORIES_DAYS: '0.5' };
    expect(read([], env)).toMatchObject({ jobDirectoriesMaxBytes: 100 * 1024 ** 2, keepJobDirectoriesMs: 43_200_000 });
    const wrong = { TROUPE_JOB_DIRECTORIES_MAX_MB: 'all', TROUPE_KEEP_JOB_DIRECTORIES_DAYS: '0' };
    expect(() => read([], wrong)).toThrow(/TROUPE_JOB_DIRECTORIES_MAX_MB[\s\S]*TROUPE_KEEP_JOB_DIRECTORIES_DAYS/);
  });

  test('the settings of an agent have a hundred labels at most', () => {
    const labels = (count: number) => Array.from({ length: count }, (_, place) => `l${place}=x`).join(',');
    expect(Object.keys(read([], { TROUPE_LABELS: labels(100) }).labels)).toHaveLength(100);
    expect(() => read([], { TROUPE_LABELS: labels(101) })).toThrow('at most 100 of them');
    expect(read([], { TROUPE_ARTIFACT_HOSTS: 'App_Host, *.Apps.example' }).artifactHosts).toEqual(['app_host', '*.apps.example']);
    expect(() => read([], { TROUPE_ARTIFACT_HOSTS: 'apps.example/x' })).toThrow('must be hosts that apps may come from');
  });

  test('the settings of an agent are refused all at once, without their secrets', () => {
    const flags = ['--centre', 'ws://x', '--center', 'tcp://x', '--cpus', '-1', '--pool'];
    const problem = (() => {
      try {
        read(flags, { TROUPE_MEMORY: 'lots', TROUPE_JOIN_TOKEN: 'to ken', TROUPE_LABELS: 'nothing', TROUPE_NAME: '/' });
      } catch (error) {
        return String(error);
      }
    })();
    for (const part of [
      'did you mean --center?',
      '--center is "tcp://x"',
      '--cpus is "-1"',
      '--pool: needs a value',
      'TROUPE_MEMORY is "lots"',
    ]) {
      expect(problem).toContain(part);
    }
    for (const part of ['TROUPE_JOIN_TOKEN is "***"', 'TROUPE_LABELS is "nothing"', 'TROUPE_NAME is "/"']) expect(problem).toContain(part);
    expect(problem).not.toContain('to ken');
  });
});
