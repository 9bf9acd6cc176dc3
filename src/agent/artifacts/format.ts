/** What a download is, by its name and its first bytes. */
import { ArtifactError } from '../ports.ts';

export type Format =
  | { kind: 'tar' | 'tar.gz' | 'tar.bz2' | 'tar.xz' | 'zip' }
  /** One file; `gz`: packed, its name is the one without that suffix. */
  | { kind: 'file' | 'gz'; name: string };

/** How many first bytes are looked at. */
export const HEAD_BYTES = 512;

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
 * An archive's name decides that it is one, its content which: `.tar` may be compressed, `.tgz` may not be, a zip called `.tgz` is refused. A name without
 * any suffix (`/download/latest`) is decided by the content alone; everything else is a single file, so `tool.jar` stays one, and `tool.sh.gz` is the file
 * `tool.sh`. Throws ArtifactError.
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
      return !name.includes('.') && content !== undefined ? { kind: content } : { kind: 'file', name };
  }
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
  return text.slice(257, 262) === 'ustar' ? 'tar' : undefined;
}
