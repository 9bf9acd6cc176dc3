/**
 * Keeps the WAL from filling the disk. A WAL holds many versions of a page until a checkpoint moves
 * them into the database, which may need space of its own. Once the WAL has used all space neither
 * can grow, and a restart does not help. So a checkpoint runs early when free space comes near the
 * size of the WAL, and again when the disk is full.
 */
import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';

/** Minimum size of the WAL for a check, and growth between two checks, bytes. */
const STEP_BYTES = 2 ** 20;
/** Free bytes required per byte of the WAL. */
const ROOM_SHARE = 2;
/**
 * Failures by a full disk between two checkpoints; a checkpoint may write as much as the WAL has.
 */
const FAILURES_BETWEEN = 32;
/** Longest wait for readers, ms. It blocks the whole thread. */
const WAIT_MS = 50;

export interface WalCheckpoint {
  /** A transaction was written. */
  written(): void;
  /** A transaction failed because the disk was full. */
  failed(): void;
}

export function createWalCheckpoint({ file, writer, busyMs }: { file: string; writer: DatabaseSync; busyMs: number }): WalCheckpoint {
  let lookedAt = 0;
  let failures = 0;

  /**
   * Moved pages stay moved after a failure; pages that readers need follow at the next checkpoint.
   */
  function move(): void {
    try {
      writer.exec(`pragma busy_timeout = ${WAIT_MS}`);
      writer.prepare('pragma wal_checkpoint(truncate)').get();
    } catch {
      // The checkpoint found no space either: the transaction that failed, or the next one, reports
      // it to its caller.
    } finally {
      writer.exec(`pragma busy_timeout = ${busyMs}`);
    }
    lookedAt = bytesOf(`${file}-wal`);
  }

  // A center that was killed on a full disk leaves its WAL. Its pages may fit into the database
  // even where no further WAL fits.
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

/** Bytes. Infinite where the file system does not respond: no write may fail for this. */
function roomAt(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** 0 when the file is missing or not accessible: a write must not fail because of this check. */
function bytesOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}
