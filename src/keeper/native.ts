/**
 * The libc calls of the keeper that neither Bun nor Deno offers: adopt orphans, reap them one by
 * one, lock a file, make pipes, tag processes. Undefined without a foreign function interface or
 * without Linux; each caller documents its fallback.
 */
import { openLibc } from '../lib/libc.ts';

export interface Native {
  /** Orphaned descendants become children of this process. False: the kernel refuses. */
  adoptOrphans(): boolean;
  /** This process and its descendants gain no rights by setuid programs. */
  setNoNewPrivileges(): void;
  /** Reaps one dead child. False: it is alive, or no child of this process. */
  reap(pid: number): boolean;
  /** Takes the whole-file lock without waiting; held until the file or the process closes. */
  lock(fd: number): boolean;
  /** A pipe that other children do not inherit: [read end, write end]. Throws EMFILE. */
  pipe(): [number, number];
  /**
   * Sets the tag that every child started from now on carries in `max file locks` of
   * /proc/<pid>/limits; undefined restores this process's own value. False: not possible.
   */
  tagChildren(tag: bigint | undefined): boolean;
}

const PR_SET_CHILD_SUBREAPER = 36;
const PR_SET_NO_NEW_PRIVS = 38;
const WNOHANG = 1;
const LOCK_EX_NB = 2 | 4;
const O_CLOEXEC = 0o2000000;
/**
 * Linux has ignored this limit since 2.4, yet children inherit it through fork, exec, setsid and an
 * emptied environment: a tag that a process loses only on purpose.
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
  });
  if (libc === undefined) return undefined;
  const initial = new BigUint64Array(2);
  const hasLimit = libc.getrlimit(RLIMIT_LOCKS, initial) === 0;
  const limit = new BigUint64Array(2);
  const fds = new Int32Array(2);
  return {
    adoptOrphans: () => libc.prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n) === 0,
    setNoNewPrivileges: () => void libc.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n),
    reap: pid => libc.waitpid(pid, null, WNOHANG) === pid,
    lock: fd => libc.flock(fd, LOCK_EX_NB) === 0,
    pipe() {
      if (libc.pipe2(fds, O_CLOEXEC) !== 0) throw Object.assign(new Error('this process has no file descriptor left'), { code: 'EMFILE' });
      return [fds[0] ?? -1, fds[1] ?? -1];
    },
    tagChildren(tag) {
      limit[0] = tag ?? initial[0] ?? 0n;
      limit[1] = initial[1] ?? 0n;
      return hasLimit && libc.setrlimit(RLIMIT_LOCKS, limit) === 0;
    },
  };
}
