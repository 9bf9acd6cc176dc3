/**
 * Keeps late writes out. After an unknown outcome a read is not enough: the write may still arrive
 * behind it. So the next read of that actor first writes a new fence into its document, and each
 * commit names the fence that was last read:
 *
 *   commit   {_id, rev: n, fence: null}   no answer: outcome unknown
 *   load     fence := f, then read        what is read is durable; the commit above cannot land
 *   commit   {_id, rev: n, fence: f}      fence := null
 *
 * For an actor that does not exist the document has only the fence (rev 0): a late insert of the
 * actor is a duplicate key.
 */
import type { Clock } from '../../lib/clock.ts';
import { managerOf, type Orm } from './connection.ts';
import { ActorRecord } from './entities.ts';
import { asked } from './errors.ts';
import type { ActorRow } from './rows.ts';
import { upsert } from './upsert.ts';

/** A write of a former owner may arrive this long after a claim; at least `4 * timeoutMs`. */
const FORMER_OWNER_MS = 15_000;

export interface WriteFencing {
  /** Writes of these actors have an unknown outcome. */
  raise(addresses: string[]): void;
  /**
   * The partitions have a new owner: for some seconds writes of the former one may still arrive.
   */
  raiseAll(): void;
  /** Reads the document. No older write can replace it any more. */
  read(address: string): Promise<ActorRow | null>;
  /** The fence that the next commit of this actor must name. */
  fenceOf(address: string): string | null;
  /** Its commit is durable, and removed the fence. */
  committed(address: string): void;
}

export function createWriteFencing(
  orm: Orm,
  { drawId, clock, timeoutMs }: { drawId(): string; clock: Clock; timeoutMs: number },
): WriteFencing {
  const doubtful = new Set<string>();
  let allUntil = Number.NEGATIVE_INFINITY;
  /** Fences that were last read and are not null, by actor. */
  const fences = new Map<string, string>();

  return {
    raise(addresses) {
      for (const address of addresses) doubtful.add(address);
    },
    raiseAll() {
      allUntil = clock.monotonic() + Math.max(FORMER_OWNER_MS, 4 * timeoutMs);
    },
    async read(address) {
      if (doubtful.has(address) || clock.monotonic() < allUntil) {
        const fence = { fence: drawId(), $setOnInsert: { rev: 0 } };
        await upsert(orm, ActorRecord, address, fence);
        doubtful.delete(address);
      }
      const row = await asked(() => managerOf(orm).findOne(ActorRecord, { _id: address }));
      if (row?.fence) fences.set(address, row.fence);
      else fences.delete(address);
      return row;
    },
    fenceOf: address => fences.get(address) ?? null,
    committed(address) {
      fences.delete(address);
    },
  };
}
