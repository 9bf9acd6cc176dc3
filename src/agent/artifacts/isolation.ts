/** Selects how this host keeps the apps of runs apart: its best method, or the configured one. */
import { constants, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../../config/center.ts';
import type { AppIsolation } from '../../protocol/agent.ts';
import type { IsolationMethod } from './app-directories.ts';
import { openMounts } from './mounts.ts';

/**
 * `directory`: where apps are kept; made if need be. Throws ConfigError where this host does not
 * support the settings.
 */
export async function detectIsolation(directory: string, wanted: AppIsolation | 'auto'): Promise<IsolationMethod> {
  mkdirSync(directory, { recursive: true });
  if (wanted === 'auto' || wanted === 'overlay') {
    const mounts = await openMounts(directory);
    if (mounts) return { isolation: 'overlay', mounts };
    if (wanted === 'overlay')
      throw cannot(wanted, `overlays cannot be mounted in ${directory}: that needs root and a file system that takes them`);
  }
  if (wanted === 'verified' || wanted === 'copy') return { isolation: wanted };
  if (mayClone(directory)) return { isolation: 'clone' };
  if (wanted === 'clone') throw cannot(wanted, `the file system of ${directory} cannot share blocks between files (FICLONE)`);
  return { isolation: 'copy' };
}

const cannot = (value: string, why: string) =>
  new ConfigError([{ variable: 'TROUPE_APP_ISOLATION', value, expected: `must be what this host can: ${why}` }]);

/**
 * No file system shares blocks with this one. Deno copies it all the same: it ignores how a file is
 * to be copied.
 */
const NEVER_SHARED = '/proc/self/stat';

function mayClone(directory: string): boolean {
  const [from, to] = [join(directory, 'probe.from'), join(directory, 'probe.to')];
  const clones = (file: string): boolean => {
    try {
      copyFileSync(file, to, constants.COPYFILE_FICLONE_FORCE);
      return true;
    } catch {
      return false;
    }
  };
  try {
    writeFileSync(from, 'blocks to share');
    return clones(from) && !clones(NEVER_SHARED);
  } catch {
    return false;
  } finally {
    for (const path of [from, to]) rmSync(path, { force: true });
  }
}
