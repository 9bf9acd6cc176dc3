/** Programs on this host. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { chmod, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve, sep } from 'node:path';
import type { Programs } from '../ports.ts';

const SHELLS = ['/bin/bash', '/usr/bin/bash', '/bin/sh'];

export const programs: Programs = {
  async inApp(directory, name) {
    const root = await realpath(directory);
    const path = resolve(root, name);
    // Checked in the text and on the disk: neither `..` nor a link leads out.
    if (!path.startsWith(root + sep)) return undefined;
    const real = await realpath(path).catch(() => undefined);
    if (real === undefined || !real.startsWith(root + sep)) return undefined;
    const info = await stat(real);
    if (!info.isFile()) return undefined;
    // For whom may read it: a mode never gets wider than that.
    if ((info.mode & 0o100) === 0) await chmod(real, (info.mode & 0o777) | 0o100 | ((info.mode & 0o044) >> 2));
    return path;
  },
  async onPath(name, path) {
    if (isAbsolute(name)) return isProgram(name) ? name : undefined;
    if (name.includes('/')) return undefined;
    for (const directory of path.split(':')) {
      // A relative or empty part means the working directory, which is the app's: its files are not
      // found by accident.
      if (directory.startsWith('/') && isProgram(`${directory}/${name}`)) return join(directory, name);
    }
    return undefined;
  },
  async exists(path) {
    return existsSync(path);
  },
  async shell() {
    for (const shell of SHELLS) if (isProgram(shell)) return shell;
    return '/bin/sh';
  },
};

/**
 * Called for each directory of the PATH for each run. The system answers from its cache, so neither
 * another thread nor exceptions are worth their cost.
 */
function isProgram(path: string): boolean {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
