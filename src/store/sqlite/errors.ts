/** Separates temporary failures of SQLite from lasting ones. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { StoreUnavailable } from '../port.ts';

/** Primary result code: no space on the disk, or the allowed size is reached. */
export const FULL = 13;

/**
 * Primary result codes (the low byte of an extended one) after which a retry makes sense, each as a
 * predicate for the operator.
 */
const PASSING: Record<number, string> = {
  5: 'is held by another program',
  6: 'is held by another program',
  7: 'got no memory',
  8: 'cannot be written (read-only)',
  10: 'cannot be read or written (I/O error)',
  [FULL]: 'is full',
  14: 'cannot be opened',
  15: 'cannot be locked',
};

/** Converts a temporary failure to StoreUnavailable; returns any other error unchanged. */
export function asSqliteStoreError(error: unknown): unknown {
  const reason = PASSING[primaryCode(error)];
  return reason ? new StoreUnavailable(`the database ${reason}`, { cause: error }) : error;
}

/** Error codes of the operating system for a full disk or an exceeded quota. */
const NO_ROOM: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);
/** Read-only, I/O error, cannot be opened: each may also mean a full disk. */
const UNCLEAR: ReadonlySet<number> = new Set([8, 10, 14]);
/** Those of them that a retry does not change. */
const LASTING: ReadonlySet<number> = new Set([8, 14]);

/**
 * Why a store could not be opened. A full, read-only or failing disk and a lock of another program
 * are temporary: StoreUnavailable. Missing rights and any other cause are not.
 */
export function asOpeningError(directory: string, error: unknown): unknown {
  const code = primaryCode(error);
  if (isReadOnly(directory)) return new StoreUnavailable(`data directory "${directory}" is on a read-only file system`, { cause: error });
  if (code === FULL || NO_ROOM.has(systemCode(error)) || (UNCLEAR.has(code) && hasNoRoom(directory))) {
    return new StoreUnavailable(`the disk of data directory "${directory}" is full`, { cause: error });
  }
  return LASTING.has(code) ? error : asSqliteStoreError(error);
}

function isReadOnly(directory: string): boolean {
  try {
    accessSync(nearest(directory), constants.W_OK);
    return false;
  } catch (error) {
    return systemCode(error) === 'EROFS';
  }
}

/** No free blocks or no free inodes. */
function hasNoRoom(directory: string): boolean {
  const { bavail, ffree, files } = statfsSync(nearest(directory));
  return bavail === 0 || (files > 0 && ffree === 0);
}

/** The directory itself, or its nearest existing parent. */
function nearest(directory: string): string {
  const above = dirname(directory);
  return existsSync(directory) || above === directory ? directory : nearest(above);
}

const systemCode = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);

/** The primary result code of an error of `node:sqlite`, 0 for any other error. */
export function primaryCode(error: unknown): number {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return 0;
  return error.errcode & 0xff;
}
