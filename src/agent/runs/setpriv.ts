/**
 * How a process is started with the groups of its user: through `setpriv` of util-linux, which
 * becomes the program in place.
 */
import { existsSync } from 'node:fs';
import type { KeepOrder } from '../../protocol/keeper.ts';

/** Not looked for along the PATH, which is the job's own. */
const PLACES = ['/usr/bin/setpriv', '/bin/setpriv', '/usr/sbin/setpriv', '/sbin/setpriv'];

/** Words that stand before a command. */
export const setpriv = ({ uid, gid, groups }: NonNullable<KeepOrder['user']>): string[] => [
  PLACES.find(path => existsSync(path)) ?? 'setpriv',
  `--reuid=${uid}`,
  `--regid=${gid}`,
  `--groups=${groups.join(',')}`,
  '--',
];
