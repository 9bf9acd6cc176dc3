/**
 * Real processes: each the leader of a session of its own, nothing on its standard input, two
 * pipes, exactly the given environment plus the run's mark.
 */
import { spawn as spawnByNode } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, closeSync, constants, fchownSync, openSync, readSync, statSync } from 'node:fs';
import { delimiter } from 'node:path';
import type { Readable } from 'node:stream';
import { setpriv } from '../agent/runs/setpriv.ts';
import { type Native, openNative } from './native.ts';
import type { OutputSource, ProcessEnd, Spawner, StartRequest, Tree } from './ports.ts';
import { createTrees, type Entry, hasProc, MARK_VARIABLE, readBoot, readProcess, type TreePorts } from './process-tree.ts';

export type TreeKill = 'cgroup' | 'subreaper' | 'group';

/** A mark is the generation of its keeper and a number: 40 random bits, then 23 bits. */
const NUMBER_BITS = 23n;

interface RawProcess {
  pid: number;
  stdout: OutputSource;
  stderr: OutputSource;
  exit: Promise<ProcessEnd>;
}

/**
 * Makes this process the one that orphans of its runs come to; call it once. `native` undefined:
 * trees are found by mark variable and process group alone.
 */
export function createSpawner(native: Native | undefined): Spawner & { readonly treeKill: TreeKill } {
  const adopts = hasProc() && native?.adoptOrphans() === true;
  const generation = BigInt(`0x${randomBytes(5).toString('hex')}`);
  let number = 0n;
  const direct: TreePorts['direct'] = new Map();
  const isOurs = (mark: string) => BigInt(mark) >> NUMBER_BITS === generation;
  const trees = hasProc() ? createTrees({ native, adopts, direct, isOurs, notice }) : undefined;
  const byBun = process.versions.bun !== undefined && native !== undefined;

  function groupAlive(tree: Tree): boolean {
    return tree.pid !== null && send(-tree.pid, 0);
  }

  return {
    boot: readBoot(),
    treeKill: adopts ? 'subreaper' : 'group',
    mark: () => String((generation << NUMBER_BITS) | (number++ & ((1n << NUMBER_BITS) - 1n))),
    async start(request) {
      let raw: RawProcess;
      // `#!/usr/bin/env` is found, and would say of the rest only that there is no such program.
      // Programs of the system are not looked at.
      const [program = ''] = request.argv;
      const lineEnds = program.startsWith(`${request.cwd}/`) ? lineEndsOf(headOf(program)) : undefined;
      if (lineEnds !== undefined) return { failed: `"${program}" could not be started: ${lineEnds}` };
      // At once: an unknown child is reaped as an orphan, and its exit code is lost.
      const claim = (pid: number) => void direct.set(pid, { mark: request.mark, ticks: null });
      const marked = { ...request, env: { ...request.env, [MARK_VARIABLE]: request.mark } };
      const startIt = async (argv: string[]): Promise<RawProcess> => {
        // Branded while the child is forked, so there is no moment at which it runs without.
        native?.brand(BigInt(request.mark));
        try {
          // Both fork before they return.
          return byBun ? startByBun({ ...marked, argv }, native, claim) : startByNode({ ...marked, argv }, claim);
        } finally {
          native?.brand(undefined);
        }
      };
      try {
        raw = await startIt(request.argv).catch(error => {
          if (Object(error).code !== 'ENOEXEC' || !isPlainScript(program)) throw error;
          // As shells and execvp do: the shell runs a text that does not name its interpreter.
          return startIt([SHELL, ...request.argv]);
        });
      } catch (error) {
        return { failed: startFailure(request, error), ...(isHostFault(error) && { fault: 'spawn' as const }) };
      }
      const { pid, ...rest } = raw;
      const exit = raw.exit.finally(() => direct.get(pid)?.mark === request.mark && direct.delete(pid));
      return { started: { ...rest, exit, tree: { mark: request.mark, pid, ticks: null } } };
    },
    identify(tree) {
      const known = direct.get(tree.pid ?? -1);
      if (known?.mark !== tree.mark) return tree;
      known.ticks = readProcess(tree.pid ?? -1)?.ticks ?? null;
      return { ...tree, ticks: known.ticks };
    },
    members: async tree => (trees === undefined ? Number(groupAlive(tree)) : (await trees.find(tree)).length),
    async signal(tree, name) {
      const leads = tree.pid !== null && direct.get(tree.pid)?.mark === tree.mark;
      const members = (await trees?.find(tree)) ?? [];
      // Asked at the last moment: what ends behind this look is taken for an answer to the signal.
      const firstHadEnded = trees !== undefined && leads && readProcess(tree.pid ?? -1)?.dead !== false;
      // The kernel signals a group in one go: what is being forked right now does not slip through.
      if (tree.pid !== null && (leads || (trees === undefined && groupAlive(tree)))) send(-tree.pid, `SIG${name}`);
      for (const member of members) if (!leads || member.group !== tree.pid) sendExactly(member, `SIG${name}`);
      // A stopped process would sleep through its TERM.
      if (name === 'TERM') for (const member of members) sendExactly(member, 'SIGCONT');
      return { alive: trees === undefined ? Number(groupAlive(tree)) : members.length, firstHadEnded };
    },
    tidy: () => trees?.tidy(),
  };
}

/**
 * How trees are ended on this host, for its record. Never `cgroup` so far: moving a process into a
 * group takes place after its start, so the group could miss what it forks at once and would not
 * spare the look at /proc, and the move costs several times the start itself.
 */
export async function detectTreeKill(): Promise<TreeKill> {
  return hasProc() && (await openNative()) !== undefined ? 'subreaper' : 'group';
}

/** Into the keeper's log. */
const notice = (sentence: string): void => void process.stderr.write(`${sentence}\n`);

/** False: there is nobody of that number, or none we may signal. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** Signals the process that was seen, not one that got its pid since. */
function sendExactly(seen: Entry, signal: NodeJS.Signals): void {
  if (readProcess(seen.pid)?.ticks === seen.ticks) send(seen.pid, signal);
}

function startByBun({ argv, cwd, env, user }: StartRequest, native: Native, claim: (pid: number) => void): RawProcess {
  const fds: number[] = [];
  try {
    // Pipes of our own: those of Bun.spawn are sockets, which a script cannot open as /dev/stdout,
    // and are read into memory without end when nobody pulls.
    fds.push(...native.pipe());
    fds.push(...native.pipe());
    const [out = -1, outEnd = -1, err = -1, errEnd = -1] = fds;
    // A pipe is its maker's: who opens /dev/stdout by its name needs to be its owner.
    if (user) for (const fd of [outEnd, errEnd]) fchownSync(fd, user.uid, user.gid);
    const { words, who } = asUser(argv, user);
    const child = Bun.spawn(words, { cwd, env, ...who, stdin: 'ignore', stdout: outEnd, stderr: errEnd, detached: true });
    claim(child.pid);
    closeSync(outEnd);
    closeSync(errEnd);
    const exit = child.exited.then(() => ({ code: child.exitCode, signal: child.signalCode === null ? null : String(child.signalCode) }));
    return { pid: child.pid, stdout: fromPipe(out), stderr: fromPipe(err), exit };
  } catch (error) {
    for (const fd of fds) closeSync(fd);
    throw error;
  }
}

/**
 * The runtimes take all supplementary groups from a child that becomes another user; `setpriv`
 * gives it those that it should have.
 */
function asUser(argv: string[], user: StartRequest['user']): { words: string[]; who?: { uid: number; gid: number } } {
  if (user === undefined) return { words: argv };
  if (user.groups.every(group => group === user.gid)) return { words: argv, who: { uid: user.uid, gid: user.gid } };
  return { words: [...setpriv(user), ...argv] };
}

function fromPipe(fd: number): OutputSource {
  const reader = Bun.file(fd).stream().getReader();
  let open = true;
  const close = () => {
    if (open) closeSync(fd);
    open = false;
  };
  return {
    async read() {
      const { value } = await reader.read().catch(() => ({ value: undefined }));
      if (value === undefined) close();
      return value ?? null;
    },
    cancel: () => void (open && reader.cancel().then(close, close)),
  };
}

async function startByNode({ argv, cwd, env, user }: StartRequest, claim: (pid: number) => void): Promise<RawProcess> {
  const { words, who } = asUser(argv, user);
  const [program = '', ...args] = words;
  const child = spawnByNode(program, args, { cwd, env, ...who, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  if (child.pid !== undefined) claim(child.pid);
  const exit = new Promise<ProcessEnd>(resolve => child.once('exit', (code, signal) => resolve({ code, signal })));
  await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  return { pid: child.pid ?? -1, stdout: fromReadable(child.stdout), stderr: fromReadable(child.stderr), exit };
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

/** The system has no descriptor, process or memory left for anybody. */
const isHostFault = (error: unknown): boolean => ['EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM'].includes((error as { code?: string }).code ?? '');

function startFailure({ argv: [program = ''], cwd, env }: StartRequest, error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  const named = `"${program}" could not be started`;
  if (!statSync(cwd, { throwIfNoEntry: false })?.isDirectory()) return `${named}: its working directory ${cwd} is not there`;
  if (!mayEnter(cwd)) return `${named}: its working directory ${cwd} may not be entered`;
  const flaw = flawOf(program);
  if ((code === 'ENOENT' || code === 'ENOEXEC') && flaw !== undefined) return `${named}: ${flaw}`;
  if (code === 'ENOENT' && program.includes('/')) return `${named}: there is no such file, or not the interpreter it names`;
  if (code === 'ENOENT')
    return `${named}: it is in none of the directories of PATH (${(env.PATH ?? '').split(delimiter).join(', ') || 'empty'})`;
  if (code === 'EACCES') return `${named}: the file ${program} is not executable for this user`;
  if (code === 'ENOEXEC') return `${named}: the file is neither a program nor a script with a #! line`;
  if (code === 'EMFILE' || code === 'ENFILE') return `${named}: the host has no file descriptors left`;
  if (code === 'EAGAIN' || code === 'ENOMEM') return `${named}: the host has no room for another process (${code})`;
  if (code === 'E2BIG') return `${named}: its arguments and environment are too large`;
  return `${named}: ${message ?? String(error)}`;
}

const SHELL = '/bin/sh';
const HEAD_BYTES = 256;
const BYTE_ORDER_MARK = '\u00ef\u00bb\u00bf';

/** The first bytes of a program, a character each; '' when it cannot be read. */
function headOf(program: string): string {
  try {
    const fd = openSync(program, 'r');
    try {
      const bytes = Buffer.alloc(HEAD_BYTES);
      return bytes.toString('latin1', 0, readSync(fd, bytes));
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}

/** A text without `#!`: no NUL in its first line, which is what shells look at. */
function isPlainScript(program: string): boolean {
  const head = headOf(program);
  const [line = ''] = head.split('\n');
  return head !== '' && !line.includes('\0') && !head.startsWith('#!') && !head.startsWith(BYTE_ORDER_MARK);
}

/** Marks or line ends of another system, with which the kernel finds no interpreter. */
function flawOf(program: string): string | undefined {
  const head = headOf(program);
  if (head.startsWith(`${BYTE_ORDER_MARK}#!`)) return 'its script has a byte order mark before #!; save it as UTF-8 without one';
  if (head.startsWith(BYTE_ORDER_MARK)) return 'its script begins with a byte order mark; save it as UTF-8 without one';
  return lineEndsOf(head);
}

function lineEndsOf(head: string): string | undefined {
  const [line = ''] = head.split('\n');
  if (line.startsWith('#!') && line.endsWith('\r'))
    return `its script has line ends of Windows, so "${line.slice(2, -1).trim()}" followed by a carriage return is looked for; save it with line ends of Unix`;
  return undefined;
}

function mayEnter(directory: string): boolean {
  try {
    accessSync(directory, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
