/**
 * Joins small writes: the first passes at once, those of the next 20 ms pass together. Without it a
 * run that writes line by line would cost a chunk per line.
 */
import type { Clock, Disarm } from '../lib/clock.ts';
import type { OutputStreamName } from './ports.ts';
import { CHUNK_BYTES_MAX } from './stored-chunks.ts';

/** A keeper that crashes loses the output of at most this span, ms. */
const WINDOW_MS = 20;

export interface WriteBuffer {
  /** The caller may reuse `data` afterwards. */
  write(stream: OutputStreamName, data: Uint8Array): void;
  flush(): void;
  /** Bytes of a stream that were written and not yet passed on. */
  pending(stream: OutputStreamName): number;
}

export function createWriteBuffer(clock: Clock, pass: (stream: OutputStreamName, at: number, data: Uint8Array) => void): WriteBuffer {
  const pending = { stdout: 0, stderr: 0 };
  /** In order of arrival; `flush` joins neighbours of one stream. */
  let parts: { stream: OutputStreamName; data: Uint8Array }[] = [];
  let windowEnd = Number.NEGATIVE_INFINITY;
  let disarm: Disarm | undefined;

  function flush(): void {
    disarm?.();
    disarm = undefined;
    windowEnd = clock.monotonic() + WINDOW_MS;
    const batch = parts;
    parts = [];
    pending.stdout = pending.stderr = 0;
    for (let first = 0; first < batch.length; ) {
      const stream = batch[first]?.stream ?? 'stdout';
      let end = first;
      while (batch[end]?.stream === stream) end += 1;
      pass(stream, clock.now(), joined(batch.slice(first, end)));
      first = end;
    }
  }

  return {
    write(stream, data) {
      const atOnce = parts.length === 0 && (data.length >= CHUNK_BYTES_MAX || clock.monotonic() >= windowEnd);
      if (atOnce) {
        windowEnd = clock.monotonic() + WINDOW_MS;
        return pass(stream, clock.now(), data);
      }
      parts.push({ stream, data: data.slice() });
      pending[stream] += data.length;
      if (pending.stdout + pending.stderr >= CHUNK_BYTES_MAX) flush();
      else disarm ??= clock.after(windowEnd - clock.monotonic(), flush);
    },
    flush,
    pending: stream => pending[stream],
  };
}

function joined(parts: { data: Uint8Array }[]): Uint8Array {
  if (parts.length === 1 && parts[0] !== undefined) return parts[0].data;
  const whole = new Uint8Array(parts.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (const { data } of parts) {
    whole.set(data, at);
    at += data.length;
  }
  return whole;
}
