/** Path of Deno: from the packages, else PATH. CI fails without it, others skip. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

const PACKAGES = resolve(import.meta.dir, '../../node_modules');

/**
 * Path of the program, or undefined. The package of this very platform holds it, whether or not an
 * install script has run.
 */
export function findDeno(): string | undefined {
  const platform = `${process.platform}-${process.arch}${process.platform === 'linux' ? '-glibc' : ''}`;
  const ours = join(PACKAGES, '@deno', platform, 'deno');
  return existsSync(ours) ? ours : (Bun.which('deno') ?? undefined);
}
