/**
 * Output from the keeper's spool to the center, in order per run, with a window of unacknowledged
 * bytes for each run and for all together. One pump, one read at a time, the runs in turn: a run
 * that floods does not starve the others, and nothing is read that could not leave.
 */
import { createCoalesced } from '../lib/batch.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { OUTPUT_TEXT_MAX, type OutputFrame, type Run, runKey } from '../protocol/agent.ts';
import type { SpooledChunk } from '../protocol/keeper.ts';
import type { KeeperClient } from './keeper-client.ts';
import type { AgentLimits, AgentSpans } from './limits.ts';

export interface Output {
  /** More may be readable behind `keptThrough`; `pieces` are all of it. Idempotent. */
  news(run: Run, keptThrough: number, pieces?: SpooledChunk[]): void;
  /**
   * The run has ended. `delivered` follows once the center has kept everything, or it was given up.
   * Saying it twice is fine.
   */
  ended(run: Run, keptThrough: number, spooled: Spooled): void;
  /** The center has stored everything through this `seq`. */
  kept(run: Run, through: number): void;
  /** No more of this run. */
  drop(key: string): void;
  /** The link is up: what was not acknowledged is sent again. */
  up(): void;
  /** What was kept may be lost: all that is still here is sent again. */
  resendAll(): void;
  down(): void;
  /** Gives up what no center took for too long. */
  sweep(): void;
}

/** The keeper's output of an ended run: its last piece, its size, the instant of the end. */
export interface Spooled {
  lastSeq: number;
  bytes: number;
  at: number;
}

/** Bytes of UTF-8 that one unit of a string becomes at most. */
const UTF8_BYTES_MAX = 3;
/**
 * What a piece in flight occupies at the center besides its text, half of it as a string's units
 * have two bytes; the center ends a session that lets more pile up than the window.
 */
export const PIECE_BYTES = 100;
/** What an ended run occupies on this host besides its output, about. */
const RUN_BYTES = 1_024;
/** Of the limit, what is left after giving up: not one run each time from then on. */
const LEFT_SHARE = 0.9;

interface Stream {
  run: Run;
  kept: number;
  sent: number;
  lastSeq: number | undefined;
  /** Of an ended run. */
  waiting: { bytes: number; at: number } | undefined;
  /** Something may be waiting in the spool. */
  more: boolean;
  /** Sent and not yet acknowledged, oldest first. */
  flight: { seq: number; bytes: number }[];
  flightBytes: number;
}

export interface OutputParts {
  clock: Clock;
  keeperClient: KeeperClient;
  log: Log;
  limits: AgentLimits;
  spans: AgentSpans;
  send(frame: OutputFrame): boolean;
  buffered(): number;
  on: { kept(key: string, through: number): void; delivered(key: string): void };
}

export function createOutput(parts: OutputParts): Output {
  const { clock, keeperClient, log, limits, spans } = parts;
  const streams = new Map<string, Stream>();
  let flightBytes = 0;
  let waitingBytes = 0;
  let connected = false;
  // Counts the links: what was read for an earlier one is read again.
  let session = 0;
  let pumping = false;

  const land = (stream: Stream, bytes: number) => {
    stream.flightBytes -= bytes;
    flightBytes -= bytes;
  };

  const rewind = (stream: Stream) => {
    land(stream, stream.flightBytes);
    stream.flight = [];
    stream.sent = stream.kept;
    stream.more = stream.lastSeq === undefined || stream.kept < stream.lastSeq;
  };

  const remove = (key: string) => {
    const stream = streams.get(key);
    if (!stream) return;
    land(stream, stream.flightBytes);
    waitingBytes -= stream.waiting?.bytes ?? 0;
    streams.delete(key);
  };

  /** Oldest ends first, as long as `isTooMuch` says so. */
  const giveUp = (why: string, isTooMuch: (at: number) => boolean) => {
    const ended = [...streams].flatMap(([key, { waiting }]) => (waiting ? [{ key, ...waiting }] : []));
    let bytes = 0;
    let runs = 0;
    for (const one of ended.sort((a, b) => a.at - b.at)) {
      if (!isTooMuch(one.at)) break;
      runs++;
      bytes += one.bytes;
      remove(one.key);
      parts.on.delivered(one.key);
    }
    if (runs > 0) log.warn(`output of ended runs is given up, ${why}`, { runs, bytes });
  };

  const look = (key: string) => {
    const stream = streams.get(key);
    if (stream?.lastSeq === undefined || stream.kept < stream.lastSeq) return;
    remove(key);
    parts.on.delivered(key);
  };

  const next = (): Stream | undefined => {
    if (!connected || flightBytes >= limits.outputWindowAll) return undefined;
    if (parts.buffered() > limits.linkBufferMax) {
      waitForBuffer();
      return undefined;
    }
    for (const stream of streams.values()) if (stream.more && stream.flightBytes < limits.outputWindowRun) return stream;
    return undefined;
  };

  const hasRoom = (stream: Stream): boolean =>
    connected &&
    flightBytes < limits.outputWindowAll &&
    stream.flightBytes < limits.outputWindowRun &&
    parts.buffered() <= limits.linkBufferMax;

  const waitForBuffer = createCoalesced(
    run => void clock.after(spans.bufferRetryMs, run),
    () => pump(),
  );

  const sendChunk = (stream: Stream, chunk: SpooledChunk) => {
    const { seq, at, text, bytes, start } = chunk;
    stream.sent = seq;
    // Text rather than what the process wrote: this is what occupies memory and the line.
    const size = text.length + PIECE_BYTES;
    stream.flight.push({ seq, bytes: size });
    stream.flightBytes += size;
    flightBytes += size;
    // Last: where both ends live in one process, the answer comes from within this call.
    parts.send({ type: 'output', run: stream.run, seq, at: Math.round(at), stream: chunk.stream, text, bytes, start });
  };

  const readOnce = async (stream: Stream) => {
    const key = runKey(stream.run);
    const mine = session;
    // To the end of the line: the others come first the next time.
    streams.delete(key);
    streams.set(key, stream);
    // Before the question, because news that arrives while it is answered must not be lost.
    stream.more = false;
    const maxBytes = Math.max(1, Math.min(limits.outputReadBytes, limits.outputWindowRun - stream.flightBytes));
    let chunks: SpooledChunk[];
    try {
      chunks = await keeperClient.call(keeper => keeper.read(key, stream.sent, maxBytes));
    } catch (problem) {
      log.warn(`${key}: its output cannot be read`, { problem: String(problem) });
      if (stream.lastSeq !== undefined) stream.lastSeq = stream.kept;
      return look(key);
    }
    if (mine !== session || streams.get(key) !== stream) {
      stream.more = true;
      return;
    }
    let bytes = 0;
    for (const chunk of chunks) {
      bytes += chunk.text.length;
      if (chunk.seq > stream.sent) sendChunk(stream, chunk);
    }
    // An answer with room for one more piece was all there is; what comes later is news again.
    const full = bytes * UTF8_BYTES_MAX + OUTPUT_TEXT_MAX > maxBytes;
    if (chunks.length > 0) stream.more ||= full || (stream.lastSeq !== undefined && stream.sent < stream.lastSeq);
    else if (stream.lastSeq !== undefined && stream.flight.length === 0) {
      // The spool has nothing more to give, whatever the last count said: waiting would never end.
      stream.lastSeq = stream.kept;
      look(key);
    }
  };

  const pump = () => {
    if (pumping) return;
    pumping = true;
    void (async () => {
      for (let stream = next(); stream; stream = next()) await readOnce(stream);
    })().finally(() => {
      pumping = false;
      if (next()) pump();
    });
  };

  const streamOf = (run: Run, keptThrough: number): Stream => {
    const key = runKey(run);
    const known = streams.get(key);
    if (known) return known;
    const stream: Stream = {
      run,
      kept: keptThrough,
      sent: keptThrough,
      lastSeq: undefined,
      waiting: undefined,
      more: false,
      flight: [],
      flightBytes: 0,
    };
    streams.set(key, stream);
    return stream;
  };

  return {
    news(run, keptThrough, pieces = []) {
      const stream = streamOf(run, keptThrough);
      const [first] = pieces;
      // Only what comes next, and only when it may leave at once: otherwise it is read in its turn.
      if (first?.seq === stream.sent + 1 && !stream.more && hasRoom(stream)) for (const piece of pieces) sendChunk(stream, piece);
      else if (first === undefined || (pieces.at(-1)?.seq ?? 0) > stream.sent) stream.more = true;
      pump();
    },
    ended(run, keptThrough, { lastSeq, bytes, at }) {
      const stream = streamOf(run, keptThrough);
      waitingBytes += bytes + RUN_BYTES - (stream.waiting?.bytes ?? 0);
      stream.waiting = { bytes: bytes + RUN_BYTES, at };
      stream.lastSeq = lastSeq;
      stream.more = stream.sent < lastSeq;
      look(runKey(run));
      const most = limits.undeliveredBytes;
      if (waitingBytes > most)
        giveUp(`no center took it and there are more than ${most} bytes of it`, () => waitingBytes > most * LEFT_SHARE);
      pump();
    },
    kept(run, through) {
      const key = runKey(run);
      const stream = streams.get(key);
      if (!stream || through <= stream.kept) return;
      // At most what was sent: a center that confuses two runs must not discard output.
      stream.kept = Math.min(through, stream.sent);
      while (stream.flight[0] && stream.flight[0].seq <= stream.kept) land(stream, stream.flight.shift()?.bytes ?? 0);
      parts.on.kept(key, stream.kept);
      look(key);
      pump();
    },
    drop: remove,
    resendAll() {
      for (const stream of streams.values()) stream.kept = 0;
    },
    up() {
      session++;
      connected = true;
      for (const stream of streams.values()) rewind(stream);
      pump();
    },
    sweep() {
      const before = clock.now() - limits.undeliveredMs;
      giveUp(`no center took it for ${limits.undeliveredMs} ms`, at => at < before);
    },
    down() {
      session++;
      connected = false;
      for (const stream of streams.values()) rewind(stream);
    },
  };
}
