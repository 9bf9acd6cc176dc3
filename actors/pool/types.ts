/** A pool, its ledger of reservations, and the requests that it answers. */
import type { Resources } from '../app/types.ts';
import type { RunName } from '../execution/types.ts';
import type { StartFault } from '../host/types.ts';
import type { Placement } from '../job/types.ts';
import type { NamedHost } from './admission.ts';

export interface PoolConfig {
  name: string;
  /** IANA zone of schedules of its jobs that name none; null: the center's. */
  timeZone: string | null;
  /** Host names, in any case, or IP addresses of its hosts; empty: any. See `admission.ts`. */
  servers: string[];
  description: string;
  /** Mail and http(s) addresses that are notified of its hosts. Absent: none. */
  owners?: string[];
  /** Business groups, kept as they are. Absent: none. */
  groups?: PoolGroup[];
}

interface PoolGroup {
  id: string;
  name: string;
  owners: string[];
}

/**
 * Cost in thousandths (of a core, of a MB): whole numbers, so that a thousand released reservations
 * sum to exactly zero.
 */
export interface Cost {
  cpu: number;
  memory: number;
}

interface Reservation {
  run: RunName;
  cost: Cost;
  app: string | null;
}

/** One host in its pool's ledger. */
export interface LedgerHost extends NamedHost {
  id: string;
  total: Cost;
  /** false: draining, suspect or lost. Its runs continue; new runs are not placed on it. */
  open: boolean;
  /** It has no session and is not lost yet, and did not drain before. */
  away?: true;
  /** It was lost and has not come back. */
  lost?: true;
  /** The servers of the pool do not name it; the same follows as when it is not open. */
  excluded?: true;
  /** By run key. */
  reservations: Record<string, Reservation>;
  /** What each app itself costs here and how many runs of it there are. */
  apps: Record<string, { cost: Cost; runs: number }>;
  /** Sum of all of the above. */
  used: Cost;
  /** It refused a run for a reason of its own and takes no new run. Absent: it did not. */
  refusing?: Refusing;
}

/**
 *   closed --until--> on trial --one execution is placed--> tried --a process began--> (gone)
 *     ^                                                       |
 *     +-------------------- refused again: waits longer ------+
 */
export interface Refusing {
  fault: StartFault;
  reason: string;
  /** Epoch ms of the first refusal in a row. */
  since: number;
  /** Refusals in a row; those of runs that were placed together count once. */
  tries: number;
  /** Epoch ms at which it is tried again; null: with the next execution. */
  until: number | null;
  /** The execution that tries it. */
  trial: string | null;
}

/** A host that refused a run: sent by the execution to its pool. */
export interface HostRefusal {
  host: string;
  fault: StartFault;
  reason: string;
}

export interface ReservationRequest {
  execution: string;
  job: string;
  /** `host`: to which the shard of a sticky job is allocated; it goes nowhere else. */
  runs: { item: number; attempt: number; host?: string }[];
  resources: Resources;
  app: { name: string; resources: Resources } | null;
  partial: boolean;
  placement: Placement;
  /** Hosts that may take its runs; see `admission.ts`. Absent: any. */
  servers?: string[];
}

export interface PlacedRun {
  item: number;
  attempt: number;
  host: string;
}

export interface PoolContext {
  config: PoolConfig;
  /** By host id, in the order in which they joined. */
  hosts: Record<string, LedgerHost>;
  /** Requests that do not fit, oldest first. */
  waiting: { request: ReservationRequest; since: number; reason: string }[];
  /**
   * An unfinished pass over the requests: `from` is the execution where it continues. `again`:
   * capacity has appeared for requests that it has passed.
   */
  pass: { from: string; again: boolean } | null;
  /** It has sent a notice: its notice actor is there. */
  notified?: true;
  /** Idempotency key of the request that created it, if it had one: a repeat finds the actor. */
  claim?: string;
  createdAt: number;
  updatedAt: number;
  /** Names of the users whose requests created it and changed it last. Absent: not known. */
  createdBy?: string;
  updatedBy?: string;
}
