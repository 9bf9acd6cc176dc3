/**
 * The keeper's program: `keeper --data DIR [--idle-ms N]`. One per data directory; it exits once no
 * process runs and no agent is connected.
 */
import { mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../lib/clock.ts';
import { createDialer } from '../lib/dialer.ts';
import { trimHeap } from '../lib/heap.ts';
import { keeperDirectory } from '../protocol/keeper.ts';
import { createNoticeSender } from './alive-notice.ts';
import { createKeeperCore } from './core.ts';
import { type Native, openNative } from './native.ts';
import { serveKeeper } from './server.ts';
import { createSpawner } from './spawner.ts';
import { createFileSpool } from './spool.ts';

const IDLE_MS = 60_000;
/** Largest frame the keeper takes from the center, bytes: it reads the challenge only. */
const FRAME_MAX = 64 * 1024;

/**
 * Resolves with the exit code: 0 when the keeper is done, 3 when another keeper has this directory.
 * The caller exits the process, which releases files and lock.
 */
export async function keeperMain(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, allowPositionals: true, options: { data: { type: 'string' }, 'idle-ms': { type: 'string' } } });
  if (values.data === undefined) throw new Error('the keeper needs --data DIR, the data directory of its agent');
  const directory = keeperDirectory(values.data);
  // No other user may read files of the keeper and of its runs.
  process.umask(0o077);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const native = await openNative();
  if (!takeLock(native, directory)) return 3;
  native?.setNoNewPrivileges();

  trimHeap(systemClock);
  const clock = systemClock;
  const core = createKeeperCore({ clock, spawner: createSpawner(native), spool: createFileSpool({ directory, clock }) });
  const signalled = new Promise<string>(resolve => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(`its keeper was ended by ${signal}`));
    // The keeper has no terminal to lose.
    process.on('SIGHUP', () => {});
  });
  const server = await serveKeeper({
    core,
    notices: createNoticeSender({ clock, dialer: createDialer(clock, FRAME_MAX) }),
    directory,
    clock,
    idleMs: Number(values['idle-ms'] ?? IDLE_MS),
  });
  const reason = await Promise.race([server.idle, signalled]);
  if (reason !== undefined) await core.shutdown(reason);
  await server.close();
  return 0;
}

/**
 * Held until the process ends, also by a crash. Without a foreign function interface the runtime's
 * own lock serves, which Deno has.
 */
function takeLock(native: Native | undefined, directory: string): boolean {
  const path = join(directory, 'lock');
  if (native !== undefined) return native.lock(openSync(path, 'a', 0o600));
  interface LockFile {
    tryLockSync?(exclusive: boolean): boolean;
    lockSync(exclusive: boolean): void;
  }
  const deno = (globalThis as { Deno?: { openSync(path: string, options: object): LockFile } }).Deno;
  if (deno === undefined) throw new Error('the keeper needs Bun or Deno on Linux: without flock two keepers could serve one directory');
  const file = deno.openSync(path, { write: true, create: true });
  // Blocking is harmless: the agent keeps trying to connect, and this keeper starts once the other
  // one has exited.
  if (file.tryLockSync === undefined) file.lockSync(true);
  return file.tryLockSync?.(true) ?? true;
}

if (import.meta.main) process.exit(await keeperMain(process.argv.slice(2)));
