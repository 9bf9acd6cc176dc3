/**
 * What agent and keeper say to each other. The keeper is a program of its own on the same host: it
 * starts the processes, owns their pipes, spools bounded output to disk, knows exit codes and kills
 * trees, and goes on while the agent is away. The agent reaches it over a Unix socket in the data
 * directory (newline-delimited JSON frames); in the simulation both sides are objects in one
 * process.
 */

/** What the keeper is asked to run. `run` is the run's key (`execution:item:attempt`). */
export interface KeepOrder {
  run: string;
  argv: string[];
  cwd: string;
  /** The whole environment of the process; nothing is inherited beside it. */
  env: Record<string, string>;
  /** Who it runs as; absent: as the keeper. */
  user?: { uid: number; gid: number; groups: number[] };
  /** Wall-clock limit of the process, ms, 0: none. The keeper holds it, with or without agent. */
  timeoutMs: number;
  killGraceMs: number;
  /** Bytes of output kept from the beginning and the end of a run (both streams together). */
  headBytes: number;
  tailBytes: number;
}

export type EndCause = 'exit' | 'timeout' | 'stop' | 'startFailed' | 'keeperDied';

export interface KeptRun {
  run: string;
  state: 'running' | 'ending' | 'ended';
  pid: number | null;
  /** Epoch ms. */
  startedAt: number | null;
  endedAt: number | null;
  cause: EndCause | null;
  exitCode: number | null;
  signal: string | null;
  /** One plain sentence, for `startFailed` and `keeperDied`. */
  reason: string | null;
  /** Processes alive when the first one ended by itself, and ended then. Absent: none. */
  leftRunning?: number;
  /**
   * With `startFailed`, where the host is at fault and not the run: its disk takes no record of it,
   * or it gives no process.
   */
  fault?: 'disk' | 'spawn';
  /** Exact bytes written so far. */
  stdoutBytes: number;
  stderrBytes: number;
  /** Those of them that fell out of the spool before anybody read them; final with the end. */
  stdoutLeftOut: number;
  stderrLeftOut: number;
  /** Highest `seq` spooled so far. */
  lastSeq: number;
}

/** A piece of spooled output; see `OutputFrame`. */
export interface SpooledChunk {
  seq: number;
  at: number;
  stream: 'stdout' | 'stderr';
  text: string;
  bytes: number;
  /** Bytes of this stream before this piece, whether they are still in the spool or not. */
  start: number;
}

export type KeeperNews =
  | { type: 'changed'; run: KeptRun }
  /**
   * New output can be read. Sent at most once until `read` has been called for the run; with
   * `pieces` they are all there is, and what comes next is news again.
   */
  | { type: 'output'; run: string; pieces?: SpooledChunk[] };

/** What the keeper says to the center, on a socket of its own, when it has lost its agent. */
export interface LastWord {
  /** Address of the center. */
  center: string;
  word: string;
}

/**
 * The keeper as its agent sees it. Every promise rejects with KeeperGone when the keeper died or
 * the socket broke.
 */
export interface Keeper {
  /**
   * Starts a process. A run it knows already is not started again: the answer is its present state.
   * Resolves once the process runs, has ended, or could not start.
   */
  start(order: KeepOrder): Promise<KeptRun>;
  /** TERM, grace, KILL of the tree; resolves once TERM is sent. Ended or unknown: no effect. */
  stop(run: string, graceMs: number): Promise<void>;
  list(): Promise<KeptRun[]>;
  /** Spooled pieces behind `afterSeq`, at most `maxBytes` of text, but at least one if any. */
  read(run: string, afterSeq: number, maxBytes: number): Promise<SpooledChunk[]>;
  /** Removes an ended run and its spool. Forgetting twice is fine. */
  forget(run: string): Promise<void>;
  /** To be said when the line to this agent breaks; the newest counts. */
  entrust(word: LastWord): Promise<void>;
  /** One listener at a time. */
  onNews(listener: (news: KeeperNews) => void): void;
  /** Resolves when the keeper is gone; the agent then starts another one. */
  readonly gone: Promise<void>;
}

export class KeeperGone extends Error {
  readonly code = 'keeperGone';
}
