/**
 * The spool on disk, in the keeper's directory:
 *
 *   journal          one line per change of a run; the last line of a run counts
 *   reserve          room that is given up when the disk is full, so that ends can still be written down
 *   output/<mark>/n  segments of a run's output
 *
 * Writes go to the page cache, which outlives any death of the keeper; the journal follows to the disk within a second. A power cut within it
 * ends the processes as well, and what the agent must not forget is synced in the agent's own journal.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import type { RunRecord, Segments, Spool } from './ports.ts';

const RESERVE_BYTES = 256 * 1024;
const SYNC_MS = 1_000;
/** The journal is rewritten when it has this many lines more than four per run. */
const JOURNAL_SLACK = 2_000;

type Line = { record: RunRecord } | { forget: string };

/** `directory` is made if need be. Throws when it cannot be written at all. */
export function createFileSpool({ directory, clock }: { directory: string; clock: Clock }): Spool {
  const output = join(directory, 'output');
  fs.mkdirSync(output, { recursive: true, mode: 0o700 });
  const journal = createJournal(directory, clock);
  return {
    records: journal.records,
    record: journal.record,
    segments: mark => fileSegments(join(output, mark)),
    forget(record) {
      journal.forget(record.kept.run);
      // Most short runs have at most the head; what is not there needs no removing.
      fs.rmSync(join(output, record.tree.mark), { recursive: true, force: true });
    },
  };
}

function createJournal(directory: string, clock: Clock) {
  const path = join(directory, 'journal');
  const reserve = join(directory, 'reserve');
  const records = new Map<string, RunRecord>();
  /** Lines that found no room, the latest of each run. */
  const owed = new Map<string, Line>();
  let lines = 0;
  let size = 0;
  let dirty = false;

  for (const line of fs.existsSync(path) ? fs.readFileSync(path, 'utf8').split('\n') : []) {
    const parsed = parseLine(line);
    if (parsed === undefined) continue;
    if ('record' in parsed) records.set(parsed.record.kept.run, parsed.record);
    else records.delete(parsed.forget);
  }
  let file = rewrite();

  /** The live records alone, swapped in as a whole. Without room for that the old file goes on. */
  function rewrite(): number {
    try {
      const text = [...records.values()].map(record => `${JSON.stringify({ record })}\n`).join('');
      const fd = fs.openSync(`${path}.new`, 'w', 0o600);
      fs.writeFileSync(fd, text);
      fs.fsyncSync(fd);
      fs.closeSync(fd);
      fs.renameSync(`${path}.new`, path);
    } catch {
      fs.rmSync(`${path}.new`, { force: true });
    }
    lines = records.size;
    const fd = fs.openSync(path, 'a', 0o600);
    size = fs.fstatSync(fd).size;
    return fd;
  }

  function append(text: string): boolean {
    try {
      const bytes = new TextEncoder().encode(text);
      if (fs.writeSync(file, bytes) < bytes.length) throw new Error('no room for the whole line');
      size += bytes.length;
      return true;
    } catch {
      // Half a line would swallow the next one.
      fs.ftruncateSync(file, size);
      return false;
    }
  }

  function makeReserve(): void {
    try {
      if (!fs.existsSync(reserve)) fs.writeFileSync(reserve, new Uint8Array(RESERVE_BYTES), { mode: 0o600 });
    } catch {
      fs.rmSync(reserve, { force: true });
    }
  }
  makeReserve();

  function write(run: string, line: Line): boolean {
    owed.set(run, line);
    const text = [...owed.values()].map(each => `${JSON.stringify(each)}\n`).join('');
    let written = append(text);
    if (!written && fs.existsSync(reserve)) {
      fs.rmSync(reserve, { force: true });
      written = append(text);
    }
    if (!written) return false;
    lines += owed.size;
    owed.clear();
    if (lines > records.size * 4 + JOURNAL_SLACK) {
      fs.closeSync(file);
      file = rewrite();
    }
    if (!dirty) {
      dirty = true;
      clock.after(SYNC_MS, sync);
    }
    return true;
  }

  function sync(): void {
    dirty = false;
    makeReserve();
    // A disk that cannot sync says so again at the next write.
    fs.fdatasync(file, () => {});
  }

  return {
    records: () => [...records.values()],
    record(record: RunRecord): boolean {
      records.set(record.kept.run, record);
      return write(record.kept.run, { record });
    },
    forget(run: string): void {
      records.delete(run);
      write(run, { forget: run });
    },
  };
}

/** Lines are our own; one that a crash tore is as good as not written. */
function parseLine(line: string): Line | undefined {
  try {
    return line === '' ? undefined : (JSON.parse(line) as Line);
  } catch {
    return undefined;
  }
}

function fileSegments(directory: string): Segments {
  let open: { segment: number; fd: number; size: number } | undefined;

  function rest(): void {
    if (open !== undefined) fs.closeSync(open.fd);
    open = undefined;
  }

  function openToAppend(segment: number): { segment: number; fd: number; size: number } {
    rest();
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    const fd = fs.openSync(join(directory, String(segment)), 'a', 0o600);
    return { segment, fd, size: fs.fstatSync(fd).size };
  }

  return {
    append(segment, bytes) {
      try {
        if (open?.segment !== segment) open = openToAppend(segment);
        if (fs.writeSync(open.fd, bytes) < bytes.length) throw new Error('no room for the whole piece');
        open.size += bytes.length;
        return true;
      } catch {
        if (open !== undefined) fs.ftruncateSync(open.fd, open.size);
        return false;
      }
    },
    read(segment, position, length) {
      const bytes = new Uint8Array(length);
      const fd = fs.openSync(join(directory, String(segment)), 'r');
      try {
        return bytes.subarray(0, fs.readSync(fd, bytes, 0, length, position));
      } finally {
        fs.closeSync(fd);
      }
    },
    drop(segment) {
      if (open?.segment === segment) rest();
      fs.rmSync(join(directory, String(segment)), { force: true });
    },
    list: () =>
      fs.existsSync(directory)
        ? fs
            .readdirSync(directory)
            .map(Number)
            .sort((a, b) => a - b)
        : [],
    rest,
  };
}
