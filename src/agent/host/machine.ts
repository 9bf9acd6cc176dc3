/** What this machine is. */
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { arch, availableParallelism, hostname, platform, totalmem } from 'node:os';
import type { HostDefaults } from '../../config/agent.ts';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** Changes at each boot; `unknown` where it cannot be read, and then constant. */
export async function readBootId(file: string = BOOT_ID): Promise<string> {
  return (await readFile(file, 'utf8').catch(() => 'unknown')).trim().slice(0, 100) || 'unknown';
}

/**
 * Names a directory, until the machine starts anew: it keeps the name when it is renamed, and a
 * copy of it has another.
 */
export function placeOf(directory: string): string {
  const { dev, ino } = statSync(directory, { bigint: true });
  return `${dev}:${ino}`;
}

export const hostDefaults = (): HostDefaults => ({
  hostname: hostname(),
  cpus: availableParallelism(),
  memoryMB: Math.max(1, Math.floor(totalmem() / 1024 ** 2)),
});

export const system = (): { os: string; arch: string; hostname: string } => ({ os: platform(), arch: arch(), hostname: hostname() });
