/**
 * Who owns what, as the store sees it: the records that `cluster/` decides over, and what a store
 * asks of those decisions. Only a database that several centers can reach has such records.
 */
import type { ActorStore } from './port.ts';

/** A process of some machine. */
export interface CenterProcess {
  host: string;
  pid: number;
  /** Process numbers mean the same to all who have the same text. */
  machine: string;
}

/** Which center serves from the database. */
export interface CenterLeaseRecord extends CenterProcess {
  /** Drawn anew at each start: a host name is no identity. */
  owner: string;
  /** +1 with each renewal. */
  beat: number;
}

/** Each call throws StoreUnavailable while the database does not answer. */
export interface LeaseRecords {
  read(): Promise<CenterLeaseRecord | null>;
  /**
   * Writes the record of `owner` in place of `from`, as that was read; null: where there is none.
   * False, having changed nothing, where another record is in the way. Idempotent.
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

/** One record for all partitions, so that many of them are claimed in one write. */
export interface OwnershipRecord {
  /** +1 with each change; 0: nobody has claimed anything yet. */
  rev: number;
  /** By partition. */
  epochs: number[];
  owners: (string | null)[];
}

export interface OwnershipRecords {
  read(): Promise<OwnershipRecord>;
  /** Writes it with `rev` + 1. False where the stored `rev` is another: somebody was faster. */
  replace(record: OwnershipRecord): Promise<boolean>;
}

export interface PartitionOwnership extends Pick<ActorStore, 'claim'> {
  /**
   * Throws StoreUnavailable when somebody else owns what was claimed here, or, where nothing was
   * and it `must` look, anything that is not the center's own. Looks when the last look is a second
   * old, or when it must.
   */
  check(must?: boolean): Promise<void>;
}

export interface CenterLease {
  /** Resolves once this center has the database, and renews from then on. Throws a plain error. */
  begin(): Promise<void>;
  /**
   * Throws StoreUnavailable while the lease has lapsed: it was not renewed for so long that another
   * center may take over. Sends nothing.
   */
  check(): void;
  /** Releases it, so that the next one need not wait. Idempotent. */
  end(): Promise<void>;
}

/** What decides, given to a store that opens. */
export interface ClusterRoles {
  ownership(records: OwnershipRecords): PartitionOwnership;
  /**
   * Of whoever opens the database for a whole center. `shown`: the database without secrets;
   * `lost` is called once, when another center has taken over.
   */
  lease?(records: LeaseRecords, database: { shown: string; lost(reason: Error): void }): CenterLease;
}
