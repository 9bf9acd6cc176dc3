/**
 * The mark: the revision of the last commit, in a small file beside the database. A start that
 * finds an older revision in the database has lost commits: its WAL was lost or torn, or an older
 * copy was put back.
 *
 * The mark is written after each commit without an fsync, so it may lag behind the database and
 * never leads it.
 */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Commits that the mark has and the database lacks. */
export interface Loss {
  /** Revision of the database at this start. */
  found: number;
  /** Revision of the mark. */
  marked: number;
}

export interface RevisionMark {
  /**
   * The loss found at this start, or at an earlier one since the last clean stop; null without one.
   */
  readonly loss: Loss | null;
  /** Stores the revision of a durable commit. Never throws: a mark that cannot be written lags. */
  write(revision: number): void;
  /** A clean stop ends the message about a loss. Idempotent. */
  close(): void;
}

/** Fixed length, so that no rest of a longer text remains. */
const TEXT_BYTES = 256;

const markIn = (directory: string): string => join(directory, 'troupe.mark');

/** `found`: the revision of the database. A mark that is absent or unreadable says nothing. */
export function openMark(directory: string, found: number): RevisionMark {
  const path = markIn(directory);
  const before = readMark(path);
  const loss = before && before.revision > found ? { found, marked: before.revision } : (before?.loss ?? null);
  let revision = found;
  let file: number | undefined;
  let isClosed = false;

  function put(content: Content): void {
    try {
      file ??= openFile(path);
      writeSync(file, textOf(content), 0, 'utf8');
    } catch {
      // A full or failing disk: the mark lags until a later commit writes it.
    }
  }

  put({ revision, loss });
  return {
    loss,
    write(committed) {
      revision = committed;
      put({ revision, loss });
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      put({ revision, loss: null });
      if (file !== undefined) closeSync(file);
    },
  };
}

/** A database that an operator restores lacks nothing: call before a restore. Idempotent. */
export const removeMark = (directory: string): void => rmSync(markIn(directory), { force: true });

interface Content {
  revision: number;
  loss: Loss | null;
}

/** Not truncated: a crash before the write would leave no mark. */
function openFile(path: string): number {
  try {
    return openSync(path, 'r+');
  } catch {
    return openSync(path, 'w', 0o600);
  }
}

/** Written twice, to detect damage. A checksum would load `node:zlib` in the writing thread. */
function textOf(content: Content): string {
  const text = JSON.stringify(content);
  return `${text} ${text}`.padEnd(TEXT_BYTES - 1).concat('\n');
}

function readMark(path: string): Content | undefined {
  try {
    const [, text] = /^(\{.*\}) \1 *\n$/.exec(readFileSync(path, 'utf8')) ?? [];
    return text === undefined ? undefined : (JSON.parse(text) as Content);
  } catch {
    return undefined;
  }
}
