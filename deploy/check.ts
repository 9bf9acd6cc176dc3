/**
 * Tries a built program as an operator would: a center, an agent that joins by a token file, a job,
 * an upgrade of the agent in the middle of a job.
 */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { $ } from 'zx';

/** How long anything here may take. */
const PATIENCE_MS = 30_000;

/**
 * Rejects with what is not as it should be. Leaves nothing behind but a keeper that ends by itself
 * after a minute.
 */
export async function checkProgram(program: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-check-'));
  const started: ChildProcess[] = [];
  const env = { PATH: process.env.PATH, HOME: directory };
  const start = (...args: string[]) => {
    const child = spawn(program, args, { cwd: directory, env, stdio: ['ignore', 'pipe', 'inherit'] });
    started.push(child);
    return child;
  };
  try {
    const center = start('center', '--json', '--data', 'center', '--listen', '127.0.0.1:0');
    const { urls, password } = JSON.parse(await firstLine(center)) as { urls: string[]; password: string };
    const url = urls[0] ?? '';
    const troupe = $({ cwd: directory, env: { ...env, TROUPE_URL: url }, timeout: PATIENCE_MS, quiet: true });

    await troupe({ input: password })`${program} login --password-stdin`;
    await writeFile(join(directory, 'token'), (await troupe`${program} join-token`).stdout, { mode: 0o600 });
    const agent = ['agent', '--center', url, '--token-file', 'token', '--name', 'checked', '--data', 'agent'];
    const first = start(...agent);

    await troupe`${program} jobs create greet --shards 2 -- sh -c ${'echo hello from $TROUPE_SHARD on $TROUPE_HOST'}`;
    const greeted = await troupe`${program} trigger greet --follow`;
    assert.deepEqual(greeted.stdout.trim().split('\n').sort(), ['[0] hello from 0 on checked', '[1] hello from 1 on checked']);

    // The agent goes in the middle of a job, as in an upgrade; the next one brings the rest of the
    // output and the exit code.
    await troupe`${program} jobs create patient -- sh -c ${'echo begun; sleep 3; echo ended; exit 7'}`;
    const following = troupe({ nothrow: true })`${program} trigger patient --follow`;
    await until(following.stdout, 'begun');
    first.kill('SIGKILL');
    await once(first, 'exit');
    start(...agent);
    const followed = await following;
    assert.equal(followed.stdout, 'begun\nended\n');
    assert.match(followed.stderr, /failed in .*: exit code 7/);
    assert.equal(followed.exitCode, 1);

    for (const child of started.reverse()) {
      if (child === first) continue;
      child.kill('SIGTERM');
      assert.deepEqual(await once(child, 'exit'), [0, null]);
    }
  } finally {
    for (const child of started) child.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Listens and leaves the stream as it is: breaking off a loop over it would close it under the
 * program's feet.
 */
const until = (stream: Readable, text: string): Promise<void> =>
  new Promise(resolve => {
    stream.on('data', piece => {
      if (String(piece).includes(text)) resolve();
    });
  });

async function firstLine(child: ChildProcess): Promise<string> {
  assert(child.stdout);
  const [line] = await once(createInterface({ input: child.stdout }), 'line', { signal: AbortSignal.timeout(PATIENCE_MS) });
  return String(line);
}
