/**
 * Keeps the log from taking the last of the disk. It holds the same pages many times over until
 * they are moved into the database, which may need room of its own for them: once the log has all
 * there is, neither can grow, and no start of the center would change that. So it is moved early
 * where the room that is left comes near its size, and once more when the disk says that it is
 * full.
 */
import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';

/** The log is left alone below this, and looked at each time it has grown so much, bytes. */
const STEP_BYTES = 2 ** 20;
/** Room that must be left for each byte of the log. */
const ROOM_SHARE = 2;
/** Failures for want of room between two moves of the log; a move may write its size. */
const FAILURES_BETWEEN = 32;
/** How long the whole thread may wait for readers, ms. */
const WAIT_MS = 50;

export interface WalCheckpoint {
  /** A transaction was written. */
  written(): void;
  /** The disk was full for one. */
  failed(): void;
}

export function createWalCheckpoint({ file, writer, busyMs }: { file: string; writer: DatabaseSync; busyMs: number }): WalCheckpoint {
  let lookedAt = 0;
  let failures = 0;

  /** Moved parts stay moved after a failure; parts that readers need follow the next time. */
  function move(): void {
    try {
      writer.exec(`pragma busy_timeout = ${WAIT_MS}`);
      writer.prepare('pragma wal_checkpoint(truncate)').get();
    } catch {
      // There is no room for it either: the transaction that failed, or the next one, says so to
      // whoever waits for it.
    } finally {
      writer.exec(`pragma busy_timeout = ${busyMs}`);
    }
    lookedAt = bytesOf(`${file}-wal`);
  }

  // A center that was killed on a full disk leaves its log behind, and what is in it may fit where
  // it cannot stay.
  if (bytesOf(`${file}-wal`) > STEP_BYTES) move();

  return {
    written() {
      failures = 0;
      const bytes = bytesOf(`${file}-wal`);
      if (bytes < lookedAt + STEP_BYTES) return;
      lookedAt = bytes;
      if (roomAt(dirname(file)) < bytes * ROOM_SHARE) move();
    },
    failed() {
      if (failures++ % FAILURES_BETWEEN === 0) move();
    },
  };
}

/** Bytes. Infinite where the file system gives no answer: no write may fail for that. */
function roomAt(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * 0 when it is not there, or may not be looked at: what was written must not fail for the question
 * here either.
 */
function bytesOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}
