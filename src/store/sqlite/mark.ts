/**
 * The mark: the revision of the last commit, in a small file beside the database. A start that
 * finds an older revision in the database lost commits: its log was lost or torn, or an older copy
 * was put back.
 *
 * It is written after each commit without an fsync of its own, so it may lag behind the database
 * and never leads it.
 */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Commits that the mark knows of and the database does not have. */
export interface Loss {
  /** Revision of the database as it was found. */
  found: number;
  /** Revision that had been committed. */
  marked: number;
}

export interface RevisionMark {
  /**
   * The loss found at this start, or at an earlier start without a clean stop since; null without
   * one.
   */
  readonly loss: Loss | null;
  /** This revision is durable. Never throws: a mark that cannot be written lags. */
  write(revision: number): void;
  /** A clean stop ends the message about a loss. Idempotent. */
  close(): void;
}

/** A number per commit, of fixed length, so that no end of a longer text remains. */
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

/** A database put in place on purpose lacks nothing: call before a restore. Idempotent. */
export const removeMark = (directory: string): void => rmSync(markIn(directory), { force: true });

interface Content {
  revision: number;
  loss: Loss | null;
}

/** Not truncated: a crash before the text is written would leave no mark. */
function openFile(path: string): number {
  try {
    return openSync(path, 'r+');
  } catch {
    return openSync(path, 'w', 0o600);
  }
}

/** Twice, so that damage shows. A checksum would load `node:zlib` in the writing thread. */
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
