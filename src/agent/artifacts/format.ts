/** The format of a download, by its name and its first bytes. */
import { constants, gunzipSync } from 'node:zlib';
import { ArtifactError } from '../ports.ts';

export type Format =
  | { kind: 'tar' | 'tar.gz' | 'tar.bz2' | 'tar.xz' | 'zip' }
  /** One file; `gz`: packed, its name is the one without that suffix. */
  | { kind: 'file' | 'gz'; name: string };

/** First bytes to look at: enough of a gzip file to see the first header of a tar inside. */
export const HEAD_BYTES = 16 * 1024;
const TAR_HEADER_BYTES = 512;

/** The longer suffix first where one ends in another. */
const ARCHIVES: [suffix: string, family: 'tar' | 'zip' | 'gz'][] = [
  ['.tar.gz', 'tar'],
  ['.tgz', 'tar'],
  ['.tar.bz2', 'tar'],
  ['.tbz2', 'tar'],
  ['.tbz', 'tar'],
  ['.tar.xz', 'tar'],
  ['.txz', 'tar'],
  ['.tar', 'tar'],
  ['.zip', 'zip'],
  ['.gz', 'gz'],
];

/**
 * An archive's name decides that it is one, its content which: `.tar` may be compressed, `.tgz`
 * may not be, a zip called `.tgz` is refused. A name without a
 * suffix (`/download/latest`, `app-1.2`) is decided by the content alone; everything else is a
 * single file, so `tool.jar` stays one, and `tool.sh.gz` is the
 * file `tool.sh`. Throws ArtifactError.
 */
export function recognise(url: string, head: Uint8Array): Format {
  const name = fileName(url);
  const lower = name.toLowerCase();
  const content = contentOf(head);
  const family = ARCHIVES.find(([suffix]) => lower.endsWith(suffix))?.[1];
  const isNone = (what: string) => new ArtifactError('unsupported', `${name} is named like a ${what} and is none`, { transient: false });
  switch (family) {
    case 'zip':
      if (content === 'zip') return { kind: 'zip' };
      throw isNone('zip archive');
    case 'tar':
      if (content !== undefined && content !== 'zip') return { kind: content };
      throw isNone('tar archive');
    case 'gz':
      if (content === 'tar.gz') return { kind: 'gz', name: name.slice(0, -'.gz'.length) || 'app' };
      throw isNone('gzip file');
    default:
      if (content === undefined || hasSuffix(name)) return { kind: 'file', name };
      return content === 'tar.gz' && !isTarInside(head) ? { kind: 'gz', name } : { kind: content };
  }
}

/** What a name says about an archive: two names of one family unpack a content alike. */
export function archiveFamily(name: string): 'tar' | 'zip' | undefined {
  const lower = name.toLowerCase();
  const family = ARCHIVES.find(([suffix]) => lower.endsWith(suffix))?.[1];
  return family === 'gz' ? undefined : family;
}

/** Whether the text behind the last dot is a type of file rather than a version. */
function hasSuffix(name: string): boolean {
  const suffix = /\.([a-z][a-z0-9]{0,15})$/i.exec(name)?.[1];
  return (
    suffix !== undefined && !/^(?:v\d+|(?:alpha|beta|b|rc|m|sp|pre|dev|post)\d*|final|ga|latest|release|snapshot|stable)$/i.test(suffix)
  );
}

/** Of a gzip file: whether its first bytes, as far as they are here, are a tar. */
function isTarInside(head: Uint8Array): boolean {
  try {
    return isTar(gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH }));
  } catch {
    return false;
  }
}

/** A header with the mark of ustar or, as Unix v7 wrote it, with a checksum that holds. */
function isTar(head: Uint8Array): boolean {
  const text = new TextDecoder('latin1').decode(head.subarray(0, TAR_HEADER_BYTES));
  if (text.slice(257, 262) === 'ustar') return true;
  if (text.length < TAR_HEADER_BYTES || text.charCodeAt(0) === 0) return false;
  const written = /^[ 0]*([0-7]{1,6})[\0 ]/.exec(text.slice(148, 156))?.[1];
  if (written === undefined) return false;
  let sum = 0;
  // Its own field counts as spaces.
  for (let at = 0; at < TAR_HEADER_BYTES; at++) sum += at >= 148 && at < 156 ? 32 : (head[at] ?? 0);
  return sum === Number.parseInt(written, 8);
}

/** The last part of the path, as a name a file may have. */
export function fileName(url: string): string {
  const last = new URL(url).pathname.split('/').pop() ?? '';
  let name = last;
  try {
    name = decodeURIComponent(last);
  } catch {
    // A stray percent sign: the name is what was written.
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  name = name.replace(/[/\\\u0000-\u001f]/g, '_').slice(0, 200);
  return name === '' || name === '.' || name === '..' ? 'app' : name;
}

const BZIP2_MARKS = ['314159265359', '177245385090'];
const XZ = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];

function contentOf(head: Uint8Array): 'tar' | 'tar.gz' | 'tar.bz2' | 'tar.xz' | 'zip' | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'tar.gz';
  if (XZ.every((byte, at) => head[at] === byte)) return 'tar.xz';
  const text = new TextDecoder('latin1').decode(head);
  // Its mark of a block, or of an end without any: "BZh" alone may well begin a text.
  if (/^BZh[1-9]/.test(text) && BZIP2_MARKS.includes(Buffer.from(head.subarray(4, 10)).toString('hex'))) return 'tar.bz2';
  // `PK 3 4`, or `PK 5 6` for an archive without entries.
  if (head[0] === 0x50 && head[1] === 0x4b && ((head[2] === 3 && head[3] === 4) || (head[2] === 5 && head[3] === 6))) return 'zip';
  return isTar(head) ? 'tar' : undefined;
}
