/** A digest of the running program: the same for the same build, another for another one. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { isSingleFile } from './single-file.ts';

/** Folders and files with the sources of the program. */
const SOURCES = ['actors', 'src', 'package.json'];
const PIECE_BYTES = 1024 * 1024;

/** MD5 in hex of the program's one file, or of all its sources. Reads them all. */
export async function programDigest(): Promise<string> {
  const hash = createHash('md5');
  if (isSingleFile(import.meta.url)) {
    for await (const piece of createReadStream(process.execPath, { highWaterMark: PIECE_BYTES })) hash.update(piece as Uint8Array);
  } else {
    const top = fileURLToPath(new URL('../..', import.meta.url));
    for (const path of await sourcesIn(top)) {
      hash.update(`${path}\0`).update(await readFile(top + path));
    }
  }
  return hash.digest('hex');
}

async function sourcesIn(top: string): Promise<string[]> {
  const listed = SOURCES.map(async source => {
    if (source.includes('.')) return [source];
    const names = await readdir(top + source, { recursive: true });
    return names.filter(name => name.endsWith('.ts')).map(name => `${source}/${name.replaceAll('\\', '/')}`);
  });
  return (await Promise.all(listed)).flat().sort();
}
