/** An app as operators configure it, as its jobs know it, and what its actor keeps. */

export interface Resources {
  /** Parts of a core; 0.001 is the smallest step. */
  cpus: number;
  memoryMB: number;
}

/** The API has checked it and filled in every default. */
export interface AppConfig {
  name: string;
  url: string;
  sha256: string | null;
  command: string | string[];
  /** What the app itself takes on a host, once per host for any number of shards. */
  resources: Resources;
  cache: boolean;
  traceEvery: number;
  description: string;
}

/** An app as its jobs know it. `version` grows with each edit. */
export interface KnownApp {
  config: AppConfig;
  version: number;
  enabled: boolean;
}

export interface AppContext {
  config: AppConfig;
  version: number;
  /** Names of the jobs that use it, sorted. */
  jobs: string[];
  /** Idempotency key of the request that created it, if it had one: a repeat finds the actor. */
  claim?: string;
  createdAt: number;
  updatedAt: number;
}
