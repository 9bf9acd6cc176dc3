/**
 * Uploaded files of a backup: `<backup>.files/` beside its database, one file per content. A
 * content never changes, so that backups of one disk share it by hard links.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { fileDirectoryIn } from './database-file.ts';
import { syncFile } from './sync-file.ts';

/** Bytes that a verification reads at once. */
const PIECE_BYTES = 1024 * 1024;

/** Directory with the files of a backup. */
const filesBeside = (file: string): string => `${file}.files`;

export interface CopiedFiles {
  /** Contents. */
  files: number;
  /** Contents that the database names and that were not there. */
  missingFiles: number;
}

interface Content {
  sha256: string;
  bytes: number;
}

export const contentsIn = (db: DatabaseSync): Content[] =>
  db.prepare('select sha256, bytes from files group by sha256 order by sha256').all() as unknown as Content[];

/**
 * Links or copies the contents into the directory of the backup `file`, which gets its name when
 * all are there. Throws where a copy differs from its digest.
 */
export function backUpFiles(contents: Content[], { directory, file }: { directory: string; file: string }): CopiedFiles {
  const to = filesBeside(file);
  const partial = `${to}.partial`;
  rmSync(partial, { recursive: true, force: true });
  rmSync(to, { recursive: true, force: true });
  if (contents.length === 0) return { files: 0, missingFiles: 0 };
  mkdirSync(partial, { mode: 0o700 });
  const places = [fileDirectoryIn(directory), ...earlierBackups(file)];
  const copied = take(contents, { places, to: partial });
  syncFile(partial);
  renameSync(partial, to);
  syncFile(dirname(to));
  return copied;
}

/** Directories of other backups beside this one, the newest first. */
function earlierBackups(file: string): string[] {
  const beside = dirname(file);
  const own = basename(filesBeside(file));
  return readdirSync(beside)
    .filter(name => name.endsWith('.files') && name !== own)
    .sort()
    .reverse()
    .map(name => join(beside, name));
}

/** Removes the files of a backup, and what an interrupted one left. Idempotent. */
export function removeFilesOf(file: string): void {
  for (const path of [filesBeside(file), `${filesBeside(file)}.partial`]) rmSync(path, { recursive: true, force: true });
}

/**
 * Puts the contents of a backup into the data directory; those that are there already stay. Throws
 * where one differs from its digest.
 */
export function restoreFiles(contents: Content[], { directory, file }: { directory: string; file: string }): CopiedFiles {
  if (contents.length === 0) return { files: 0, missingFiles: 0 };
  const to = fileDirectoryIn(directory);
  mkdirSync(to, { recursive: true, mode: 0o700 });
  const kept = contents.filter(content => isThere(join(to, content.sha256), content));
  const lacking = contents.filter(content => !kept.includes(content));
  for (const content of lacking) assertDigest(join(filesBeside(file), content.sha256), content);
  const copied = take(lacking, { places: [filesBeside(file)], to });
  syncFile(to);
  return { files: copied.files + kept.length, missingFiles: copied.missingFiles };
}

function take(contents: Content[], { places, to }: { places: string[]; to: string }): CopiedFiles {
  let missingFiles = 0;
  for (const content of contents) {
    const found = places.map(place => join(place, content.sha256)).filter(path => isThere(path, content));
    if (found.length === 0) missingFiles += 1;
    else if (!found.some(path => isLinked(path, join(to, content.sha256)))) copyVerified(found[0] as string, content, to);
  }
  return { files: contents.length - missingFiles, missingFiles };
}

const isThere = (path: string, { bytes }: Content): boolean => existsSync(path) && statSync(path).size === bytes;

/** False: it is on another file system, or that has no hard links. */
function isLinked(path: string, name: string): boolean {
  try {
    linkSync(path, name);
    return true;
  } catch {
    return false;
  }
}

/** Under a temporary name until it is on the disk. */
function copyVerified(path: string, content: Content, to: string): void {
  const copy = join(to, `${content.sha256}.copy`);
  try {
    copyFileSync(path, copy);
    assertDigest(copy, content);
    syncFile(copy);
    renameSync(copy, join(to, content.sha256));
  } finally {
    rmSync(copy, { force: true });
  }
}

/** A file that is not there has no wrong digest. */
function assertDigest(path: string, content: Content): void {
  if (!isThere(path, content)) return;
  const found = digestOf(path);
  if (found !== content.sha256) throw new Error(`"${path}" is damaged: it has the sha256 ${found}`);
}

function digestOf(path: string): string {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  const fd = openSync(path, 'r');
  try {
    for (let read = readSync(fd, piece); read > 0; read = readSync(fd, piece)) hash.update(piece.subarray(0, read));
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}
