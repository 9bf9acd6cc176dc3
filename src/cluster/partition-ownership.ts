/**
 * Decides which worker steps the actors of a partition. A claim is a compare-and-set of one record:
 * of two concurrent claims one gets the higher epochs. A worker that finds one of its partitions
 * owned by another worker commits nothing any more. It checks at most a second later; until then
 * `rev` protects the documents: of two writers of one actor one wins, and the other loads it again.
 */
import type { Clock } from '../lib/clock.ts';
import type { OwnershipRecords, PartitionOwnership } from '../store/cluster-port.ts';
import { ALL_PARTITIONS, StoreUnavailable } from '../store/port.ts';

const LOOK_EVERY_MS = 1_000;

/** `center`: the name by which this center claims, from other stores of the database too. */
export function createPartitionOwnership({
  records,
  clock,
  center,
}: {
  records: OwnershipRecords;
  clock: Clock;
  center?: string | undefined;
}): PartitionOwnership {
  /** `epochs`: by claimed partition. */
  let mine: { owner: string; epochs: Map<number, number> } | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;

  return {
    async claim(owner, { from, to } = ALL_PARTITIONS, raiseBy) {
      const isWanted = (partition: number) => partition >= from && partition <= to;
      for (;;) {
        const { rev, epochs, owners } = await records.read();
        // Else a replaced center would raise its epochs above those of its successor.
        const taken = raiseBy === undefined ? -1 : owners.findIndex((other, partition) => isWanted(partition) && other !== owner);
        if (taken >= 0) throw takenOver(taken, owners[taken]);
        const next = {
          epochs: epochs.map((epoch, partition) => (isWanted(partition) ? epoch + (raiseBy ?? 1) : epoch)),
          owners: owners.map((other, partition) => (isWanted(partition) ? owner : other)),
        };
        if (!(await records.replace({ rev, ...next }))) continue;
        if (mine?.owner !== owner) mine = { owner, epochs: new Map() };
        for (let partition = from; partition <= to; partition++) mine.epochs.set(partition, next.epochs[partition] as number);
        lookedAt = clock.monotonic();
        return next.epochs.slice(from, to + 1);
      }
    },

    async check(must = false) {
      if (!mine) {
        if (!must || center === undefined) return;
        const { owners } = await records.read();
        const lost = owners.findIndex(owner => owner !== center);
        if (lost >= 0) throw takenOver(lost, owners[lost]);
        return;
      }
      if (!must && clock.monotonic() - lookedAt < LOOK_EVERY_MS) return;
      const { owner, epochs: claimed } = mine;
      const at = clock.monotonic();
      const { owners, epochs } = await records.read();
      const [lost] = [...claimed].find(([partition, epoch]) => epochs[partition] !== epoch) ?? [];
      if (lost !== undefined) {
        if (owners[lost] !== owner) throw takenOver(lost, owners[lost]);
        throw new StoreUnavailable(`partition ${lost} has a newer owner in this center`);
      }
      lookedAt = at;
    },
  };
}

const takenOver = (partition: number, owner: string | null | undefined) =>
  new StoreUnavailable(`another center has taken over this database (partition ${partition} is owned by "${owner}")`);
