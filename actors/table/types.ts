/** The allocation table of a pool: which host each shard of its sticky jobs belongs to. */
import type { Cost } from '../pool/types.ts';

/** A host as its pool describes it. */
export interface TableHost {
  id: string;
  name: string;
  /** Its other names: machine name, and the address it dials from. */
  hostname: string;
  address: string;
  total: Cost;
  /** `away`: keeps its rows and gets no new ones. `closed`: gives up its rows. */
  state: 'ready' | 'away' | 'closed';
}

/** What a sticky job asks of the table of its pool. */
export interface Claim {
  job: string;
  /** 24 hex digits: its points are made of it. */
  id: string;
  version: number;
  shards: number;
  /** Cost of one shard on a host that runs nothing else, the app's own share included. */
  need: Cost;
  /** Hosts that may run it, see `pool/admission.ts`. Absent: any of the pool. */
  servers?: string[];
}

/** A job in the table. It has a row while `hosts` names a host for each of its shards. */
export interface TableEntry extends Claim {
  /** The host of each shard, as the job has taken it. */
  hosts: string[] | null;
  /** The latest proposal, until the job has taken it. */
  proposed: string[] | null;
  /** Hosts that give up their rows, as the latest proposal named them. */
  closed: string[];
  /** Why no host takes it; null: one does. */
  reason: string | null;
  /** Number by which rows are ordered. */
  made: number;
}

export interface TableContext {
  pool: string;
  /** +1 with each turn that changes rows. */
  version: number;
  /** Number of the latest proposal. */
  serial: number;
  /** Number of the latest row that was made. */
  made: number;
  /** Shards of all its jobs. */
  shards: number;
  hosts: Record<string, TableHost>;
  /** Ids of the hosts, in the order in which they came: the ring is derived from this list. */
  keys: string[];
  /** The jobs, in buckets by name: a turn copies one bucket, not thousands of rows. */
  buckets: TableEntry[][];
  createdAt: number;
  updatedAt: number;
}
