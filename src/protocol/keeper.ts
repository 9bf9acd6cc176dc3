/**
 * Frames between agent and keeper, JSON lines over a Unix socket in the agent's data directory.
 * No zod here: the schemas would take a fifth of the keeper's memory.
 *
 *   agent                                     keeper
 *     | -- {"protocol": 1} -----------------> |   the agent's protocol version
 *     | <- {"protocol": 1, "pid": 4711} ----- |   or {"refused": "…"}, then the socket closes
 *     | -- {"id": 1, "method": "list"} -----> |
 *     | <- {"id": 1, "result": […]} --------- |   or {"id": 1, "error": "…"}
 *     | <- {"event": …} --------------------- |
 */
import { join } from 'node:path';
import { assertJournalFormat, type JournalFormat, readJournalHead } from '../lib/journal-head.ts';

export const KEEPER_PROTOCOL = 1;
/**
 * Longest line, bytes; a longer one closes the connection. Larger than the largest start request,
 * and than the largest result of `read` as JSON.
 */
export const KEEPER_LINE_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Format of the keeper's journal and of its output segments. Until the first release version 1 may
 * change in place: then only the fingerprint changes.
 */
export const KEEPER_JOURNAL: JournalFormat = { name: 'keeper', version: 1, fingerprint: '66dfe3bbe40d' };

/** Throws Error when another revision wrote the keeper's directory. Changes nothing. */
export function assertKeeperFormat(directory: string): void {
  const head = readJournalHead(join(directory, 'journal'));
  assertJournalFormat(KEEPER_JOURNAL, head, `the keeper's journal in "${directory}"`);
}

/** The directory of the keeper's own files. */
export const keeperDirectory = (data: string): string => join(data, 'keeper');

/** Asks the keeper to start a process. `run`: the run's key, `execution:item:attempt`. */
export interface StartRequest {
  run: string;
  argv: string[];
  cwd: string;
  /** The whole environment of the process, which inherits nothing else. */
  env: Record<string, string>;
  /** The user of the process; absent: the keeper's own. */
  user?: { uid: number; gid: number; groups: number[] };
  /** Wall-clock limit, ms, 0 = none. The keeper enforces it, also while no agent is connected. */
  timeoutMs: number;
  killGraceMs: number;
  /** Bytes of output kept from the beginning and the end of a run, both streams together. */
  headBytes: number;
  tailBytes: number;
}

export type EndCause = 'exit' | 'timeout' | 'stop' | 'startFailed' | 'keeperDied';

/** The keeper's record of one run. */
export interface RunStatus {
  run: string;
  state: 'running' | 'ending' | 'ended';
  pid: number | null;
  /** Epoch ms. */
  startedAt: number | null;
  endedAt: number | null;
  cause: EndCause | null;
  exitCode: number | null;
  signal: string | null;
  /** One sentence, with `startFailed` and `keeperDied`. */
  reason: string | null;
  /** Processes still alive when the first one exited; the keeper ended them. Absent: none. */
  leftRunning?: number;
  /** With `startFailed`, the cause on the host: its full disk, or no process left. */
  fault?: 'disk' | 'spawn';
  /** Exact bytes written so far. */
  stdoutBytes: number;
  stderrBytes: number;
  /** Bytes that the spool dropped before a reader got them. Final with the end. */
  stdoutLeftOut: number;
  stderrLeftOut: number;
  /** Highest spooled `seq` so far. */
  lastSeq: number;
}

/** A piece of spooled output; see `OutputFrame`. */
export interface SpooledChunk {
  seq: number;
  at: number;
  stream: 'stdout' | 'stderr';
  text: string;
  bytes: number;
  /** Bytes of this stream before this chunk, including those that the spool dropped. */
  start: number;
}

export type KeeperEvent =
  | { type: 'changed'; run: RunStatus }
  /**
   * New output can be read. Sent at most once until the next `read` of the run. With `chunks`, they
   * are the whole new output, and further output sends a new event.
   */
  | { type: 'output'; run: string; chunks?: SpooledChunk[] };

/** The keeper sends it to the center, over a socket of its own, when its agent disconnects. */
export interface AliveNotice {
  /** Address of the center. */
  center: string;
  livenessToken: string;
}

/**
 * The keeper's operations. Every promise rejects with KeeperLostError when the keeper exits or the
 * socket breaks.
 */
export interface Keeper {
  /**
   * Starts a process. Idempotent: a known run is not started again. Resolves with the run's status
   * once the process runs, has ended, or could not start.
   */
  start(request: StartRequest): Promise<RunStatus>;
  /**
   * Sends TERM, waits `graceMs`, sends KILL to the whole process tree. Does nothing for unknown and
   * ended runs. Resolves once the TERM was sent.
   */
  stop(run: string, graceMs: number): Promise<void>;
  list(): Promise<RunStatus[]>;
  /** Spooled chunks behind `afterSeq`, at most `maxBytes` of text, but at least one if any. */
  read(run: string, afterSeq: number, maxBytes: number): Promise<SpooledChunk[]>;
  /** Deletes an ended run and its spool. Idempotent. */
  remove(run: string): Promise<void>;
  /** Registers the notice to send when this connection breaks. Replaces an earlier one. */
  registerNotice(notice: AliveNotice): Promise<void>;
  /** Replaces the listener. */
  onEvent(listener: (event: KeeperEvent) => void): void;
  /** Resolves when the keeper has exited; the agent then starts another one. */
  readonly lost: Promise<void>;
}

export class KeeperLostError extends Error {
  readonly code = 'keeperLost';
  constructor() {
    super('the connection to the keeper is lost');
  }
}

export type KeeperRequest =
  | { method: 'start'; request: StartRequest }
  | { method: 'stop'; run: string; graceMs: number }
  | { method: 'list' }
  | { method: 'read'; run: string; afterSeq: number; maxBytes: number }
  | { method: 'remove'; run: string }
  | { method: 'registerNotice'; notice: AliveNotice };

export type AgentToKeeper = { protocol: number } | ({ id: number } & KeeperRequest);
export type KeeperToAgent =
  | { protocol: number; pid: number }
  | { refused: string }
  | { id: number; result: unknown }
  | { id: number; error: string }
  | { event: KeeperEvent };

/** Instants, spans, sizes, counts and pids: no valid number is larger. */
const NUMBER_MAX = 2 ** 50;
const isText = (value: unknown): value is string => typeof value === 'string';
const isCount = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= NUMBER_MAX;

/** A frame of the keeper. Undefined: not a JSON object, or a number in it is out of range. */
export function parseKeeperFrame(text: string): KeeperToAgent | undefined {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === 'object' && frame !== null && hasValidNumbers(frame) ? (frame as KeeperToAgent) : undefined;
  } catch {
    return undefined;
  }
}

function hasValidNumbers(value: unknown): boolean {
  if (typeof value === 'number') return isCount(value);
  return typeof value !== 'object' || value === null || Object.values(value).every(hasValidNumbers);
}

/**
 * A frame of the agent, or the problem to answer with. Undefined: no frame of this protocol. Throws
 * SyntaxError on invalid JSON.
 */
export function parseAgentFrame(text: string): AgentToKeeper | { id: number; problem: string } | undefined {
  const frame = JSON.parse(text) as Record<string, unknown> | null;
  if (typeof frame?.protocol === 'number') return { protocol: frame.protocol };
  if (typeof frame?.id !== 'number') return undefined;
  const { id, method, request, run, graceMs, afterSeq, maxBytes, notice } = frame;
  if (method === 'list') return { id, method };
  if (method === 'start')
    return isStartRequest(request)
      ? { id, method, request }
      : { id, problem: 'a field of the start request is missing or has the wrong type' };
  if (method === 'stop' && isText(run) && isCount(graceMs)) return { id, method, run, graceMs };
  if (method === 'read' && isText(run) && isCount(afterSeq) && isCount(maxBytes)) return { id, method, run, afterSeq, maxBytes };
  if (method === 'remove' && isText(run)) return { id, method, run };
  if (method === 'registerNotice' && isNotice(notice)) return { id, method, notice };
  return { id, problem: `the keeper has no method "${String(method)}" with these fields` };
}

/** Guards against another version. Only an agent of the same user can connect. */
function isStartRequest(value: unknown): value is StartRequest {
  if (typeof value !== 'object' || value === null) return false;
  const { run, argv, cwd, env, user, timeoutMs, killGraceMs, headBytes, tailBytes } = value as Record<string, unknown>;
  return (
    isText(run) &&
    isText(cwd) &&
    Array.isArray(argv) &&
    argv.length > 0 &&
    argv.every(isText) &&
    typeof env === 'object' &&
    env !== null &&
    Object.values(env).every(isText) &&
    (user === undefined || isUser(user)) &&
    [timeoutMs, killGraceMs, headBytes, tailBytes].every(isCount)
  );
}

/** A process with an invalid user would run as the keeper's own. */
function isUser(value: unknown): boolean {
  const { uid, gid, groups } = Object(value) as Record<string, unknown>;
  return [uid, gid].every(Number.isSafeInteger) && Array.isArray(groups) && groups.every(Number.isSafeInteger);
}

const isNotice = (value: unknown): value is AliveNotice =>
  typeof value === 'object' && value !== null && isText((value as AliveNotice).center) && isText((value as AliveNotice).livenessToken);
