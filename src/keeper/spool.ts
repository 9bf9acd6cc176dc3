/**
 * The spool on disk, in the keeper's directory:
 *
 *   journal          one line per change of a run, and the output of runs that write little
 *   reserve          deleted when the disk is full, so that outcomes still fit
 *   output/<tag>/n   segments of the output of runs that write more
 *
 * Writes go to the page cache, which survives the keeper; the journal is synced within a second.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { directoryId } from '../lib/directory-id.ts';
import { assertKeeperFormat } from '../protocol/keeper.ts';
import { createSpoolJournal, type SpoolJournal } from './journal.ts';
import type { OutputSegments, Spool } from './ports.ts';

/**
 * Output beyond this moves to a directory of the run, bytes: to create and delete one costs as much
 * as to start the process.
 */
const SMALL_BYTES_MAX = 2_048;
const NOTHING = new Uint8Array(0);

/**
 * Creates `directory` if need be. Throws when it cannot be written at all, and, without a change,
 * when another revision wrote it.
 */
export function createFileSpool({ directory, clock }: { directory: string; clock: Clock }): Spool {
  assertKeeperFormat(directory);
  const output = join(directory, 'output');
  fs.mkdirSync(output, { recursive: true, mode: 0o700 });
  const journal = createSpoolJournal(directory, clock);
  /**
   * Tags with a directory. Most runs have none; a check on the disk for each would be expensive.
   */
  const large = new Set(fs.readdirSync(output));
  return {
    directoryId: directoryId(directory),
    records: journal.records,
    write: journal.write,
    segments: tag => createSegments(join(output, tag), { journal, tag, large }),
    remove({ status, tree }) {
      journal.remove(status.run, tree.tag);
      if (large.delete(tree.tag)) fs.rmSync(join(output, tree.tag), { recursive: true, force: true });
    },
  };
}

function createSegments(directory: string, of: { journal: SpoolJournal; tag: string; large: Set<string> }): OutputSegments {
  const { journal, tag, large } = of;
  const files = createSegmentFiles(directory, { tag, large });
  /** Segment 0 as long as it is in the journal. */
  const small = () => journal.output(tag) ?? NOTHING;
  /** Whether segment 0 is a file. */
  let isMoved = small().length === 0 && large.has(tag);

  return {
    append(segment, header, data) {
      const before = isMoved ? NOTHING : small();
      if (!isMoved && segment === 0 && before.length + header.length + data.length <= SMALL_BYTES_MAX)
        return journal.addOutput(tag, header, data);
      if (segment !== 0 || isMoved) return files.append(segment, [header, data]);
      isMoved = files.append(segment, [before, header, data]);
      // Dropped after the copy exists. A keeper that crashes between the two leaves both; `list`
      // takes the longer one.
      if (isMoved) journal.dropOutput(tag);
      return isMoved;
    },
    read(segment, position, length) {
      if (segment === 0 && !isMoved) return small().subarray(position, position + length);
      return files.read(segment, position, length);
    },
    drop: files.drop,
    list() {
      const numbers = files.list();
      if (small().length > 0 && !numbers.includes(0)) numbers.push(0);
      else if (small().length > 0) isMoved = files.size(0) >= small().length;
      return numbers.sort((a, b) => a - b);
    },
    closeFiles: files.close,
  };
}

/** Segments as files, the last one appended to kept open. */
function createSegmentFiles(directory: string, { tag, large }: { tag: string; large: Set<string> }) {
  const pathOf = (segment: number) => join(directory, String(segment));
  let file: { segment: number; fd: number; size: number } | undefined;

  function close(): void {
    if (file !== undefined) fs.closeSync(file.fd);
    file = undefined;
  }

  /**
   * Once, and without its parents: a data directory that is being deleted must not be partly
   * recreated.
   */
  function makeDirectory(): void {
    if (large.has(tag)) return;
    fs.mkdirSync(directory, { mode: 0o700 });
    large.add(tag);
  }

  return {
    close,
    append(segment: number, parts: Uint8Array[]): boolean {
      try {
        if (file?.segment !== segment) {
          close();
          makeDirectory();
          const fd = fs.openSync(pathOf(segment), 'a', 0o600);
          file = { segment, fd, size: fs.fstatSync(fd).size };
        }
        const bytes = parts.reduce((sum, part) => sum + part.length, 0);
        if (fs.writevSync(file.fd, parts) < bytes) throw new Error('the disk has no room for the whole chunk');
        file.size += bytes;
        return true;
      } catch {
        if (file !== undefined) fs.ftruncateSync(file.fd, file.size);
        return false;
      }
    },
    read(segment: number, position: number, length: number): Uint8Array {
      const bytes = new Uint8Array(length);
      // A deleted file counts as dropped output.
      if (!fs.existsSync(pathOf(segment))) return NOTHING;
      const fd = fs.openSync(pathOf(segment), 'r');
      try {
        return bytes.subarray(0, fs.readSync(fd, bytes, 0, length, position));
      } finally {
        fs.closeSync(fd);
      }
    },
    drop(segment: number): void {
      if (file?.segment === segment) close();
      fs.rmSync(pathOf(segment), { force: true });
    },
    list: (): number[] => (fs.existsSync(directory) ? fs.readdirSync(directory).map(Number) : []),
    size: (segment: number): number => fs.statSync(pathOf(segment)).size,
  };
}
