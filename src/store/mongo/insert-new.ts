/** Inserts the rows of a MongoDB collection that are not there yet. */
import type { EntityName } from '@mikro-orm/core';
import type { Orm } from './connection.ts';
import { asStoreError, DUPLICATE_KEY, refusedWrites, repeated } from './errors.ts';

/** Inserts by `_id`; of equal rows the first. Stored rows stay as they are. Idempotent. */
export async function insertNew<Row extends { _id: string }>(orm: Orm, entity: EntityName<Row>, rows: Row[]): Promise<void> {
  // Not left to the server: an unordered insert may take either of two equal rows.
  const first = [...new Map(rows.toReversed().map(row => [row._id, row])).values()].toReversed();
  if (first.length === 0) return;
  try {
    // Without a condition each row is an insert of one unordered bulk write; `insertMany` is
    // ordered.
    const none = first.map(() => ({})) as never[];
    await repeated(() => orm.driver.nativeUpdateMany(entity, none, first as never[], { upsert: true }));
  } catch (error) {
    if (!refusedWrites(error)?.refused.every(({ code }) => code === DUPLICATE_KEY)) throw asStoreError(error);
  }
}
