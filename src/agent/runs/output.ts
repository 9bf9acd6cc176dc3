/**
 * Sends output from the keeper's spool to the center, in order per run, with a window of
 * unacknowledged bytes per run and for all runs. One read at a time, the runs in turn: a run that
 * floods does not delay the others, and nothing is read that cannot be sent.
 */
import { createCoalesced } from '../../lib/batch.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { keyOfRun, OUTPUT_TEXT_MAX, type OutputFrame, type Run } from '../../protocol/agent.ts';
import type { SpooledChunk } from '../../protocol/keeper.ts';
import type { Journal } from '../journal.ts';
import type { KeeperClient } from '../keeper-client.ts';
import type { AgentLimits, AgentSpans } from '../limits.ts';
import type { RunCleanup } from './cleanup.ts';
import { createOutputStreams, type OutputStream, type OutputStreams, type SpooledOutput } from './output-streams.ts';

export type { SpooledOutput };

export interface OutputSender {
  /** New output behind `acknowledged`; `chunks`: all of it, where given. Idempotent. */
  written(run: Run, acknowledged: number, chunks?: SpooledChunk[]): void;
  /** The run has ended; it is cleaned up once its output is acknowledged or dropped. Idempotent. */
  ended(run: Run, acknowledged: number, spooled: SpooledOutput): void;
  /** The center has stored everything through this `seq`. */
  acknowledged(run: Run, through: number): void;
  /** The link is up: all unacknowledged output is sent again. */
  up(): void;
  /** The center may have lost what it acknowledged: all spooled output is sent again. */
  resendAll(): void;
  down(): void;
  /** Drops the output of runs that ended too long ago. */
  sweep(): void;
}

/** Most bytes of UTF-8 of one UTF-16 unit. */
const UTF8_BYTES_MAX = 3;
/**
 * Memory of a chunk in flight at the center besides its text, half of it because strings have two
 * bytes a unit. The center closes a session with more in flight than the window.
 */
export const CHUNK_OVERHEAD_BYTES = 100;
/**
 * Share of the limit that remains after output was dropped: the next run is not dropped at once.
 */
const REMAINING_SHARE = 0.9;

export interface OutputParts {
  clock: Clock;
  keeperClient: KeeperClient;
  journal: Journal;
  cleanup: RunCleanup;
  log: Log;
  limits: AgentLimits;
  spans: AgentSpans;
  send(frame: OutputFrame): boolean;
  buffered(): number;
}

export function createOutputSender(parts: OutputParts): OutputSender {
  const { clock, journal, limits } = parts;
  const streams = createOutputStreams();
  const retention = createOutputRetention(parts, streams);
  const { hasWindow, sendChunk, startSession, pump } = createWindowedSender(parts, streams, retention);
  const { finishIfComplete, dropOldest } = retention;

  return {
    written(run, acknowledged, chunks = []) {
      const stream = streams.open(run, acknowledged);
      const [first] = chunks;
      // Only the next chunk, and only when it can be sent at once; otherwise it is read in its
      // turn.
      const canSend = first?.seq === stream.sent + 1 && !stream.hasMore && hasWindow(stream) && parts.buffered() <= limits.linkBufferMax;
      if (canSend) for (const chunk of chunks) sendChunk(stream, chunk);
      else if (first === undefined || (chunks.at(-1)?.seq ?? 0) > stream.sent) stream.hasMore = true;
      pump();
    },
    ended(run, acknowledged, spooled) {
      streams.ended(streams.open(run, acknowledged), spooled);
      finishIfComplete(keyOfRun(run));
      const most = limits.undeliveredBytes;
      if (streams.pendingBytes() > most)
        dropOldest(`no center took it and there are more than ${most} bytes of it`, () => streams.pendingBytes() > most * REMAINING_SHARE);
      pump();
    },
    acknowledged(run, through) {
      const key = keyOfRun(run);
      const stream = streams.get(key);
      if (!stream || through <= stream.acknowledged) return;
      streams.acknowledge(stream, through);
      journal.note([{ run: key, set: { outputAcknowledged: stream.acknowledged } }]);
      finishIfComplete(key);
      pump();
    },
    resendAll() {
      for (const stream of streams.values()) stream.acknowledged = 0;
    },
    up() {
      startSession(true);
      pump();
    },
    down: () => startSession(false),
    sweep() {
      const before = clock.now() - limits.undeliveredMs;
      dropOldest(`no center took it for ${limits.undeliveredMs} ms`, at => at < before);
    },
  };
}

/** Sends within the windows of the present session; reads the spool for the streams in turn. */
function createWindowedSender(parts: OutputParts, streams: OutputStreams, retention: ReturnType<typeof createOutputRetention>) {
  const { limits } = parts;
  let isUp = false;
  /** Counts the sessions: what was read for an earlier one is read again. */
  let session = 0;

  const hasWindow = (stream: OutputStream): boolean =>
    isUp && streams.inFlightBytes() < limits.outputWindowAll && stream.inFlightBytes < limits.outputWindowRun;

  const sendChunk = (stream: OutputStream, chunk: SpooledChunk) => {
    const { seq, at, text, bytes, start } = chunk;
    // The size of the text, not of the process's bytes: the text occupies memory and network.
    streams.sent(stream, seq, text.length + CHUNK_OVERHEAD_BYTES);
    // Last: where both ends are in one process, the acknowledgement comes within this call.
    parts.send({ type: 'output', run: stream.run, seq, at: Math.round(at), stream: chunk.stream, text, bytes, start });
  };

  const pump = createPump(parts, {
    next() {
      for (const stream of streams.values()) if (stream.hasMore && hasWindow(stream)) return stream;
      return undefined;
    },
    async readOnce(stream) {
      const mine = session;
      // The other runs come first the next time.
      streams.moveToEnd(stream);
      // Before the read: an event during it must not be lost.
      stream.hasMore = false;
      const maxBytes = Math.max(1, Math.min(limits.outputReadBytes, limits.outputWindowRun - stream.inFlightBytes));
      const chunks = await retention.read(stream, maxBytes);
      if (chunks === undefined) return;
      if (mine !== session || streams.get(keyOfRun(stream.run)) !== stream) {
        stream.hasMore = true;
        return;
      }
      for (const chunk of chunks) if (chunk.seq > stream.sent) sendChunk(stream, chunk);
      retention.afterRead(stream, chunks, maxBytes);
    },
  });

  const startSession = (up: boolean): void => {
    session++;
    isUp = up;
    for (const stream of streams.values()) streams.rewind(stream);
  };

  return { hasWindow, sendChunk, startSession, pump };
}

/** Reads the spool, and decides when the output of an ended run is done. */
function createOutputRetention({ keeperClient, cleanup, log }: OutputParts, streams: OutputStreams) {
  const finish = (key: string) => {
    streams.remove(key);
    cleanup.outputDone(key);
  };

  const finishIfComplete = (key: string) => {
    const stream = streams.get(key);
    if (stream?.lastSeq !== undefined && stream.acknowledged >= stream.lastSeq) finish(key);
  };

  return {
    finishIfComplete,
    /** Drops the runs that ended first, as long as `isTooMuch` returns true. */
    dropOldest(why: string, isTooMuch: (endedAt: number) => boolean): void {
      let bytes = 0;
      let runs = 0;
      for (const one of streams.endedRuns()) {
        if (!isTooMuch(one.at)) break;
        runs++;
        bytes += one.bytes;
        finish(one.key);
      }
      if (runs > 0) log.warn(`output of ended runs is dropped: ${why}`, { runs, bytes });
    },
    /** Undefined: it cannot be read. */
    async read(stream: OutputStream, maxBytes: number): Promise<SpooledChunk[] | undefined> {
      const key = keyOfRun(stream.run);
      try {
        return await keeperClient.call(keeper => keeper.read(key, stream.sent, maxBytes));
      } catch (problem) {
        log.warn(`${key}: its output cannot be read`, { problem: String(problem) });
        if (stream.lastSeq !== undefined) stream.lastSeq = stream.acknowledged;
        finishIfComplete(key);
        return undefined;
      }
    },
    afterRead(stream: OutputStream, chunks: SpooledChunk[], maxBytes: number): void {
      // A response with space for one more chunk had all; further output sends an event.
      const bytes = chunks.reduce((sum, { text }) => sum + text.length, 0);
      const isFull = bytes * UTF8_BYTES_MAX + OUTPUT_TEXT_MAX > maxBytes;
      if (chunks.length > 0) stream.hasMore ||= isFull || (stream.lastSeq !== undefined && stream.sent < stream.lastSeq);
      else if (stream.lastSeq !== undefined && stream.inFlight.length === 0) {
        // The spool is empty although the last status had more: waiting would never end.
        stream.lastSeq = stream.acknowledged;
        finishIfComplete(keyOfRun(stream.run));
      }
    },
  };
}

/** Reads one stream after the other while there is one to read; waits while the socket is full. */
function createPump(
  { clock, spans, limits, buffered }: OutputParts,
  work: { next(): OutputStream | undefined; readOnce(stream: OutputStream): Promise<void> },
): () => void {
  let isPumping = false;
  const waitForSocket = createCoalesced(
    run => void clock.after(spans.bufferRetryMs, run),
    () => pump(),
  );

  const next = (): OutputStream | undefined => {
    const stream = work.next();
    if (stream === undefined || buffered() <= limits.linkBufferMax) return stream;
    waitForSocket();
    return undefined;
  };

  const pump = () => {
    if (isPumping) return;
    isPumping = true;
    void (async () => {
      for (let stream = next(); stream; stream = next()) await work.readOnce(stream);
    })().finally(() => {
      isPumping = false;
      if (next()) pump();
    });
  };
  return pump;
}
