/**
 * The keeper's program: `keeper --data DIR [--idle-ms N]`. One per data directory; it ends by
 * itself once it has nothing to keep and nobody asks.
 */
import { mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createDialer } from '../agent/host/dialer.ts';
import { systemClock } from '../lib/clock.ts';
import { createLastWords } from './alive-notice.ts';
import { createKeeperCore } from './core.ts';
import { type Native, openNative } from './native.ts';
import { serveKeeper } from './server.ts';
import { keeperDirectory } from './socket.ts';
import { createSpawner } from './spawner.ts';
import { createFileSpool } from './spool.ts';

const IDLE_MS = 60_000;
/** Of the center the keeper reads a greeting at most, bytes. */
const FRAME_MAX = 64 * 1024;

/**
 * Resolves with the exit code when the keeper is done: 0, or 3 when another one keeps this
 * directory. Exit then: files and lock go with the process.
 */
export async function keeperMain(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, allowPositionals: true, options: { data: { type: 'string' }, 'idle-ms': { type: 'string' } } });
  if (values.data === undefined) throw new Error('the keeper needs --data <directory>: the data directory of its agent');
  const directory = keeperDirectory(values.data);
  // Nothing the keeper or its runs write is for other users.
  process.umask(0o077);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const native = await openNative();
  if (!takeLock(native, directory)) return 3;
  native?.giveUpNewPrivileges();

  const clock = systemClock;
  const core = createKeeperCore({ clock, spawner: createSpawner(native), spool: createFileSpool({ directory, clock }) });
  const asked = new Promise<string>(resolve => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(`its keeper was ended by ${signal}`));
    // The keeper has no terminal to lose.
    process.on('SIGHUP', () => {});
  });
  const server = await serveKeeper({
    core,
    lastWords: createLastWords({ clock, dialer: createDialer(clock, FRAME_MAX) }),
    directory,
    clock,
    idleMs: Number(values['idle-ms'] ?? IDLE_MS),
  });
  const reason = await Promise.race([server.idle, asked]);
  if (reason !== undefined) await core.shutdown(reason);
  await server.close();
  return 0;
}

/**
 * Held until the process ends, however it ends. Without a foreign function interface the runtime's
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
  // Waiting is no harm: the door that started this one goes on knocking, and whoever comes second
  // starts when the first is gone.
  if (file.tryLockSync === undefined) file.lockSync(true);
  return file.tryLockSync?.(true) ?? true;
}

if (import.meta.main) process.exit(await keeperMain(process.argv.slice(2)));
