/** Everything in the agent hub that can grow, with its name and what happens at the limit. */
import { backoffDelay } from '../lib/backoff.ts';

export interface HubLimits {
  /** Sockets open at once, greeting or up; a further one is refused `busy`. */
  socketsMax: number;
  /** Handshakes looked into at the same time; further ones wait in line. */
  handshakesMax: number;
  /** Hellos in line, and the bytes of their texts; a further one is refused `busy`. */
  handshakesWaitingMax: number;
  handshakesWaitingBytes: number;
  /** From the challenge to the hello; then the socket is closed. */
  helloMs: number;
  /** How long an agent may take to show that it is alive when another one comes with its key. */
  answerMs: number;
  /** Commands a host has not acknowledged; a further one is Busy. */
  commandsMax: number;
  /**
   * How long a connected agent may leave a command unacknowledged, ms; then its shard is lost.
   */
  commandAnswerMs: number;
  /** Reports told at the same time, all hosts together; further ones wait. */
  reportsAtOnce: number;
  /** Reports of one session that wait; beyond, its socket is closed and the agent comes again. */
  reportsWaitingMax: number;
  /**
   * Bytes of output not stored yet, of one session and of all; beyond, the session that brought
   * more is closed and comes again. More than an agent's window (4 Mi letters, two bytes each).
   */
  outputWaitingBytes: number;
  outputWaitingBytesAll: number;
  /** Output per write to the store. */
  outputBatchChunks: number;
  outputBatchBytes: number;
  /** Outgoing bytes per socket; an agent that lets more pile up is closed and comes again. */
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

/** How long to wait after `failures` failures in a row, ms. */
export const retryDelay = (limits: HubLimits, failures: number): number =>
  backoffDelay({ baseMs: limits.retryBaseMs, capMs: limits.retryCapMs }, failures + 1);

/** A sentence for people, with fields. `security` marks what somebody should look into. */
export type HubLog = (level: 'info' | 'warn' | 'error', message: string, fields: Record<string, unknown> & { security?: true }) => void;
