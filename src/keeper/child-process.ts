/** One child process with two pipes, started by Bun or by `node:child_process`. */
import { spawn as spawnByNode } from 'node:child_process';
import { closeSync, fchownSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { setpriv } from '../lib/setpriv.ts';
import type { Native } from './native.ts';
import type { OutputSource, ProcessExit, SpawnRequest } from './ports.ts';

export interface ChildProcess {
  pid: number;
  stdout: OutputSource;
  stderr: OutputSource;
  exit: Promise<ProcessExit>;
}

type ChildRequest = Omit<SpawnRequest, 'tag'>;

/**
 * `onFork` gets the pid before anything else can reap the child. Rethrows the error of the start.
 */
export function startByBun({ argv, cwd, env, user }: ChildRequest, native: Native, onFork: (pid: number) => void): ChildProcess {
  const fds: number[] = [];
  try {
    // Pipes of our own: those of Bun.spawn are sockets, which a script cannot open as /dev/stdout,
    // and Bun reads them into memory without limit.
    fds.push(...native.pipe());
    fds.push(...native.pipe());
    const [out = -1, outEnd = -1, err = -1, errEnd = -1] = fds;
    // Only the owner of a pipe can open it as /dev/stdout.
    if (user) for (const fd of [outEnd, errEnd]) fchownSync(fd, user.uid, user.gid);
    const { words, ids } = withUser(argv, user);
    const child = Bun.spawn(words, { cwd, env, ...ids, stdin: 'ignore', stdout: outEnd, stderr: errEnd, detached: true });
    onFork(child.pid);
    closeSync(outEnd);
    closeSync(errEnd);
    const exit = child.exited.then(() => ({ code: child.exitCode, signal: child.signalCode === null ? null : String(child.signalCode) }));
    return { pid: child.pid, stdout: fromPipe(out), stderr: fromPipe(err), exit };
  } catch (error) {
    for (const fd of fds) closeSync(fd);
    throw error;
  }
}

export async function startByNode({ argv, cwd, env, user }: ChildRequest, onFork: (pid: number) => void): Promise<ChildProcess> {
  const { words, ids } = withUser(argv, user);
  const [program = '', ...args] = words;
  const child = spawnByNode(program, args, { cwd, env, ...ids, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  if (child.pid !== undefined) onFork(child.pid);
  const exit = new Promise<ProcessExit>(resolve => child.once('exit', (code, signal) => resolve({ code, signal })));
  await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  return { pid: child.pid ?? -1, stdout: fromReadable(child.stdout), stderr: fromReadable(child.stderr), exit };
}

/**
 * Both runtimes drop all supplementary groups of a child with another uid; `setpriv` sets them
 * again.
 */
function withUser(argv: string[], user: SpawnRequest['user']): { words: string[]; ids?: { uid: number; gid: number } } {
  if (user === undefined) return { words: argv };
  if (user.groups.every(group => group === user.gid)) return { words: argv, ids: { uid: user.uid, gid: user.gid } };
  return { words: [...setpriv(user), ...argv] };
}

function fromPipe(fd: number): OutputSource {
  const reader = Bun.file(fd).stream().getReader();
  let isOpen = true;
  const close = () => {
    if (isOpen) closeSync(fd);
    isOpen = false;
  };
  return {
    async read() {
      const { value } = await reader.read().catch(() => ({ value: undefined }));
      if (value === undefined) close();
      return value ?? null;
    },
    cancel: () => void (isOpen && reader.cancel().then(close, close)),
  };
}

function fromReadable(stream: Readable): OutputSource {
  const chunks: AsyncIterator<Uint8Array> = stream[Symbol.asyncIterator]();
  return {
    read: () =>
      chunks.next().then(
        ({ done, value }) => (done === true ? null : value),
        () => null,
      ),
    cancel: () => void stream.destroy(),
  };
}
