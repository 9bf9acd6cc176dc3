/** This process, as other centers of the same database know it. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { CenterProcess } from '../store/cluster-port.ts';

/** `drawId` names the machine where it cannot be read: then nobody else has that name. */
export const thisProcess = (drawId: () => string): CenterProcess => ({
  host: hostname(),
  pid: process.pid,
  machine: thisMachine() ?? drawId(),
});

/**
 * Of whoever has the same text the process numbers mean the same. Drawn anew with each boot and
 * container.
 */
function thisMachine(): string | undefined {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return undefined;
  }
}

/** False only where the system knows no such process: whoever may not look takes it for alive. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
