/** Limits of the agent hub, each with the behaviour at the limit. */
import { backoffDelay } from '../lib/backoff.ts';

export interface HubLimits {
  /** Open sockets, with or without a welcome; a further one is refused `busy`. */
  socketsMax: number;
  /** Concurrent handshakes; further ones wait. */
  handshakesMax: number;
  /** Waiting handshakes, and the bytes of their hellos; a further one is refused `busy`. */
  handshakesWaitingMax: number;
  handshakesWaitingBytes: number;
  /** Time from the challenge to the hello, ms; then the socket is closed. */
  helloMs: number;
  /** Time for an agent to answer a ping when another one has its key, ms. */
  answerMs: number;
  /** Commands that a host has not acknowledged; a further one rejects with Busy. */
  commandsMax: number;
  /**
   * How long a connected agent may leave a command unacknowledged, ms; then its shard is lost.
   */
  commandAnswerMs: number;
  /** Runs whose reports are delivered concurrently, of all hosts together; further ones wait. */
  reportsAtOnce: number;
  /** Waiting reports of one session; beyond, its socket is closed, and the agent reconnects. */
  reportsWaitingMax: number;
  /**
   * Bytes of output not stored yet, of one session and of all; beyond, the session that sent more
   * is closed, and its agent reconnects. More than an agent's window (4 Mi UTF-16 units).
   */
  outputWaitingBytes: number;
  outputWaitingBytesAll: number;
  /** Output of one write to the store. */
  outputBatchChunks: number;
  outputBatchBytes: number;
  /** Unsent bytes of one socket; beyond, it is closed, and the agent reconnects. */
  bufferMaxBytes: number;
  /** Delay before the next try of a failed commit: doubles from the base to the cap, ms. */
  retryBaseMs: number;
  retryCapMs: number;
}

export const hubLimits: HubLimits = {
  socketsMax: 20_000,
  handshakesMax: 64,
  handshakesWaitingMax: 10_000,
  handshakesWaitingBytes: 64 * 1024 * 1024,
  helloMs: 10_000,
  answerMs: 1_000,
  commandsMax: 2_000,
  commandAnswerMs: 120_000,
  reportsAtOnce: 256,
  reportsWaitingMax: 25_000,
  outputWaitingBytes: 12 * 1024 * 1024,
  outputWaitingBytesAll: 256 * 1024 * 1024,
  outputBatchChunks: 500,
  outputBatchBytes: 1024 * 1024,
  bufferMaxBytes: 8 * 1024 * 1024,
  retryBaseMs: 250,
  retryCapMs: 10_000,
};

/** Delay before the next try, ms; doubles with each of `failures` failures in a row. */
export const retryDelay = (limits: HubLimits, failures: number): number =>
  backoffDelay({ baseMs: limits.retryBaseMs, capMs: limits.retryCapMs }, failures + 1);

/** Writes a log line. `security` marks a line that an operator should investigate. */
export type HubLog = (level: 'info' | 'warn' | 'error', message: string, fields: Record<string, unknown> & { security?: true }) => void;
