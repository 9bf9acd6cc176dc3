/** The agent's ports: real ones on a host, fakes in tests and in the simulation. */
import type { AppRules } from '../lib/host-policy.ts';
import type { Artifact, JobDirectory } from '../protocol/agent.ts';
import type { Keeper } from '../protocol/keeper.ts';

/** Small durable files (journal, identity). Paths are relative to the data directory. */
export interface Disk {
  /** The whole file, or undefined when there is none. */
  read(path: string): Promise<string | undefined>;
  /** Appends and, with `sync`, resolves only once the bytes are on the disk. */
  append(path: string, text: string, options: { sync: boolean }): Promise<void>;
  /** Replaces the file atomically: a crash leaves the old or the new one. Durable once resolved. */
  replace(path: string, text: string): Promise<void>;
  remove(path: string): Promise<void>;
}

/** Connects to the keeper of this data directory, or starts one. */
export interface KeeperConnector {
  connect(): Promise<Keeper>;
}

export interface PreparedApp {
  /** The unpacked app, working directory of the run; its own unless the note says shared. */
  directory: string;
  /** The file name of a bare script; undefined for an unpacked archive. */
  script: string | undefined;
  /** A sentence to show with the run, such as: an older copy is used while the app host is away. */
  note: string | undefined;
}

/** Where the center to which the agent is connected serves its files. */
export interface CenterFiles {
  /** Ends with a slash; the digest of a file follows. */
  url: string;
  /** Of the session. */
  token: string;
}

export interface PrepareScope {
  /** The key of the run. */
  run: string;
  execution: string;
  /** Who the files are for, when it is not the agent's own user. */
  owner: { uid: number; gid: number } | undefined;
  rules: AppRules;
  /** Undefined while no session is up. */
  center(): CenterFiles | undefined;
  signal: AbortSignal;
}

/** Fetches, checks, unpacks and caches apps. */
export interface Artifacts {
  /**
   * Throws ArtifactError. `signal` aborts; an incomplete copy is never visible. `execution` scopes
   * a copy with `cache: false`; `rules` are the center's.
   */
  prepare(artifact: Artifact, scope: PrepareScope): Promise<PreparedApp>;
  /**
   * The run is over: deletes its directory. `execution`: this was its last run here, so copies
   * fetched for it alone are deleted too. Idempotent.
   */
  release(run: string, execution: string | undefined): Promise<void>;
  /** At the start of an agent: deletes files and mounts of all runs but these. */
  sweep(runs: string[]): Promise<void>;
}

/** Directories of jobs: one per job and content, kept from run to run. */
export interface JobDirectories {
  /**
   * The directory, which stays while this run uses it; made at the first need, with the file of the
   * job unpacked. Throws ArtifactError, and the signal's reason; a failure leaves nothing.
   */
  prepare(wanted: JobDirectory, scope: Omit<PrepareScope, 'execution' | 'rules'>): Promise<string>;
  /** The run is over. Idempotent. */
  release(run: string): Promise<void>;
  /**
   * Once after the start of an agent: of the runs of its predecessors these live. Before, no
   * directory is removed.
   */
  settle(live: ReadonlySet<string>): Promise<void>;
  /** Measures the directories in use since the last sweep, and removes expired ones. */
  sweep(): Promise<void>;
}

export class ArtifactError extends Error {
  readonly code: 'unreachable' | 'status' | 'digest' | 'incomplete' | 'unsafe' | 'tooLarge' | 'unsupported' | 'address' | 'disk';
  /** True when another attempt may go better. */
  readonly transient: boolean;
  constructor(code: ArtifactError['code'], message: string, options: { transient: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.code = code;
    this.transient = options.transient;
  }
}

/** Empty directories of a run's own (`TROUPE_WORK_DIR`). */
export interface WorkDirs {
  /** `owner`: who it is for, when it is not the agent's own user. */
  make(run: string, owner?: { uid: number; gid: number }): Promise<string>;
  remove(run: string): Promise<void>;
}

/** Finds the program that a command's first word means. */
export interface Programs {
  /**
   * The absolute path of a file inside `directory`, its run bit set; undefined when there is none
   * or the name leads outside.
   */
  inApp(directory: string, name: string): Promise<string | undefined>;
  /**
   * The absolute path of a program: an absolute `name` itself, a bare one searched along `path`
   * (colon-separated); undefined when there is none.
   */
  onPath(name: string, path: string): Promise<string | undefined>;
  /** Whether an absolute path exists, executable or not. */
  exists(path: string): Promise<boolean>;
  /** bash where the host has one, else sh; absolute. */
  shell(): Promise<string>;
}

/** The host's key. The private half is not accessible through this port. */
export interface Identity {
  /** Ed25519, raw 32 bytes, base64url. */
  readonly publicKey: string;
  /** Signature over the UTF-8 bytes of `text`, base64url. */
  sign(text: string): string;
  /**
   * Whether `signature` over `text` was made with the private half of that key of a center. False
   * for an invalid key.
   */
  verify(publicKey: string, text: string, signature: string): boolean;
}
