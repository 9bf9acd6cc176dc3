/**
 * What the keeper's core asks of the world: processes, and a place on disk that outlives it. Real
 * on a host, fakes in tests and in the simulation.
 */
import type { KeepOrder, KeptRun, SpooledChunk } from '../protocol/keeper.ts';

export type Stream = SpooledChunk['stream'];

/**
 * How a run's processes are recognised, also by a later keeper: `mark` is carried by every
 * descendant, pid and start time name the first one.
 */
export interface Tree {
  mark: string;
  /** null: recorded before the start, so only the mark can tell. */
  pid: number | null;
  /**
   * Start time of `pid` in clock ticks since boot: a pid that was given away again has another one.
   * null: not looked at yet.
   */
  ticks: number | null;
}

/** One output stream, pulled: whoever does not read makes the process wait in its write. */
export interface OutputSource {
  /**
   * The next bytes (any length above 0), or null at the end. The bytes are the caller's until the
   * next `read`. Never rejects.
   */
  read(): Promise<Uint8Array | null>;
  /** Gives the stream up, also under a pending `read` (which then gives null). Twice is fine. */
  cancel(): void;
}

export interface ProcessEnd {
  /** null when a signal ended it. */
  code: number | null;
  signal: string | null;
}

export interface StartedProcess {
  tree: Tree;
  stdout: OutputSource;
  stderr: OutputSource;
  /** Resolves when the first process of the tree has ended. Never rejects. */
  exit: Promise<ProcessEnd>;
}

export interface StartRequest {
  argv: string[];
  cwd: string;
  env: Record<string, string>;
  user?: KeepOrder['user'];
  mark: string;
}

export interface Signalled {
  /** Living processes of the tree before it. */
  alive: number;
  /**
   * Its first process had ended by then, though nobody had been told: the signal has no part in how
   * it ended.
   */
  firstHadEnded: boolean;
}

export interface Spawner {
  /** Names this boot of the machine: processes of another one are gone. */
  readonly boot: string;
  /** A new mark that nobody else on the host bears. */
  mark(): string;
  /** `failed` is a plain sentence; `fault`: no other process would start either. Never rejects. */
  start(request: StartRequest): Promise<{ started: StartedProcess } | { failed: string; fault?: 'spawn' }>;
  /**
   * The tree with the start time of its first process, while that lives. A look at a process that
   * has just begun costs as much as starting it, so `start` leaves it out. Absent where pids are
   * never given away again.
   */
  identify?(tree: Tree): Tree;
  /** How many processes of the tree are alive. */
  members(tree: Tree): Promise<number>;
  /** Signals every living process of the tree and says whom it found. */
  signal(tree: Tree, signal: 'TERM' | 'KILL'): Promise<Signalled>;
  /** Clears away dead processes that nobody else waits for. */
  tidy(): void;
}

/**
 * What a keeper writes down about a run, so that its successor can end what it left and tell how
 * the others ended. Never holds env: that is where secrets are.
 */
export interface RunRecord {
  kept: KeptRun;
  tree: Tree;
  boot: string;
  /** `Spool.place` of the keeper that started it; absent where that was not written down. */
  place?: string;
  killGraceMs: number;
}

/** Bytes of one run, in numbered segments that only grow and go as a whole. */
export interface Segments {
  /** Appends both parts, which the caller may reuse, or nothing. False: there is no room. */
  append(segment: number, header: Uint8Array, data: Uint8Array): boolean;
  /** Shorter at the segment's end. */
  read(segment: number, position: number, length: number): Uint8Array;
  drop(segment: number): void;
  /** Numbers of the stored segments, ascending. */
  list(): number[];
  /** No more appends for now: lets go of open files. */
  rest(): void;
}

/**
 * Survives the keeper's death. A power cut may cost the last second: it ends the processes too, and
 * the agent's own journal knows.
 */
export interface Spool {
  /**
   * Names the place itself: where the records of another one lie is a copy of that. Absent where
   * there are no copies.
   */
  readonly place?: string;
  /** The latest record of every run that was not forgotten. */
  records(): RunRecord[];
  /** False: no room; the record stays in memory and is written with the next one that fits. */
  record(record: RunRecord): boolean;
  segments(mark: string): Segments;
  /** Removes record and segments. */
  forget(record: RunRecord): void;
}
