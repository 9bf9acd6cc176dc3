/**
 * The spool on disk, in the keeper's directory:
 *
 *   journal          a line per change of a run (the last one counts), and the output of runs
 *                    that write little
 *   reserve          room that is released when the disk is full, so that outcomes still fit
 *   output/<mark>/n  segments of the output of runs that write more
 *
 * Writes go to the page cache, which outlives any death of the keeper; the journal follows to the
 * disk within a second. A power cut within it ends the processes as well, and what the agent must
 * not forget is synced in the agent's own journal.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { placeOf } from '../agent/host/machine.ts';
import type { Clock } from '../lib/clock.ts';
import { assertOurKeeper, createJournal, type Journal } from './journal.ts';
import type { Segments, Spool } from './ports.ts';

/**
 * A run's output moves to a directory of its own beyond this: making and removing one costs as much
 * as starting the process.
 */
const SMALL_BYTES_MAX = 2_048;
const NOTHING = new Uint8Array(0);

/**
 * `directory` is made if need be. Throws when it cannot be written at all, and, having changed
 * nothing, when another revision wrote it.
 */
export function createFileSpool({ directory, clock }: { directory: string; clock: Clock }): Spool {
  assertOurKeeper(directory);
  const output = join(directory, 'output');
  fs.mkdirSync(output, { recursive: true, mode: 0o700 });
  const journal = createJournal(directory, clock);
  /** Marks of the runs that have a directory: most have none, and a lookup each is costly. */
  const large = new Set(fs.readdirSync(output));
  return {
    place: placeOf(directory),
    records: journal.records,
    record: journal.record,
    segments: mark => createSegments(join(output, mark), { journal, mark, large }),
    forget(record) {
      journal.forget(record.kept.run, record.tree.mark);
      if (large.delete(record.tree.mark)) fs.rmSync(join(output, record.tree.mark), { recursive: true, force: true });
    },
  };
}

function createSegments(directory: string, of: { journal: Journal; mark: string; large: Set<string> }): Segments {
  const { journal, mark, large } = of;
  let file: { segment: number; fd: number; size: number } | undefined;
  /** The first segment before it moved, if it ever did. */
  const small = () => journal.small(mark) ?? NOTHING;
  let moved = small().length === 0 && large.has(mark);

  function rest(): void {
    if (file !== undefined) fs.closeSync(file.fd);
    file = undefined;
  }

  /**
   * Once, and not its parents: a data directory that was removed must stay away, or half of it
   * would come back under whoever removes it.
   */
  function makeDirectory(): void {
    if (large.has(mark)) return;
    fs.mkdirSync(directory, { mode: 0o700 });
    large.add(mark);
  }

  function write(segment: number, parts: Uint8Array[]): boolean {
    try {
      if (file?.segment !== segment) {
        rest();
        makeDirectory();
        const fd = fs.openSync(join(directory, String(segment)), 'a', 0o600);
        file = { segment, fd, size: fs.fstatSync(fd).size };
      }
      const bytes = parts.reduce((sum, part) => sum + part.length, 0);
      if (fs.writevSync(file.fd, parts) < bytes) throw new Error('no room for the whole piece');
      file.size += bytes;
      return true;
    } catch {
      if (file !== undefined) fs.ftruncateSync(file.fd, file.size);
      return false;
    }
  }

  return {
    append(segment, header, data) {
      const before = moved ? NOTHING : small();
      if (!moved && segment === 0 && before.length + header.length + data.length <= SMALL_BYTES_MAX)
        return journal.addSmall(mark, header, data);
      if (segment !== 0 || moved) return write(segment, [header, data]);
      moved = write(segment, [before, header, data]);
      // Dropped after the copy exists: a keeper that dies between the two leaves both, and a reader
      // takes the longer one.
      if (moved) journal.dropSmall(mark);
      return moved;
    },
    read(segment, position, length) {
      if (segment === 0 && !moved) return small().subarray(position, position + length);
      const bytes = new Uint8Array(length);
      const path = join(directory, String(segment));
      // Somebody removed it: what was in it is missing like what was left out.
      if (!fs.existsSync(path)) return NOTHING;
      const fd = fs.openSync(path, 'r');
      try {
        return bytes.subarray(0, fs.readSync(fd, bytes, 0, length, position));
      } finally {
        fs.closeSync(fd);
      }
    },
    drop(segment) {
      if (file?.segment === segment) rest();
      fs.rmSync(join(directory, String(segment)), { force: true });
    },
    list() {
      const files = fs.existsSync(directory) ? fs.readdirSync(directory).map(Number) : [];
      if (small().length > 0 && !files.includes(0)) files.push(0);
      else if (small().length > 0) moved = fs.statSync(join(directory, '0')).size >= small().length;
      return files.sort((a, b) => a - b);
    },
    rest,
  };
}
