/**
 * Temporary directories for tests, all in one that is deleted when the test program ends.
 * `KEEP_TEMP_DIRS=1 bun test …` keeps it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let all: string | undefined;

/** A new, empty directory; its path contains `name`. */
export function tempDir(name: string): string {
  all ??= mkdtempSync(join(tmpdir(), 'troupe-test-'));
  return mkdtempSync(join(all, `${name}-`));
}

/** Deletes all of them. A keeper in one ends its runs and exits. Idempotent. */
export function deleteTempDirs(): void {
  if (all === undefined) return;
  if (process.env.KEEP_TEMP_DIRS) console.error(`kept: ${all}`);
  else rmSync(all, { recursive: true, force: true });
  all = undefined;
}

// For programs. `bun test` does not emit `exit`; its preload calls the function.
process.on('exit', deleteTempDirs);
