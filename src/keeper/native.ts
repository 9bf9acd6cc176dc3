/**
 * The few calls into libc that neither Bun nor Deno offers: adopting orphans, reaping them one by
 * one, a lock that dies with its owner, pipes. Absent (undefined) where there is no foreign
 * function interface or no Linux; everything that uses it says what it does without.
 */

import { openLibc } from '../lib/libc.ts';

export interface Native {
  /** Orphaned descendants become children of this process. False when the kernel refuses. */
  adoptOrphans(): boolean;
  /** This process and its descendants never gain rights by setuid programs. */
  giveUpNewPrivileges(): void;
  /** Takes the end of one dead child; false while it lives or when it is not ours. */
  reap(pid: number): boolean;
  /** Takes the whole-file lock without waiting; held until the file or the process closes. */
  lock(fd: number): boolean;
  /**
   * A pipe that other children do not inherit: [to read, to write]. Throws when there are no more
   * file descriptors.
   */
  pipe(): [number, number];
  /** Mounts a file system of this type; false: the kernel does not take it. */
  mount(request: { type: string; at: string; flags: number; options: string }): boolean;
  /** False: nothing is mounted there, or not by us. */
  unmount(at: string, flags: number): boolean;
  /**
   * What every child started from now on carries in `max file locks` of /proc/<pid>/limits;
   * undefined: what this process was born with. False: it cannot.
   */
  brand(mark: bigint | undefined): boolean;
}

const PR_SET_CHILD_SUBREAPER = 36;
const PR_SET_NO_NEW_PRIVS = 38;
const WNOHANG = 1;
const LOCK_EX_NB = 2 | 4;
const O_CLOEXEC = 0o2000000;
/**
 * Counted by Linux 2.4 and by nothing since, yet inherited through fork, exec, setsid and an
 * emptied environment: a place for a brand that a child loses only on purpose.
 */
const RLIMIT_LOCKS = 10;

export async function openNative(): Promise<Native | undefined> {
  const libc = await openLibc({
    prctl: ['i32', 'u64', 'u64', 'u64', 'u64'],
    waitpid: ['i32', 'bytes', 'i32'],
    flock: ['i32', 'i32'],
    pipe2: ['bytes', 'i32'],
    setrlimit: ['i32', 'bytes'],
    getrlimit: ['i32', 'bytes'],
    mount: ['bytes', 'bytes', 'bytes', 'u64', 'bytes'],
    umount2: ['bytes', 'i32'],
  });
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
