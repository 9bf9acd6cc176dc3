/** Which failures of SQLite mean "not now", and which mean something is wrong. */
import { StoreUnavailable } from '../store.ts';

/** Primary result code: no room, on the disk or within the size that was allowed. */
export const FULL = 13;

/** Primary result codes (the low byte of an extended one) after which trying again later makes sense, in the words of an operator. */
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
export function asStoreError(error: unknown): unknown {
  const reason = PASSING[primaryCode(error)];
  return reason ? new StoreUnavailable(`the database ${reason}`, { cause: error }) : error;
}

/** The primary result code of an error of `node:sqlite`, 0 for any other error. */
export function primaryCode(error: unknown): number {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return 0;
  return error.errcode & 0xff;
}
