/** Programs on this host. */
import { access, chmod, constants, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve, sep } from 'node:path';
import type { Programs } from '../ports.ts';

const SHELLS = ['/bin/bash', '/usr/bin/bash', '/bin/sh'];

export const programs: Programs = {
  async inApp(directory, name) {
    const root = await realpath(directory);
    const path = resolve(root, name);
    // Both on paper and on the disk: neither `..` nor a link leads out.
    if (!path.startsWith(root + sep)) return undefined;
    const real = await realpath(path).catch(() => undefined);
    if (real === undefined || !real.startsWith(root + sep)) return undefined;
    const { mode } = await stat(real);
    if (!(await isFile(real))) return undefined;
    if ((mode & 0o100) === 0) await chmod(real, (mode & 0o777) | 0o111);
    return path;
  },
  async onPath(name, path) {
    if (isAbsolute(name)) return (await isProgram(name)) ? name : undefined;
    if (name.includes('/')) return undefined;
    for (const directory of path.split(':')) {
      // A relative or empty part means the working directory, which is the app's: nothing of it is found by accident.
      if (isAbsolute(directory) && (await isProgram(join(directory, name)))) return join(directory, name);
    }
    return undefined;
  },
  async shell() {
    for (const shell of SHELLS) if (await isProgram(shell)) return shell;
    return '/bin/sh';
  },
};

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return await isFile(path);
  } catch {
    return false;
  }
}

const isFile = async (path: string): Promise<boolean> => (await stat(path)).isFile();
