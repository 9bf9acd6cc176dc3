/** The common part of the streams of tar and zlib. */
interface Sink {
  readonly destroyed: boolean;
  write(piece: Uint8Array): boolean;
  once(event: 'drain' | 'close', fn: () => void): unknown;
  off(event: 'drain' | 'close', fn: () => void): unknown;
}

/**
 * Writes everything, waiting for the reader. Stops early, without an error, when the reader gave
 * up; does not end the sink.
 */
export async function pipe(source: AsyncIterable<Uint8Array>, sink: Sink): Promise<void> {
  for await (const piece of source) {
    if (sink.destroyed) return;
    if (!sink.write(piece)) await drained(sink);
  }
}

const drained = (sink: Sink): Promise<void> =>
  new Promise(resolve => {
    const go = () => {
      sink.off('drain', go);
      sink.off('close', go);
      resolve();
    };
    sink.once('drain', go);
    sink.once('close', go);
    // The stream may have been destroyed between the write and the listening: then neither event
    // comes.
    if (sink.destroyed) go();
  });
