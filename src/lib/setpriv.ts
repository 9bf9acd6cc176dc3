/**
 * Starts a process with the supplementary groups of another user: `setpriv` of util-linux sets them
 * and executes the program in place.
 */
import { existsSync } from 'node:fs';

/** Absolute paths: the PATH belongs to the job. */
const PATHS = ['/usr/bin/setpriv', '/bin/setpriv', '/usr/sbin/setpriv', '/sbin/setpriv'];

/** The words to put in front of a command. */
export const setpriv = ({ uid, gid, groups }: { uid: number; gid: number; groups: number[] }): string[] => [
  PATHS.find(path => existsSync(path)) ?? 'setpriv',
  `--reuid=${uid}`,
  `--regid=${gid}`,
  `--groups=${groups.join(',')}`,
  '--',
];
