/**
 * The few calls into libc that neither Bun nor Deno offers: adopting orphans, reaping them one by one, a lock that dies with its owner, pipes.
 * Absent (undefined) where there is no foreign function interface or no Linux; everything that uses it says what it does without.
 */

export interface Native {
  /** Orphaned descendants become children of this process. False when the kernel refuses. */
  adoptOrphans(): boolean;
  /** This process and its descendants never gain rights by setuid programs. */
  giveUpNewPrivileges(): void;
  /** Takes the end of one dead child; false while it lives or when it is not ours. */
  reap(pid: number): boolean;
  /** Takes the whole-file lock without waiting; it is held until the file or the process is closed. */
  lock(fd: number): boolean;
  /** A pipe that other children do not inherit: [to read, to write]. Throws when there are no more file descriptors. */
  pipe(): [number, number];
  /** Mounts a file system of this type; false: the kernel does not take it. */
  mount(request: { type: string; at: string; flags: number; options: string }): boolean;
  /** False: nothing is mounted there, or not by us. */
  unmount(at: string, flags: number): boolean;
  /** What every child started from now on carries in `max file locks` of /proc/<pid>/limits; undefined: what this process was born with. False: it cannot. */
  brand(mark: bigint | undefined): boolean;
}

type Call = (...args: (number | bigint | BigUint64Array | Int32Array | Uint8Array | null)[]) => number;
type Libc = Record<'prctl' | 'waitpid' | 'flock' | 'pipe2' | 'setrlimit' | 'getrlimit' | 'mount' | 'umount2', Call>;

const PR_SET_CHILD_SUBREAPER = 36;
const PR_SET_NO_NEW_PRIVS = 38;
const WNOHANG = 1;
const LOCK_EX_NB = 2 | 4;
const O_CLOEXEC = 0o2000000;
/** Counted by Linux 2.4 and by nothing since, yet inherited through fork, exec, setsid and an emptied environment: a place for a brand that a child loses only on purpose. */
const RLIMIT_LOCKS = 10;

export async function openNative(): Promise<Native | undefined> {
  if (process.platform !== 'linux') return undefined;
  const libc = (await bunLibc()) ?? denoLibc();
  if (libc === undefined) return undefined;
  const born = new BigUint64Array(2);
  const hasLimit = libc.getrlimit(RLIMIT_LOCKS, born) === 0;
  const limit = new BigUint64Array(2);
  const fds = new Int32Array(2);
  return {
    adoptOrphans: () => libc.prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n) === 0,
    giveUpNewPrivileges: () => void libc.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n),
    reap: pid => libc.waitpid(pid, null, WNOHANG) === pid,
    lock: fd => libc.flock(fd, LOCK_EX_NB) === 0,
    pipe() {
      if (libc.pipe2(fds, O_CLOEXEC) !== 0) throw Object.assign(new Error('no more file descriptors'), { code: 'EMFILE' });
      return [fds[0] ?? -1, fds[1] ?? -1];
    },
    mount: ({ type, at, flags, options }) => libc.mount(text(type), text(at), text(type), BigInt(flags), text(options)) === 0,
    unmount: (at, flags) => libc.umount2(text(at), flags) === 0,
    brand(mark) {
      limit[0] = mark ?? born[0] ?? 0n;
      limit[1] = born[1] ?? 0n;
      return hasLimit && libc.setrlimit(RLIMIT_LOCKS, limit) === 0;
    },
  };
}

/** As C has it. */
const text = (words: string): Uint8Array => Buffer.from(`${words}\0`);

const LIBC_NAMES = ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`];

async function bunLibc(): Promise<Libc | undefined> {
  if (process.versions.bun === undefined) return undefined;
  // Resolved at run time: Deno must not look for a module that only Bun has.
  const { dlopen } = await import('bun:ffi');
  const five = ['i32', 'u64', 'u64', 'u64', 'u64'] as const;
  for (const name of LIBC_NAMES) {
    try {
      const { symbols } = dlopen(name, {
        prctl: { args: [...five], returns: 'i32' },
        waitpid: { args: ['i32', 'ptr', 'i32'], returns: 'i32' },
        flock: { args: ['i32', 'i32'], returns: 'i32' },
        pipe2: { args: ['ptr', 'i32'], returns: 'i32' },
        setrlimit: { args: ['i32', 'ptr'], returns: 'i32' },
        getrlimit: { args: ['i32', 'ptr'], returns: 'i32' },
        mount: { args: ['ptr', 'ptr', 'ptr', 'u64', 'ptr'], returns: 'i32' },
        umount2: { args: ['ptr', 'i32'], returns: 'i32' },
      });
      return symbols as unknown as Libc;
    } catch {
      // The other libc, then.
    }
  }
  return undefined;
}

interface DenoFfi {
  dlopen(name: string, symbols: Record<string, { parameters: string[]; result: string }>): { symbols: unknown };
}

function denoLibc(): Libc | undefined {
  const deno = (globalThis as { Deno?: DenoFfi }).Deno;
  for (const name of LIBC_NAMES) {
    try {
      const opened = deno?.dlopen(name, {
        prctl: { parameters: ['i32', 'u64', 'u64', 'u64', 'u64'], result: 'i32' },
        waitpid: { parameters: ['i32', 'buffer', 'i32'], result: 'i32' },
        flock: { parameters: ['i32', 'i32'], result: 'i32' },
        pipe2: { parameters: ['buffer', 'i32'], result: 'i32' },
        setrlimit: { parameters: ['i32', 'buffer'], result: 'i32' },
        getrlimit: { parameters: ['i32', 'buffer'], result: 'i32' },
        mount: { parameters: ['buffer', 'buffer', 'buffer', 'u64', 'buffer'], result: 'i32' },
        umount2: { parameters: ['buffer', 'i32'], result: 'i32' },
      });
      if (opened !== undefined) return opened.symbols as Libc;
    } catch {
      // Not this libc, or no permission for it.
    }
  }
  return undefined;
}
