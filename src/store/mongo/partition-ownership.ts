/**
 * Who steps the actors of a partition. A claim is a compare-and-set of the one document that says
 * so, so that of two who claim at once one has the higher epochs. Whoever finds a partition of his
 * in other hands, be it those of another worker of the same center, commits nothing any more; until
 * he looks, at most a second later, `rev` is what keeps the documents whole: of two writers of one
 * actor one wins, and the other loads it again.
 */
import type { Clock } from '../../lib/clock.ts';
import { type ActorStore, ALL_PARTITIONS, PARTITIONS, StoreUnavailable } from '../port.ts';
import type { Collections } from './connection.ts';
import { asked, asStoreError, DUPLICATE_KEY, refusedWrites } from './errors.ts';
import type { PartitionsRow } from './rows.ts';

const LOOK_EVERY_MS = 1_000;

export interface Claims extends Pick<ActorStore, 'claim'> {
  /**
   * Throws StoreUnavailable when somebody else owns what was claimed here, or, where nothing was
   * and it `must` look, anything that is not the center's own. Looks when the last look is a second
   * old, or when it must.
   */
  check(must?: boolean): Promise<void>;
}

/** `center`: the name by which this center claims, maybe by other stores of the same database. */
export function createClaims({ partitions }: Collections, clock: Clock, center?: string): Claims {
  /** `epochs`: of what was claimed here, by partition. */
  let mine: { owner: string; epochs: Map<number, number> } | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;

  const read = async (): Promise<PartitionsRow> =>
    (await asked(() => partitions.findOne({ _id: 0 }))) ?? {
      _id: 0,
      rev: 0,
      epochs: Array.from({ length: PARTITIONS }, () => 0),
      owners: Array.from({ length: PARTITIONS }, () => null),
    };

  /** False when somebody else was faster. */
  const replace = async ({ _id, rev, ...now }: PartitionsRow): Promise<boolean> => {
    try {
      const update = { filter: { _id, rev }, update: { $set: { rev: rev + 1, ...now } }, upsert: true };
      await partitions.bulkWrite([{ updateOne: update }], { ordered: false });
      return true;
    } catch (error) {
      if (refusedWrites(error)?.refused.every(({ code }) => code === DUPLICATE_KEY)) return false;
      throw asStoreError(error);
    }
  };

  return {
    async claim(owner, { from, to } = ALL_PARTITIONS, raiseBy) {
      const isWanted = (partition: number) => partition >= from && partition <= to;
      for (;;) {
        const { _id, rev, epochs, owners } = await read();
        // A center that was replaced would raise itself above the one that replaced it.
        const taken = raiseBy === undefined ? -1 : owners.findIndex((other, partition) => isWanted(partition) && other !== owner);
        if (taken >= 0) throw takenOver(taken, owners[taken]);
        const next = {
          epochs: epochs.map((epoch, partition) => (isWanted(partition) ? epoch + (raiseBy ?? 1) : epoch)),
          owners: owners.map((other, partition) => (isWanted(partition) ? owner : other)),
        };
        if (!(await replace({ _id, rev, ...next }))) continue;
        if (mine?.owner !== owner) mine = { owner, epochs: new Map() };
        for (let partition = from; partition <= to; partition++) mine.epochs.set(partition, next.epochs[partition] as number);
        lookedAt = clock.monotonic();
        return next.epochs.slice(from, to + 1);
      }
    },

    async check(must = false) {
      if (!mine) {
        if (!must || center === undefined) return;
        const { owners } = await read();
        const lost = owners.findIndex(owner => owner !== center);
        if (lost >= 0) throw takenOver(lost, owners[lost]);
        return;
      }
      if (!must && clock.monotonic() - lookedAt < LOOK_EVERY_MS) return;
      const { owner, epochs: claimed } = mine;
      const at = clock.monotonic();
      const { owners, epochs } = await read();
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
