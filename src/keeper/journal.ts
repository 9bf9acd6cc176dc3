/**
 * The keeper's journal: the record of each run, and the output of runs that write little. Appended
 * line by line, rewritten when most lines are obsolete. The first line has the format.
 */
import { Buffer } from 'node:buffer';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { createCoalesced } from '../lib/batch.ts';
import type { Clock } from '../lib/clock.ts';
import { journalHead } from '../lib/journal-head.ts';
import { KEEPER_JOURNAL } from '../protocol/keeper.ts';
import type { SpoolRecord } from './ports.ts';

const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND } = fs.constants;
const RESERVE_BYTES = 256 * 1024;
const SYNC_MS = 1_000;
/** The journal is rewritten when it has this many lines more than four per run. */
const SLACK_LINES = 2_000;

/** `output`: base64, of the run with this tag. `moved`: the tag whose output left the journal. */
type JournalLine =
  | { keeper: number; fingerprint: string }
  | { record: SpoolRecord }
  | { remove: string; tag: string }
  | { output: string; tag: string }
  | { moved: string };

export interface SpoolJournal {
  records(): SpoolRecord[];
  /** See `Spool.write`. */
  write(record: SpoolRecord): boolean;
  remove(run: string, tag: string): void;
  /** All output of the tag that is in the journal. */
  output(tag: string): Uint8Array | undefined;
  /** False: the disk is full. */
  addOutput(tag: string, header: Uint8Array, data: Uint8Array): boolean;
  dropOutput(tag: string): void;
}

/** The journal's content, line by line. */
function createContent() {
  const records = new Map<string, SpoolRecord>();
  const outputs = new Map<string, Uint8Array>();
  return {
    records,
    outputs,
    apply(line: JournalLine): void {
      if ('record' in line) records.set(line.record.status.run, line.record);
      else if ('output' in line) outputs.set(line.tag, joined(outputs.get(line.tag), Buffer.from(line.output, 'base64')));
      else if ('moved' in line) outputs.delete(line.moved);
      else if ('remove' in line) {
        records.delete(line.remove);
        outputs.delete(line.tag);
      }
    },
    lines(): JournalLine[] {
      const lines: JournalLine[] = [...records.values()].map(record => ({ record }));
      for (const [tag, bytes] of outputs) lines.push({ output: base64(bytes), tag });
      return lines;
    },
  };
}

/** The caller has called `assertKeeperFormat`. */
export function createSpoolJournal(directory: string, clock: Clock): SpoolJournal {
  const path = join(directory, 'journal');
  const content = createContent();
  for (const line of fs.existsSync(path) ? fs.readFileSync(path, 'utf8').split('\n') : []) {
    const parsed = parseLine(line);
    if (parsed !== undefined) content.apply(parsed);
  }
  const file = openJournalFile(path, content.lines());
  const reserve = createReserve(join(directory, 'reserve'));
  reserve.restore();
  /** Lines that did not fit on the disk, the latest of each run. */
  const unwritten = new Map<string, JournalLine>();
  const syncLater = createCoalesced(run => void clock.after(SYNC_MS, run), sync);

  function sync(): void {
    reserve.restore();
    file.sync(content.records.size * 4 + SLACK_LINES, () => content.lines());
  }

  function append(text: string): boolean {
    if (!file.append(text)) return false;
    syncLater();
    return true;
  }

  /** Lines that must not be lost: they may use the reserve, and wait in memory without one. */
  function write(run: string, line: JournalLine): boolean {
    content.apply(line);
    unwritten.set(run, line);
    const text = [...unwritten.values()].map(lineOf).join('');
    const written = append(text) || (reserve.release() && append(text));
    if (written) unwritten.clear();
    return written;
  }

  return {
    records: () => [...content.records.values()],
    write: record => write(record.status.run, { record }),
    remove: (run, tag) => void write(run, { remove: run, tag }),
    output: tag => content.outputs.get(tag),
    addOutput(tag, header, data) {
      const bytes = joined(header, data);
      if (!append(lineOf({ output: base64(bytes), tag }))) return false;
      content.outputs.set(tag, joined(content.outputs.get(tag), bytes));
      return true;
    },
    dropOutput(tag) {
      content.outputs.delete(tag);
      append(lineOf({ moved: tag }));
    },
  };
}

/** The file of the journal: appended to, replaced as a whole. */
function openJournalFile(path: string, present: JournalLine[]) {
  let lines = 0;
  let size = 0;
  let fd = rewrite(present) ?? openAsItIs();

  /**
   * Replaces the file atomically. The new descriptor, or undefined when the disk is full: the old
   * file is then still in use.
   */
  function rewrite(content: JournalLine[]): number | undefined {
    let next: number | undefined;
    try {
      next = fs.openSync(`${path}.new`, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600);
      fs.writeFileSync(next, HEAD + content.map(lineOf).join(''));
      fs.fsyncSync(next);
      fs.renameSync(`${path}.new`, path);
      size = fs.fstatSync(next).size;
      return next;
    } catch {
      if (next !== undefined) fs.closeSync(next);
      fs.rmSync(`${path}.new`, { force: true });
      return undefined;
    } finally {
      // Also after a failure: the next attempt comes after as many lines, not at every sync.
      lines = content.length;
    }
  }

  function openAsItIs(): number {
    const opened = fs.openSync(path, 'a', 0o600);
    size = fs.fstatSync(opened).size;
    return opened;
  }

  return {
    /** False: the disk is full; nothing was written. */
    append(text: string): boolean {
      // Empty: the disk had no space for the head when the file was created.
      const bytes = Buffer.from(size === 0 ? HEAD + text : text);
      try {
        if (fs.writeSync(fd, bytes) < bytes.length) throw new Error('the disk has no room for the whole line');
      } catch {
        // Half a line would make the next one unreadable.
        fs.ftruncateSync(fd, size);
        return false;
      }
      size += bytes.length;
      lines += 1;
      return true;
    },
    /** Syncs; beyond `linesMax` lines it rewrites the file instead. */
    sync(linesMax: number, content: () => JournalLine[]): void {
      // A disk that cannot sync fails again at the next write.
      if (lines <= linesMax) return void fs.fdatasync(fd, () => {});
      const next = rewrite(content());
      if (next === undefined) return;
      fs.closeSync(fd);
      fd = next;
    },
  };
}

/** A file that is deleted when the disk is full, so that the records of ends still fit. */
function createReserve(path: string) {
  return {
    restore(): void {
      try {
        if (!fs.existsSync(path)) fs.writeFileSync(path, new Uint8Array(RESERVE_BYTES), { mode: 0o600 });
      } catch {
        fs.rmSync(path, { force: true });
      }
    },
    /** False: it was released already. */
    release(): boolean {
      if (!fs.existsSync(path)) return false;
      fs.rmSync(path, { force: true });
      return true;
    },
  };
}

const HEAD = journalHead(KEEPER_JOURNAL);
const lineOf = (line: JournalLine): string => `${JSON.stringify(line)}\n`;
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');

function joined(before: Uint8Array | undefined, bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array((before?.length ?? 0) + bytes.length);
  whole.set(before ?? []);
  whole.set(bytes, before?.length ?? 0);
  return whole;
}

/** Undefined for the empty end of the file, and for a line that a crash cut off. */
function parseLine(line: string): JournalLine | undefined {
  try {
    return line === '' ? undefined : (JSON.parse(line) as JournalLine);
  } catch {
    return undefined;
  }
}
