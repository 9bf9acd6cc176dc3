/**
 * The keeper core's ports: processes, and a spool on disk that outlives the keeper. Real ones on a
 * host, fakes in tests and in the simulation.
 */
import type { RunStatus, SpooledChunk, StartRequest } from '../protocol/keeper.ts';

export type OutputStreamName = SpooledChunk['stream'];

/**
 * Identifies the processes of a run, also for a later keeper: every descendant carries `tag`; pid
 * and start time identify the first process.
 */
export interface ProcessTree {
  tag: string;
  /** null: recorded before the start, so only the tag identifies the tree. */
  pid: number | null;
  /**
   * Start time of `pid`, clock ticks since boot: differs when the pid is reused. null: not read.
   */
  startTicks: number | null;
}

/** One output stream. Pulled: without a reader the process blocks in its write. */
export interface OutputSource {
  /**
   * The next bytes, at least one, or null at the end. They are valid until the next `read`. Never
   * rejects.
   */
  read(): Promise<Uint8Array | null>;
  /** Closes the stream; a pending `read` resolves with null. Idempotent. */
  cancel(): void;
}

export interface ProcessExit {
  /** null when a signal ended it. */
  code: number | null;
  signal: string | null;
}

export interface StartedProcess {
  tree: ProcessTree;
  stdout: OutputSource;
  stderr: OutputSource;
  /** Resolves when the first process has exited, with or without living children. Never rejects. */
  exit: Promise<ProcessExit>;
}

export interface SpawnRequest {
  argv: string[];
  cwd: string;
  env: Record<string, string>;
  user?: StartRequest['user'];
  tag: string;
}

export interface SignalResult {
  /** Living processes of the tree before the signal. */
  alive: number;
  /** The first process had exited before the signal, although its exit was not yet reported. */
  firstHadExited: boolean;
}

export interface Spawner {
  /** Identifies this boot of the machine: processes of another one are gone. */
  readonly bootId: string;
  /** A new tag, unique on this host. */
  createTag(): string;
  /** `failed` is one sentence; `fault`: no other process would start either. Never rejects. */
  start(request: SpawnRequest): Promise<{ started: StartedProcess } | { failed: string; fault?: 'spawn' }>;
  /**
   * Adds the start time of the first process while it lives. Separate from `start`, because reading
   * it costs as much as the start. Absent where pids are never reused.
   */
  identify?(tree: ProcessTree): ProcessTree;
  /** The number of living processes of the tree. */
  countAlive(tree: ProcessTree): Promise<number>;
  /** Signals every living process of the tree. */
  signal(tree: ProcessTree, signal: 'TERM' | 'KILL'): Promise<SignalResult>;
  /** Reaps adopted orphans that have exited. */
  reapOrphans(): void;
}

/**
 * The stored record of a run: its successor ends the tree of a run that was running. Never has the
 * environment, which may hold secrets.
 */
export interface SpoolRecord {
  status: RunStatus;
  tree: ProcessTree;
  bootId: string;
  /** `Spool.directoryId` of the keeper that started it; absent where there is none. */
  directoryId?: string;
  killGraceMs: number;
}

/** Output of one run, in numbered segments that only grow and are deleted as a whole. */
export interface OutputSegments {
  /** Appends both parts or nothing; the caller may reuse them. False: the disk is full. */
  append(segment: number, header: Uint8Array, data: Uint8Array): boolean;
  /** Shorter than `length` at the segment's end. */
  read(segment: number, position: number, length: number): Uint8Array;
  drop(segment: number): void;
  /** Numbers of the stored segments, ascending. */
  list(): number[];
  /** Closes open files; `append` opens them again. */
  closeFiles(): void;
}

/** Survives the keeper. A power cut may cost the last second, and ends the processes as well. */
export interface Spool {
  /** Identifies the directory: a copy of it has another id. Absent where no copies exist. */
  readonly directoryId?: string;
  /** The latest record of every run that was not removed. */
  records(): SpoolRecord[];
  /** False: the disk is full; the record stays in memory and is written with the next one. */
  write(record: SpoolRecord): boolean;
  segments(tag: string): OutputSegments;
  /** Removes record and segments. */
  remove(record: SpoolRecord): void;
}
