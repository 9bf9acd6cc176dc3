/** What a download is, by its name and its first bytes. */
import { ArtifactError } from '../ports.ts';

export type Format = { kind: 'tar' | 'tar.gz' | 'zip' } | { kind: 'file'; name: string };

/** How many first bytes are looked at. */
export const HEAD_BYTES = 512;

const ARCHIVES: [suffix: string, family: 'tar' | 'zip'][] = [
  ['.tar.gz', 'tar'],
  ['.tgz', 'tar'],
  ['.tar', 'tar'],
  ['.zip', 'zip'],
];
const LATER = ['.tar.bz2', '.tbz2', '.tar.xz', '.txz', '.gz'];

/**
 * An archive's name decides that it is one, its content which: `.tar` may be compressed, `.tgz` may not be, a zip called `.tgz` is refused. A name without
 * any suffix (`/download/latest`) is decided by the content alone; everything else is a single file, so `tool.jar` stays one. Throws ArtifactError.
 */
export function recognise(url: string, head: Uint8Array): Format {
  const name = fileName(url);
  const lower = name.toLowerCase();
  const content = contentOf(head);
  const family = ARCHIVES.find(([suffix]) => lower.endsWith(suffix))?.[1];
  if (family === 'zip') {
    if (content === 'zip') return { kind: 'zip' };
    throw new ArtifactError('unsupported', `${name} is named like a zip archive and is none`, { transient: false });
  }
  if (family === 'tar') {
    if (content === 'tar.gz' || content === 'tar') return { kind: content };
    throw new ArtifactError('unsupported', `${name} is named like a tar archive and is none`, { transient: false });
  }
  const later = LATER.find(suffix => lower.endsWith(suffix));
  if (later)
    throw new ArtifactError('unsupported', `${name}: ${later} is not taken; .tar.gz, .tgz, .tar, .zip and single files are`, {
      transient: false,
    });
  if (!name.includes('.') && content) return { kind: content };
  return { kind: 'file', name };
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

function contentOf(head: Uint8Array): 'tar' | 'tar.gz' | 'zip' | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'tar.gz';
  // `PK 3 4`, or `PK 5 6` for an archive without entries.
  if (head[0] === 0x50 && head[1] === 0x4b && ((head[2] === 3 && head[3] === 4) || (head[2] === 5 && head[3] === 6))) return 'zip';
  return new TextDecoder('latin1').decode(head.subarray(257, 262)) === 'ustar' ? 'tar' : undefined;
}
