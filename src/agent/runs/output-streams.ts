/** The output of each run on its way to the center: positions, and bytes in flight. */
import { keyOfRun, type Run } from '../../protocol/agent.ts';

/**
 * The keeper's spool of an ended run: its last chunk, its size, and the end of the run, epoch ms.
 */
export interface SpooledOutput {
  lastSeq: number;
  bytes: number;
  at: number;
}

export interface OutputStream {
  run: Run;
  acknowledged: number;
  sent: number;
  /** Undefined while the run is alive. */
  lastSeq: number | undefined;
  /** Of an ended run. */
  pending: { bytes: number; at: number } | undefined;
  /** The spool may have further chunks. */
  hasMore: boolean;
  /** Sent and not yet acknowledged, oldest first. */
  inFlight: { seq: number; bytes: number }[];
  inFlightBytes: number;
}

/** Memory of an ended run on this host besides its output, about, bytes. */
const RUN_BYTES = 1_024;

export interface OutputStreams {
  /** Of all streams together. */
  inFlightBytes(): number;
  /** Of the ended runs. */
  pendingBytes(): number;
  get(key: string): OutputStream | undefined;
  values(): Iterable<OutputStream>;
  /** `acknowledged`: the position of a new stream. */
  open(run: Run, acknowledged: number): OutputStream;
  remove(key: string): void;
  /** Behind all others. */
  moveToEnd(stream: OutputStream): void;
  ended(stream: OutputStream, spooled: SpooledOutput): void;
  sent(stream: OutputStream, seq: number, bytes: number): void;
  acknowledge(stream: OutputStream, through: number): void;
  /** All behind the acknowledged position is to be sent again. */
  rewind(stream: OutputStream): void;
  /** Oldest end first. */
  endedRuns(): { key: string; bytes: number; at: number }[];
}

export function createOutputStreams(): OutputStreams {
  const streams = new Map<string, OutputStream>();
  let inFlightBytes = 0;
  let pendingBytes = 0;

  const land = (stream: OutputStream, bytes: number) => {
    stream.inFlightBytes -= bytes;
    inFlightBytes -= bytes;
  };

  return {
    inFlightBytes: () => inFlightBytes,
    pendingBytes: () => pendingBytes,
    get: key => streams.get(key),
    values: () => streams.values(),
    open(run, acknowledged) {
      const key = keyOfRun(run);
      const known = streams.get(key);
      if (known) return known;
      const position = { acknowledged, sent: acknowledged, lastSeq: undefined, hasMore: false };
      const stream: OutputStream = { run, ...position, pending: undefined, inFlight: [], inFlightBytes: 0 };
      streams.set(key, stream);
      return stream;
    },
    remove(key) {
      const stream = streams.get(key);
      if (!stream) return;
      land(stream, stream.inFlightBytes);
      pendingBytes -= stream.pending?.bytes ?? 0;
      streams.delete(key);
    },
    moveToEnd(stream) {
      const key = keyOfRun(stream.run);
      streams.delete(key);
      streams.set(key, stream);
    },
    ended(stream, { lastSeq, bytes, at }) {
      pendingBytes += bytes + RUN_BYTES - (stream.pending?.bytes ?? 0);
      stream.pending = { bytes: bytes + RUN_BYTES, at };
      stream.lastSeq = lastSeq;
      stream.hasMore = stream.sent < lastSeq;
    },
    sent(stream, seq, bytes) {
      stream.sent = seq;
      stream.inFlight.push({ seq, bytes });
      stream.inFlightBytes += bytes;
      inFlightBytes += bytes;
    },
    acknowledge(stream, through) {
      // At most the sent position: a center that confuses two runs must not discard output.
      stream.acknowledged = Math.min(through, stream.sent);
      while (stream.inFlight[0] && stream.inFlight[0].seq <= stream.acknowledged) land(stream, stream.inFlight.shift()?.bytes ?? 0);
    },
    rewind(stream) {
      land(stream, stream.inFlightBytes);
      stream.inFlight = [];
      stream.sent = stream.acknowledged;
      stream.hasMore = stream.lastSeq === undefined || stream.acknowledged < stream.lastSeq;
    },
    endedRuns: () => [...streams].flatMap(([key, { pending }]) => (pending ? [{ key, ...pending }] : [])).sort((a, b) => a.at - b.at),
  };
}
