/**
 * Directories for tests, all in one that is deleted when the test program ends.
 * `KEEP_PLACES=1 bun test …` keeps it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let all: string | undefined;

/** A new, empty directory; `name` says whose, for whoever looks. */
export function aPlace(name: string): string {
  all ??= mkdtempSync(join(tmpdir(), 'troupe-test-'));
  return mkdtempSync(join(all, `${name}-`));
}

/** Removes them all. A keeper that is still in one ends by itself once its directory is gone. */
export function clearPlaces(): void {
  if (all === undefined) return;
  if (process.env.KEEP_PLACES) console.error(`kept: ${all}`);
  else rmSync(all, { recursive: true, force: true });
  all = undefined;
}

// For programs; `bun test` ends without it and clears up in its preload.
process.on('exit', clearPlaces);
