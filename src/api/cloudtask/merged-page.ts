/** One page of two lists as if they were one, without reading what stands before it. */

/** A list of records, newest first, that is read by its positions. */
export interface Ordered<Item> {
  total: number;
  /** The instant of the record with so many before it; undefined beyond the last. */
  instantAt(index: number): Promise<number | undefined>;
  page(offset: number, limit: number): Promise<{ at: number; item: Item }[]>;
}

/** Of equal instants those of `first` come first. */
export async function mergedPage<Item>(
  first: Ordered<Item>,
  second: Ordered<Item>,
  { offset, limit }: { offset: number; limit: number },
): Promise<Item[]> {
  const before = await takenOfFirst(first, second, offset);
  const [firsts, seconds] = await Promise.all([first.page(before, limit), second.page(offset - before, limit)]);
  return [...firsts, ...seconds]
    .sort((a, b) => b.at - a.at)
    .slice(0, limit)
    .map(({ item }) => item);
}

/** How many of the `offset` records before the page are of the first list: by halving. */
async function takenOfFirst<Item>(first: Ordered<Item>, second: Ordered<Item>, offset: number): Promise<number> {
  let low = Math.max(0, Math.min(first.total, offset - second.total));
  let high = Math.min(first.total, offset);
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [next, last] = await Promise.all([first.instantAt(middle), second.instantAt(offset - middle - 1)]);
    // The last of the second list belongs behind the next of the first: too few of the first.
    if (next !== undefined && (last === undefined || last <= next)) low = middle + 1;
    else high = middle;
  }
  return low;
}
