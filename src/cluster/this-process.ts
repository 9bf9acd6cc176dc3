/** This process, as other centers of the same database know it. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { CenterProcess } from '../store/cluster-port.ts';

/** `drawId` draws a unique name for a machine whose name cannot be read. */
export const thisProcess = (drawId: () => string): CenterProcess => ({
  host: hostname(),
  pid: process.pid,
  machine: thisMachine() ?? drawId(),
});

/**
 * Processes with the same text share their process numbers. Each boot and container has a new one.
 */
function thisMachine(): string | undefined {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return undefined;
  }
}

/** False only where the system knows no such process. Without the right to look it is true. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
