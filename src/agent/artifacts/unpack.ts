/** Unpacks a download of any format into a guarded tree. */
import { open } from 'node:fs/promises';
import { ArtifactError } from '../ports.ts';
import { isDiskProblem } from './disk-problem.ts';
import { type Format, HEAD_BYTES } from './format.ts';
import type { ArtifactLimits } from './limits.ts';
import { unpacked } from './packing.ts';
import { broken, unpackTar } from './tar.ts';
import { createGuardedTree, type Owner, type Unpacked } from './tree.ts';
import { unpackZip } from './zip.ts';

const PACKINGS = { tar: 'none', 'tar.gz': 'gz', 'tar.bz2': 'bz2', 'tar.xz': 'xz' } as const;

interface Unpacking {
  file: string;
  directory: string;
  format: Format;
  packedBytes: number;
  limits: ArtifactLimits;
  owner: Owner | undefined;
  signal: AbortSignal;
}

/** Resolves once all of it is on the disk. */
export async function unpack({ file, directory, format, packedBytes, limits, owner, signal }: Unpacking): Promise<Unpacked> {
  const tree = createGuardedTree({ root: directory, packedBytes, limits, owner });
  switch (format.kind) {
    case 'file':
      await tree.file(format.name, 0o755, unpacked(file, 'none'));
      break;
    case 'gz':
      await tree.file(format.name, 0o755, until(signal, unpacked(file, 'gz'))).catch(problem => {
        signal.throwIfAborted();
        throw problem instanceof ArtifactError || isDiskProblem(problem) ? problem : broken(problem);
      });
      break;
    case 'zip':
      await unpackZip(file, tree, limits, signal);
      break;
    default:
      await unpackTar(file, PACKINGS[format.kind], tree, limits, signal);
  }
  return tree.finish();
}

async function* until(signal: AbortSignal, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    signal.throwIfAborted();
    yield piece;
  }
}

/** The first bytes of a file, which tell its format. */
export async function headOf(file: string): Promise<Uint8Array> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
