/**
 * Ownership as the store sees it: the records that `cluster/` decides about, and the decisions that
 * a store asks for. Only a database that several centers can reach has such records.
 */
import type { ActorStore } from './port.ts';

/** A process of a machine. */
export interface CenterProcess {
  host: string;
  pid: number;
  /** Process ids are comparable between centers with the same text. */
  machine: string;
}

/** Which center serves from the database. */
export interface CenterLeaseRecord extends CenterProcess {
  /** Drawn at each start, because a host name does not identify a process. */
  owner: string;
  /** +1 with each renewal. */
  beat: number;
}

/** Each call throws StoreUnavailable while the database does not respond. */
export interface LeaseRecords {
  read(): Promise<CenterLeaseRecord | null>;
  /**
   * Replaces `from`, the record as it was read, by one of `owner`; null: no record exists. Returns
   * false, having changed nothing, where another record exists. Idempotent.
   */
  take(from: CenterLeaseRecord | null, owner: string, process: CenterProcess): Promise<boolean>;
  /**
   * Raises the beat. False where the record of `owner` is not there. Throws StoreUnavailable
   * without an answer within `timeoutMs`; then the beat may have been raised.
   */
  renew(owner: string, timeoutMs: number): Promise<boolean>;
  /** Removes the record of `owner`. Idempotent. */
  release(owner: string): Promise<void>;
}

/** One record for all partitions: one write claims many of them. */
export interface OwnershipRecord {
  /** +1 with each change; 0: no partition was claimed yet. */
  rev: number;
  /** By partition. */
  epochs: number[];
  owners: (string | null)[];
}

export interface OwnershipRecords {
  read(): Promise<OwnershipRecord>;
  /** Writes the record with `rev` + 1. Returns false where another `rev` is stored. */
  replace(record: OwnershipRecord): Promise<boolean>;
}

export interface PartitionOwnership extends Pick<ActorStore, 'claim'> {
  /**
   * Throws StoreUnavailable when another owner has a partition that was claimed here. Without a
   * claim it reads only if `must` is set, and throws when another center owns a partition. Reads at
   * most once per second unless `must` is set.
   */
  check(must?: boolean): Promise<void>;
}

export interface CenterLease {
  /** Resolves once this center holds the lease; renews it from then on. Throws a plain error. */
  begin(): Promise<void>;
  /**
   * Throws StoreUnavailable while the lease has lapsed: it was not renewed for so long that another
   * center may take over. Sends nothing.
   */
  check(): void;
  /** Releases the lease, so that the next center need not wait. Idempotent. */
  end(): Promise<void>;
}

/** The deciding parts that a store gets when it opens. */
export interface ClusterRoles {
  ownership(records: OwnershipRecords): PartitionOwnership;
  /**
   * For the process that opens the database for a whole center. `shown`: the database without
   * secrets. `lost` is called once, when another center has taken over.
   */
  lease?(records: LeaseRecords, database: { shown: string; lost(reason: Error): void }): CenterLease;
}
