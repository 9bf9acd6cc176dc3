/**
 * Gathers small writes: the first piece goes on at once, what follows within the next moment goes
 * on together. Keeps a chatty run from costing a piece per line.
 */
import type { Clock, Disarm } from '../lib/clock.ts';
import { PIECE_BYTES_MAX } from './output-log.ts';
import type { Stream } from './ports.ts';

/** What a keeper that dies may lose of the output it has read already. */
const GATHER_MS = 20;

export interface Gather {
  /** `data` may be reused by the caller afterwards. */
  take(stream: Stream, data: Uint8Array): void;
  flush(): void;
  /** Bytes of a stream that were taken and not yet passed on. */
  waiting(stream: Stream): number;
}

export function createGather(clock: Clock, pass: (stream: Stream, at: number, data: Uint8Array) => void): Gather {
  const waiting = { stdout: 0, stderr: 0 };
  /** In order of arrival; neighbours of one stream are joined when they leave. */
  let parts: { stream: Stream; data: Uint8Array }[] = [];
  let openUntil = Number.NEGATIVE_INFINITY;
  let disarm: Disarm | undefined;

  function flush(): void {
    disarm?.();
    disarm = undefined;
    openUntil = clock.monotonic() + GATHER_MS;
    const leaving = parts;
    parts = [];
    waiting.stdout = waiting.stderr = 0;
    for (let first = 0; first < leaving.length; ) {
      const stream = leaving[first]?.stream ?? 'stdout';
      let behind = first;
      while (leaving[behind]?.stream === stream) behind += 1;
      pass(stream, clock.now(), joined(leaving.slice(first, behind)));
      first = behind;
    }
  }

  return {
    take(stream, data) {
      const atOnce = parts.length === 0 && (data.length >= PIECE_BYTES_MAX || clock.monotonic() >= openUntil);
      if (atOnce) {
        openUntil = clock.monotonic() + GATHER_MS;
        return pass(stream, clock.now(), data);
      }
      parts.push({ stream, data: data.slice() });
      waiting[stream] += data.length;
      if (waiting.stdout + waiting.stderr >= PIECE_BYTES_MAX) flush();
      else disarm ??= clock.after(openUntil - clock.monotonic(), flush);
    },
    flush,
    waiting: stream => waiting[stream],
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
