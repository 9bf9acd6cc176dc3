/** Identifies the present boot of the machine. */
import { readFileSync } from 'node:fs';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';
const LENGTH_MAX = 100;

/** Changes at each boot. `unknown`, and then constant, where it cannot be read. */
export function readBootId(file: string = BOOT_ID): string {
  try {
    return readFileSync(file, 'utf8').trim().slice(0, LENGTH_MAX) || 'unknown';
  } catch {
    return 'unknown';
  }
}
