/**
 * The keeper's journal: what it knows of each run, and the output of those that wrote little.
 * Appended line by line, rewritten when most of it is past. The first line says in which form the
 * others are.
 */
import { Buffer } from 'node:buffer';
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { type FoundFormat, refusalText, type StoredFormat, stepsTo } from '../lib/stored-format.ts';
import type { RunRecord } from './ports.ts';

const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND } = fs.constants;
const RESERVE_BYTES = 256 * 1024;
const SYNC_MS = 1_000;
/** The journal is rewritten when it has this many lines more than four per run. */
const SLACK_LINES = 2_000;

/**
 * Of the journal and of the segments of output. Until the first release version 1 may change in
 * place: then only the fingerprint changes.
 */
export const KEEPER_JOURNAL: StoredFormat = { version: 1, fingerprint: 'c24f6eeba831' };
/** Longer than any first line of any revision that has a version. Bytes. */
const HEAD_BYTES_MAX = 1_024;

interface Head {
  keeper: number;
  fingerprint: string;
}
/** `small`: output of the run with this mark, base64. */
type Line = Head | { record: RunRecord } | { forget: string; mark: string } | { small: string; mark: string } | { moved: string };

export interface Journal {
  records(): RunRecord[];
  /** See `Spool.record`. */
  record(record: RunRecord): boolean;
  forget(run: string, mark: string): void;
  /** All of it so far. */
  small(mark: string): Uint8Array | undefined;
  /** False: there is no room. */
  addSmall(mark: string, header: Uint8Array, data: Uint8Array): boolean;
  dropSmall(mark: string): void;
}

/**
 * Throws a plain error where another revision wrote the keeper's directory. Changes nothing.
 */
export function assertOurKeeper(directory: string): void {
  const head = readHead(join(directory, 'journal'));
  if (head === undefined) return;
  const { keeper, fingerprint } = Object(parseLine(head)) as Partial<Record<string, unknown>>;
  const found: FoundFormat = {
    version: typeof keeper === 'number' ? keeper : null,
    fingerprint: typeof fingerprint === 'string' ? fingerprint : null,
  };
  if (stepsTo({ ...KEEPER_JOURNAL, upgrades: {} }, found) !== undefined) return;
  const subject = `the keeper's journal in "${directory}"`;
  throw new Error(refusalText(KEEPER_JOURNAL, found, { subject, anew: 'start the agent with an empty data directory' }));
}

/** The first line, or what of it comes first. Undefined: there is no whole line. */
function readHead(path: string): string | undefined {
  if (!fs.existsSync(path)) return undefined;
  const bytes = new Uint8Array(HEAD_BYTES_MAX);
  const fd = fs.openSync(path, 'r');
  try {
    const text = new TextDecoder().decode(bytes.subarray(0, fs.readSync(fd, bytes)));
    const end = text.indexOf('\n');
    if (end >= 0) return text.slice(0, end);
    return text.length < HEAD_BYTES_MAX ? undefined : text;
  } finally {
    fs.closeSync(fd);
  }
}

/** Of a directory that `assertOurKeeper` has looked at. */
export function createJournal(directory: string, clock: Clock): Journal {
  const path = join(directory, 'journal');
  const reserve = join(directory, 'reserve');
  const records = new Map<string, RunRecord>();
  const smalls = new Map<string, Uint8Array>();
  /** Lines that found no room, the latest of each run. */
  const owed = new Map<string, Line>();
  let lines = 0;
  let size = 0;
  let dirty = false;

  for (const line of fs.existsSync(path) ? fs.readFileSync(path, 'utf8').split('\n') : []) {
    const parsed = parseLine(line);
    if (parsed !== undefined) apply(parsed);
  }
  let file = rewrite() ?? openAsItIs();
  makeReserve();

  function apply(line: Line): void {
    if ('record' in line) records.set(line.record.kept.run, line.record);
    else if ('small' in line) smalls.set(line.mark, joined(smalls.get(line.mark), Buffer.from(line.small, 'base64')));
    else if ('moved' in line) smalls.delete(line.moved);
    else if ('forget' in line) {
      records.delete(line.forget);
      smalls.delete(line.mark);
    }
  }

  /**
   * What still counts alone, swapped in as a whole; its descriptor, or undefined without room for
   * it: then the old file goes on.
   */
  function rewrite(): number | undefined {
    const live: Line[] = [...records.values()].map(record => ({ record }));
    for (const [mark, bytes] of smalls) live.push({ small: base64(bytes), mark });
    let fd: number | undefined;
    try {
      fd = fs.openSync(`${path}.new`, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600);
      fs.writeFileSync(fd, HEAD + live.map(lineOf).join(''));
      fs.fsyncSync(fd);
      fs.renameSync(`${path}.new`, path);
      size = fs.fstatSync(fd).size;
      return fd;
    } catch {
      if (fd !== undefined) fs.closeSync(fd);
      fs.rmSync(`${path}.new`, { force: true });
      return undefined;
    } finally {
      // Also when it failed: the next attempt comes after as many lines, not at every sync.
      lines = live.length;
    }
  }

  function openAsItIs(): number {
    const fd = fs.openSync(path, 'a', 0o600);
    size = fs.fstatSync(fd).size;
    return fd;
  }

  function append(text: string): boolean {
    // Empty: there was no room for the head either when it was made.
    const bytes = Buffer.from(size === 0 ? HEAD + text : text);
    try {
      if (fs.writeSync(file, bytes) < bytes.length) throw new Error('no room for the whole line');
    } catch {
      // Half a line would swallow the next one.
      fs.ftruncateSync(file, size);
      return false;
    }
    size += bytes.length;
    lines += 1;
    if (!dirty) {
      dirty = true;
      clock.after(SYNC_MS, sync);
    }
    return true;
  }

  function makeReserve(): void {
    try {
      if (!fs.existsSync(reserve)) fs.writeFileSync(reserve, new Uint8Array(RESERVE_BYTES), { mode: 0o600 });
    } catch {
      fs.rmSync(reserve, { force: true });
    }
  }

  function sync(): void {
    dirty = false;
    makeReserve();
    if (lines > records.size * 4 + SLACK_LINES) {
      const next = rewrite();
      if (next === undefined) return;
      fs.closeSync(file);
      file = next;
    }
    // A disk that cannot sync says so again at the next write.
    else fs.fdatasync(file, () => {});
  }

  /** Lines that must not be lost: they may use the reserve, and wait for room without one. */
  function write(run: string, line: Line): boolean {
    apply(line);
    owed.set(run, line);
    const text = [...owed.values()].map(lineOf).join('');
    let written = append(text);
    if (!written && fs.existsSync(reserve)) {
      fs.rmSync(reserve, { force: true });
      written = append(text);
    }
    if (written) owed.clear();
    return written;
  }

  return {
    records: () => [...records.values()],
    record: record => write(record.kept.run, { record }),
    forget: (run, mark) => void write(run, { forget: run, mark }),
    small: mark => smalls.get(mark),
    addSmall(mark, header, data) {
      const bytes = joined(header, data);
      if (!append(lineOf({ small: base64(bytes), mark }))) return false;
      smalls.set(mark, joined(smalls.get(mark), bytes));
      return true;
    },
    dropSmall(mark) {
      smalls.delete(mark);
      append(lineOf({ moved: mark }));
    },
  };
}

const lineOf = (line: Line): string => `${JSON.stringify(line)}\n`;
const HEAD = lineOf({ keeper: KEEPER_JOURNAL.version, fingerprint: KEEPER_JOURNAL.fingerprint });
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');

function joined(before: Uint8Array | undefined, bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array((before?.length ?? 0) + bytes.length);
  whole.set(before ?? []);
  whole.set(bytes, before?.length ?? 0);
  return whole;
}

/** Lines are our own; one that a crash tore is as good as not written. */
function parseLine(line: string): Line | undefined {
  try {
    return line === '' ? undefined : (JSON.parse(line) as Line);
  } catch {
    return undefined;
  }
}
