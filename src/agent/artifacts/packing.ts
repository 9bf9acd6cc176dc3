/** A packed file on the disk, as the bytes that were packed. */
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { bunzip2 } from './bunzip2.ts';
import { unxz } from './unxz.ts';

export type Packing = 'none' | 'gz' | 'bz2' | 'xz';

/** Throws errors of the disk, or an Error of the unpacker. An early end closes everything. */
export function unpacked(file: string, packing: Packing): AsyncIterable<Uint8Array> {
  switch (packing) {
    case 'none':
      return createReadStream(file);
    case 'gz':
      return gunzip(file);
    case 'bz2':
      return bunzip2(createReadStream(file));
    case 'xz':
      return unxz(createReadStream(file));
  }
}

async function* gunzip(file: string): AsyncGenerator<Uint8Array> {
  const source = createReadStream(file);
  const plain = source.pipe(createGunzip());
  source.on('error', problem => plain.destroy(problem));
  try {
    yield* plain as AsyncIterable<Uint8Array>;
  } finally {
    plain.destroy();
    source.destroy();
  }
}
