/** Inserts the rows of a MongoDB collection that are not there yet. */
import { asStoreError, DUPLICATE_KEY, refusedWrites } from './errors.ts';

/** Inserts by `_id`; of equal rows the first. Stored rows stay as they are. Idempotent. */
export async function insertNew<Row extends { _id: string }>(
  insert: (rows: Row[], options: { ordered: false }) => Promise<unknown>,
  rows: Row[],
): Promise<void> {
  // Chosen here: which of two equal rows an unordered insert takes is undefined.
  const first = [...new Map(rows.toReversed().map(row => [row._id, row])).values()].toReversed();
  if (first.length === 0) return;
  try {
    await insert(first, { ordered: false });
  } catch (error) {
    if (!refusedWrites(error)?.refused.every(({ code }) => code === DUPLICATE_KEY)) throw asStoreError(error);
  }
}
