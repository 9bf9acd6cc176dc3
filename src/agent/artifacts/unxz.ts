/**
 * xz, piece by piece. The package has one decoder's memory for all streams, and reuses it only once
 * a stream has ended, so archives take turns. A failing source ends an abandoned one, never
 * `cancel`, which would free memory that is still written to.
 */
import * as published from 'xz-decompress';
import { createSemaphore } from '../../lib/semaphore.ts';

// Deno offers only the default export of a package of this form.
const { XzReadableStream } = 'XzReadableStream' in published ? published : (published as { default: typeof published }).default;

/**
 * Bytes passed to the decoder at once. An abandoned bomb still unpacks this much, about 30 MB in
 * its decoder.
 */
const INPUT_BYTES = 4 * 1024;

const decoder = createSemaphore(1);

/** Throws Error whose message continues "the archive is broken:". The reader may stop early. */
export async function* unxz(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let problem: unknown;
  let givenUp = false;
  const pieces = inPieces(source);
  const input = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const next = givenUp ? undefined : await pieces.next();
          if (next === undefined || givenUp) controller.error(new Error('given up'));
          else if (next.done === true) controller.close();
          else controller.enqueue(next.value);
        } catch (cause) {
          problem = cause;
          controller.error(cause);
        }
      },
    },
    { highWaterMark: 0 },
  );
  const release = await decoder.acquire();
  const reader = new XzReadableStream(input).getReader();
  const read = () => reader.read().catch(cause => Promise.reject(problem ?? new Error(inWords(cause), { cause })));
  try {
    for (let next = await read(); !next.done; next = await read()) yield next.value;
  } finally {
    givenUp = true;
    for (let over = false; !over; )
      over = await reader.read().then(
        ({ done }) => done,
        () => true,
      );
    release();
    await pieces.return(undefined);
  }
}

async function* inPieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    for (let at = 0; at < piece.length; at += INPUT_BYTES) yield piece.subarray(at, at + INPUT_BYTES);
  }
}

/** By the numbers of xz-embedded's `enum xz_ret`. */
const WORDS: Record<number, string> = {
  2: 'its kind of checksum is not taken; crc32 and crc64 are',
  3: 'there is no memory for its dictionary',
  4: 'it asks for a dictionary of more than 64 MiB',
  5: 'it does not begin like xz',
  6: 'it uses a filter or a checksum that is not taken; LZMA2 with crc32 or crc64 is',
  7: 'its bytes or its checksum are wrong',
  8: 'it is cut short',
};

function inWords(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  // An empty input: the package does not check before it reads.
  if (cause instanceof TypeError) return 'it is cut short';
  return WORDS[Number(/error code (\d+)/.exec(message)?.[1])] ?? message;
}
