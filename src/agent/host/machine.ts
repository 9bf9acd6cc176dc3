/** Describes this machine. */
import { existsSync } from 'node:fs';
import { arch, availableParallelism, hostname, platform, totalmem } from 'node:os';
import type { HostDefaults } from '../../config/agent.ts';
import { openLibc } from '../../lib/libc.ts';
import type { Capabilities } from '../../protocol/agent.ts';

/**
 * How the keeper ends process trees on this host. Never `cgroup`: a process can only be moved after
 * its start, so the group would miss what it forks at once, and the move costs several starts.
 */
export const detectTreeKill = async (): Promise<Capabilities['treeKill']> =>
  existsSync('/proc/self/stat') && (await openLibc({ prctl: ['i32', 'u64', 'u64', 'u64', 'u64'] })) !== undefined ? 'subreaper' : 'group';

export const hostDefaults = (): HostDefaults => ({
  hostname: hostname(),
  cpus: availableParallelism(),
  memoryMB: Math.max(1, Math.floor(totalmem() / 1024 ** 2)),
});

export const system = (): { os: string; arch: string; hostname: string } => ({ os: platform(), arch: arch(), hostname: hostname() });
