/** `troupe up`: a center with one agent, from registration to output. */
import { afterEach, describe, expect, test } from 'bun:test';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ownCommand } from '../../src/cli/local-agent.ts';
import { until } from '../support/cluster.ts';
import { tempDir } from '../support/temp-dir.ts';
import { aShell, type TestShell, troupe } from './support/shell.ts';

const clusters: ChildProcess[] = [];
afterEach(async () => {
  for (const cluster of clusters.splice(0)) {
    if (cluster.exitCode !== null || cluster.signalCode !== null) continue;
    cluster.kill('SIGTERM');
    await once(cluster, 'exit');
  }
});

/** The real thing, as `npm start` starts it, on a port of its own. */
async function aCluster(
  data = tempDir('up'),
  more: Record<string, string> = {},
): Promise<{ cluster: ChildProcess; url: string; password?: string; data: string }> {
  const [program = '', ...args] = ownCommand('up');
  const env = { PATH: process.env.PATH, HOME: data, ...more };
  const cluster = spawn(program, [...args, '--json', '--data', data, '--listen', '127.0.0.1:0'], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  clusters.push(cluster);
  const [line] = (await once(createInterface({ input: cluster.stdout as NonNullable<typeof cluster.stdout> }), 'line')) as [string];
  const { urls, password } = JSON.parse(line) as { urls: string[]; password?: string };
  return { cluster, url: urls[0] ?? '', data, ...(password === undefined ? {} : { password }) };
}

const shellAt = (url: string, password: string | undefined): TestShell => aShell({ input: password ?? '', env: { TROUPE_URL: url } });

/** The agent that belongs to a cluster, while it runs. */
const agentsOf = (data: string): number[] =>
  readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return words.includes('--with-parent') && words.includes(join(data, 'agent'));
      } catch {
        return false;
      }
    });

/** Copies of apps may be readable to other users by design. */
const filesOf = (data: string): string[] =>
  readdirSync(data, { recursive: true, encoding: 'utf8' })
    .map(name => join(data, name))
    .filter(path => !/\/(artifacts|\.bun)\//.test(path) && statSync(path).isFile());

/** The same user in a fresh terminal. */
const another = (shell: TestShell): TestShell => aShell({ env: shell.env });

describe('troupe up', () => {
  test('troupe up runs a job from registration to its output, and ends with what it started', async () => {
    const { cluster, url, password, data } = await aCluster();
    const shell = shellAt(url, password);
    expect((await troupe('login', shell)).exit).toBe(0);
    await until('its host is ready', async () => (await troupe('hosts --json', another(shell))).out.includes('"ready"'));
    const made = await troupe(['jobs', 'create', 'hello', '--shards', '2', '--', 'sh', '-c', 'echo shard $TROUPE_SHARD'], another(shell));
    expect(made).toMatchObject({ exit: 0, out: 'created hello\n' });
    const ran = await troupe('trigger hello --follow', another(shell));
    expect(ran.exit).toBe(0);
    expect(ran.out.split('\n').sort()).toEqual(['', '[0] shard 0', '[1] shard 1']);

    cluster.kill('SIGINT');
    expect(await once(cluster, 'exit')).toEqual([0, null]);
    expect(agentsOf(data)).toEqual([]);
  });

  test('troupe up shows no secret of its environment to jobs, and no file of its own to other users', async () => {
    const data = tempDir('up');
    mkdirSync(data, { recursive: true });
    chmodSync(data, 0o755);
    const before = process.umask(0o022);
    const secrets = { TROUPE_ROOT_PASSWORD: 'the-password-of-root', TROUPE_SMTP: 'smtp://me:the-password-of-mail@h' };
    const { cluster, url } = await aCluster(data, secrets).finally(() => process.umask(before));
    const shell = shellAt(url, secrets.TROUPE_ROOT_PASSWORD);
    expect((await troupe('login', shell)).exit).toBe(0);
    await until('its agent is there', () => agentsOf(data).length === 1);
    // The job reads what /proc shows of center and agent.
    const pids = [cluster.pid, ...agentsOf(data)];
    const script = `for pid in ${pids.join(' ')}; do cat /proc/$pid/environ /proc/$pid/cmdline | tr '\\0' '\\n'; done`;
    await troupe(['jobs', 'create', 'curious', '--', 'sh', '-c', script], another(shell));
    const ran = await troupe('trigger curious --follow', another(shell));
    expect(ran.out).toContain('--with-parent');
    for (const secret of [...Object.values(secrets), 'the-password', 'troupe_join_']) expect(ran.out).not.toContain(secret);
    expect(filesOf(data).filter(path => (statSync(path).mode & 0o077) !== 0)).toEqual([]);
  });

  test('troupe up draws another password where a taken port kept the first start from showing one', async () => {
    const data = tempDir('taken');
    const port = createServer().listen(0, '127.0.0.1');
    await once(port, 'listening');
    const taken = `127.0.0.1:${(port.address() as AddressInfo).port}`;
    const [program = '', ...args] = ownCommand('center');
    const first = spawn(program, [...args, '--data', data, '--listen', taken], { stdio: ['ignore', 'ignore', 'pipe'] });
    let notices = '';
    first.stderr?.on('data', piece => (notices += String(piece)));
    expect(await once(first, 'close')).toEqual([1, null]);
    port.close();
    expect(notices).toContain(
      `cannot listen on ${taken}: the address is in use; stop the other program, or choose another address with --listen or TROUPE_LISTEN`,
    );
    const second = await aCluster(data);
    expect(second.password).toBeString();
    expect((await troupe('login', shellAt(second.url, second.password))).exit).toBe(0);
  });

  test('troupe up shows its password once, and no agent of it outlives it, even after kill -9', async () => {
    const first = await aCluster();
    expect(first.password).toBeString();
    await until('its agent is there', () => agentsOf(first.data).length === 1);
    first.cluster.kill('SIGKILL');
    await once(first.cluster, 'exit');
    await until('its agent has ended', () => agentsOf(first.data).length === 0);

    const second = await aCluster(first.data);
    expect(second.password).toBeUndefined();
    expect((await troupe('login', shellAt(second.url, first.password))).exit).toBe(0);
  });
});
