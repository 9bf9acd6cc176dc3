/** Overlay mounts on this host: whether the agent may mount, and mounts of an earlier process. */
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openLibc } from '../../lib/libc.ts';
import { removeTree } from '../remove-tree.ts';

interface Overlay {
  /** Directories; none of them may be in use by another mount. */
  lower: string;
  upper: string;
  work: string;
  at: string;
}

export interface Mounts {
  /** False: the kernel does not take it. */
  mount(overlay: Overlay): boolean;
  /** Detaches the mount at once; the kernel frees it with its last user. Idempotent. */
  unmount(at: string): void;
  /** Where overlays are mounted below this directory. */
  below(directory: string): string[];
}

const MS_NOSUID = 2;
const MS_NODEV = 4;
const MNT_DETACH = 2;
const cString = (text: string): Uint8Array => Buffer.from(`${text}\0`);
const OVERLAY = cString('overlay');
/** The kernel takes one page of options. */
const OPTIONS_MAX = 4_095;

/**
 * undefined: this process cannot mount overlays in this directory. Leaves no files and no mounts.
 */
export async function openMounts(directory: string): Promise<Mounts | undefined> {
  const libc = await openLibc({ mount: ['bytes', 'bytes', 'bytes', 'u64', 'bytes'], umount2: ['bytes', 'i32'] });
  if (libc === undefined) return undefined;
  // `volatile`: a run's overlay needs no sync at its end. Kernels before 5.10 lack it.
  for (const option of [',volatile', '']) {
    const mounts: Mounts = {
      mount({ lower, upper, work, at }) {
        const options = `lowerdir=${escaped(lower)},upperdir=${escaped(upper)},workdir=${escaped(work)}${option}`;
        if (Buffer.byteLength(options) > OPTIONS_MAX) return false;
        return libc.mount(OVERLAY, cString(at), OVERLAY, BigInt(MS_NOSUID | MS_NODEV), cString(options)) === 0;
      },
      unmount: at => void libc.umount2(cString(at), MNT_DETACH),
      below: root => overlaysBelow(root),
    };
    if (await isWorking(mounts, join(directory, 'probe'))) return mounts;
  }
  return undefined;
}

/** Mounts, writes and checks that the write does not reach the lower layer. */
async function isWorking(mounts: Mounts, directory: string): Promise<boolean> {
  const [lower = '', upper = '', work = '', at = ''] = ['lower', 'upper', 'work', 'at'].map(name => join(directory, name));
  try {
    for (const path of [lower, upper, work, at]) mkdirSync(path, { recursive: true });
    writeFileSync(join(lower, 'file'), 'below');
    if (!mounts.mount({ lower, upper, work, at })) return false;
    writeFileSync(join(at, 'file'), 'above');
    return readFileSync(join(lower, 'file'), 'utf8') === 'below' && readFileSync(join(at, 'file'), 'utf8') === 'above';
  } catch {
    return false;
  } finally {
    mounts.unmount(at);
    await removeTree(directory);
  }
}

/**
 * Whether that process has the mounts of this one: a unit of systemd may have started in a mount
 * namespace of its own.
 */
export function sharesMounts(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`) === readlinkSync('/proc/self/ns/mnt');
  } catch {
    return false;
  }
}

/** In the options of an overlay a comma begins the next one and a colon the next layer. */
const escaped = (path: string): string => path.replace(/[\\,:]/g, sign => `\\${sign}`);

function overlaysBelow(root: string): string[] {
  const table = readFileSync('/proc/self/mountinfo', 'utf8');
  return table
    .split('\n')
    .filter(line => line.includes(' - overlay '))
    .map(line => unescaped(line.split(' ')[4] ?? ''))
    .filter(path => path.startsWith(`${root}/`));
}

/** In the table of mounts blanks and backslashes are octal. */
const unescaped = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
