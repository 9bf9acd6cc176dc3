/** Identifies a directory: a copy has another id than the original. */
import { statSync } from 'node:fs';

/**
 * Constant until the machine restarts: a rename keeps the id, a copy has another one. Throws when
 * there is no such directory.
 */
export function directoryId(directory: string): string {
  const { dev, ino } = statSync(directory, { bigint: true });
  return `${dev}:${ino}`;
}
