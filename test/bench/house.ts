/** A real center and a real agent, each a process of its own, for the benches that go through the front door. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dir, '../..');

export interface House {
  url: string;
  /** Data of center and agent. */
  directory: string;
  center: ChildProcess;
  agent: ChildProcess;
  /** JSON in, JSON out; throws with the answer's text when it is no success. */
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** Resident memory of a process and its children in MB. */
  memoryOf(pid: number): number;
  close(): Promise<void>;
}

/** `cpus` and `memoryMB` are what the agent offers: enough that only processes limit the rate. */
export async function aHouse({ cpus = 64, memoryMB = 1_000_000 } = {}): Promise<House & { startedMs: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  const env = {
    ...process.env,
    TROUPE_AUTH: 'off',
    TROUPE_LISTEN: '127.0.0.1:0',
    TROUPE_DATA: join(directory, 'center'),
    TROUPE_LOG: 'warn',
  };
  const began = performance.now();
  const center = spawn(process.execPath, [join(ROOT, 'src/main.ts')], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await firstMatch(center, /serves at (\S+)/);
  await answers(`${url}/v1/ready`);
  const startedMs = performance.now() - began;
  const agent = spawn(
    process.execPath,
    [
      join(ROOT, 'src/agent/main.ts'),
      '--center',
      url.replace('http', 'ws'),
      '--name',
      'bench',
      '--cpus',
      String(cpus),
      '--memory',
      String(memoryMB),
      '--data',
      join(directory, 'agent'),
    ],
    { env: { ...process.env, TROUPE_LOG: 'warn' }, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(`${url}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  };
  await until(async () => (await call<{ items: { status: string }[] }>('GET', '/v1/hosts')).items.some(host => host.status === 'ready'));
  return {
    url,
    directory,
    center,
    agent,
    call,
    memoryOf,
    startedMs,
    async close() {
      agent.kill('SIGTERM');
      center.kill('SIGTERM');
      await Promise.all([agent, center].map(child => new Promise(done => (child.exitCode === null ? child.once('exit', done) : done(0)))));
      for (const pid of keepersOf(directory)) process.kill(pid, 'SIGTERM');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Asks again every few milliseconds; a bench may wait, a test may not. */
export async function until(fact: () => Promise<boolean>, ms = 60_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await fact())) {
    if (performance.now() > end) throw new Error('waited too long');
    await Bun.sleep(10);
  }
}

async function answers(url: string): Promise<void> {
  await until(async () => {
    try {
      return (await fetch(url)).ok;
    } catch {
      return false;
    }
  });
}

function firstMatch(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((done, fail) => {
    let text = '';
    child.stdout?.on('data', chunk => {
      text += chunk;
      const found = pattern.exec(text)?.[1];
      if (found) done(found);
    });
    child.once('exit', code => fail(new Error(`the center ended with ${code}: ${text}`)));
  });
}

/** Keepers serve a data directory and outlive their agents on purpose. */
export function keepersOf(directory: string): number[] {
  const found = Bun.spawnSync(['pgrep', '-f', `keeper.*${directory}`]);
  return found.stdout.toString().trim().split('\n').filter(Boolean).map(Number);
}

function memoryOf(pid: number): number {
  const status = Bun.spawnSync(['cat', `/proc/${pid}/status`]).stdout.toString();
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 102.4) / 10;
}
