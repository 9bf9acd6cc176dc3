/**
 * Locks a data directory for one process. The lock is an open exclusive transaction on a database
 * of its own, which the operating system releases with the process, however that ends; a pid file
 * would outlive a kill -9. The pid is written beside it only for the error message of a second
 * process.
 *
 * Hazard: POSIX drops a process's locks on a file when the process closes any descriptor of it.
 * Nothing else may open `lock.sqlite`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makePrivate } from '../../lib/private-file.ts';
import { primaryCode } from './errors.ts';

const BUSY = 5;

export const LOCK_FILE = 'lock.sqlite';

/**
 * The garbage collector closes an unreferenced database, which would release the directory of a
 * running process.
 */
const held = new Set<DatabaseSync>();

/** Another process, or another store in this one, holds the data directory. */
export class DataDirectoryLocked extends Error {
  readonly code = 'dataDirectoryLocked';
  readonly directory: string;
  /** The process that holds it; undefined while its pid is not written yet. */
  readonly pid: number | undefined;

  constructor(directory: string, pid: number | undefined, options?: ErrorOptions) {
    const holder = pid === undefined ? 'another process' : `the process with pid ${pid}`;
    super(`data directory "${directory}" is in use by ${holder}; stop that one first, or give this one a directory of its own`, options);
    this.directory = directory;
    this.pid = pid;
  }
}

/**
 * Locks the directory, or throws DataDirectoryLocked at once. Returns the function that releases
 * it.
 */
export function lockDirectory(directory: string): () => void {
  const pidFile = join(directory, 'lock.pid');
  const db = openLock(directory);
  try {
    // Nothing is ever written. A journal would be removed by its path, which may be another
    // center's by then.
    db.exec('pragma busy_timeout = 0; pragma journal_mode = memory');
    // Prepared, because Deno's `exec` throws errors without the code for "in use".
    db.prepare('begin exclusive').run();
  } catch (error) {
    db.close();
    if (primaryCode(error) === BUSY) throw new DataDirectoryLocked(directory, readPid(pidFile), { cause: error });
    throw notWritable(directory, error);
  }
  try {
    makePrivate(pidFile);
    writeFileSync(pidFile, `${process.pid}\n`);
  } catch {
    // A full disk must not prevent a start: the lock then has no pid.
  }
  held.add(db);
  return () => {
    held.delete(db);
    db.close();
  };
}

function openLock(directory: string): DatabaseSync {
  try {
    makePrivate(join(directory, LOCK_FILE));
    return new DatabaseSync(join(directory, LOCK_FILE));
  } catch (error) {
    throw notWritable(directory, error);
  }
}

/** Keeps the code of the cause, which separates a full disk from a missing right. */
function notWritable(directory: string, cause: unknown): Error {
  const message = `data directory "${directory}" cannot be locked: ${cause instanceof Error ? cause.message : cause}`;
  return Object.assign(new Error(message, { cause }), { errcode: primaryCode(cause) });
}

function readPid(pidFile: string): number | undefined {
  try {
    const pid = Number(readFileSync(pidFile, 'utf8'));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    // The holder has the lock but has not written its pid yet.
    return undefined;
  }
}
