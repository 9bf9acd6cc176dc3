/** Which failures of SQLite mean "not now", and which mean something is wrong. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { StoreUnavailable } from '../port.ts';

/** Primary result code: no room, on the disk or within the size that was allowed. */
export const FULL = 13;

/**
 * Primary result codes (the low byte of an extended one) after which trying again later makes
 * sense, in the words of an operator.
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

/** A passing failure as StoreUnavailable, everything else as it is. */
export function asSqliteStoreError(error: unknown): unknown {
  const reason = PASSING[primaryCode(error)];
  return reason ? new StoreUnavailable(`the database ${reason}`, { cause: error }) : error;
}

/** Codes of the operating system for a disk, or a share of it, without room. */
const NO_ROOM: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);
/** Read-only, I/O error, cannot be opened: each may be a full disk in other words. */
const UNCLEAR: ReadonlySet<number> = new Set([8, 10, 14]);
/** Of those, what waiting does not change. */
const LASTING: ReadonlySet<number> = new Set([8, 14]);

/**
 * What kept a store from being opened. A full or read-only disk, a failing one and a lock of
 * another program pass by themselves: StoreUnavailable. Rights that are missing do not, nor
 * anything else.
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

/** Without blocks, or without names for files. */
function hasNoRoom(directory: string): boolean {
  const { bavail, ffree, files } = statfsSync(nearest(directory));
  return bavail === 0 || (files > 0 && ffree === 0);
}

/** The directory, or the one it would be made in. */
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
