/** Decodes `Content-Encoding`. Some app hosts set it, although the request asks for `identity`. */
import { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { commaEntries } from '../../lib/comma-list.ts';
import { ArtifactError } from '../ports.ts';

/** App hosts send `gzip` for these because the files are packed, not because the response is. */
const PACKED = /\.(?:t?gz|tar\.gz)$/i;

/** The bytes of the file of this name. Throws ArtifactError where they cannot be decoded. */
export async function* plainBytes(sent: AsyncIterable<Uint8Array>, encoding: string | undefined, name: string): AsyncGenerator<Uint8Array> {
  for (const one of commaEntries((encoding ?? '').toLowerCase()).reverse()) sent = undo(sent, one, name);
  yield* sent;
}

function undo(sent: AsyncIterable<Uint8Array>, encoding: string, name: string): AsyncIterable<Uint8Array> {
  switch (encoding) {
    case '':
    case 'identity':
    case 'aws-chunked':
      return sent;
    case 'gzip':
    case 'x-gzip':
      return PACKED.test(name) ? sent : through(sent, createGunzip());
    case 'deflate':
      return through(sent, createInflate());
    case 'br':
      return through(sent, createBrotliDecompress());
    default:
      throw new ArtifactError(
        'unsupported',
        `the app host sent ${name} with Content-Encoding ${encoding}; supported are gzip, deflate and br`,
        {
          transient: false,
        },
      );
  }
}

async function* through(
  sent: AsyncIterable<Uint8Array>,
  undoing: NodeJS.ReadWriteStream & { destroy(): void },
): AsyncGenerator<Uint8Array> {
  const source = Readable.from(sent);
  let failure: unknown;
  source.on('error', problem => {
    failure = problem;
    undoing.destroy();
  });
  source.pipe(undoing);
  try {
    yield* undoing as unknown as AsyncIterable<Uint8Array>;
  } catch (problem) {
    throw failure ?? notAsEncoded(problem);
  } finally {
    undoing.destroy();
    source.destroy();
  }
  // A stream that is destroyed without a reason ends like one that is over.
  if (failure !== undefined) throw failure;
}

const notAsEncoded = (cause: unknown): ArtifactError =>
  new ArtifactError(
    'incomplete',
    `the app host sent a body that does not fit its Content-Encoding: ${cause instanceof Error ? cause.message : cause}`,
    {
      transient: false,
      cause,
    },
  );
