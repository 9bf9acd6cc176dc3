/**
 * After an unknown outcome a read is not enough: a write that is still on its way may land behind
 * it. So the read of an actor in doubt first writes a new fence into its document, and each commit
 * names the fence that was last read there:
 *
 *   commit   {_id, rev: n, fence: null}   no answer: in doubt
 *   load     fence := f, then read        what is read is durable; the commit above cannot land
 *   commit   {_id, rev: n, fence: f}      fence := null
 *
 * Of an actor that is not there yet the fence is all there is (rev 0), so that a late birth finds
 * it in the way.
 */
import type { Clock } from '../../lib/clock.ts';
import { managerOf, type Orm } from './connection.ts';
import { ActorRecord } from './entities.ts';
import { asked } from './errors.ts';
import type { ActorRow } from './rows.ts';
import { upsert } from './upsert.ts';

/**
 * A write of a former owner may be on its way this long after a claim, and at least twice as long
 * as a driver waits for an answer.
 */
const FORMER_OWNER_MS = 15_000;

export interface WriteFencing {
  /** These may have been written, or may yet be. */
  raise(addresses: string[]): void;
  /**
   * The partitions changed hands: whatever is read within the next seconds may have been written by
   * their former owner, or may yet be.
   */
  raiseAll(): void;
  /** The document as it stands, after which nothing older can take its place. */
  read(address: string): Promise<ActorRow | null>;
  /** What the next commit of this actor names. */
  fenceOf(address: string): string | null;
  /** Its commit stands: there is no fence any more. */
  committed(address: string): void;
}

export function createWriteFencing(
  orm: Orm,
  { drawId, clock, timeoutMs }: { drawId(): string; clock: Clock; timeoutMs: number },
): WriteFencing {
  const doubtful = new Set<string>();
  let allUntil = Number.NEGATIVE_INFINITY;
  /** Those last read as other than null. */
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
