/** The jobs of a table, in buckets: read, put and removed without copying all of them. */
import { crc32 } from './ring.ts';
import type { TableContext, TableEntry } from './types.ts';

const BUCKETS = 128;

export const noEntries = (): TableEntry[][] => Array.from({ length: BUCKETS }, () => []);

type Held = Pick<TableContext, 'buckets'>;

const bucketOf = (job: string): number => crc32(job) % BUCKETS;

export const entryOf = ({ buckets }: Held, job: string): TableEntry | undefined => buckets[bucketOf(job)]?.find(each => each.job === job);

export const allEntries = ({ buckets }: Held): TableEntry[] => buckets.flat();

export function putEntry<C extends Held>(context: C, entry: TableEntry): C {
  const place = bucketOf(entry.job);
  const bucket = context.buckets[place] ?? [];
  const known = bucket.some(({ job }) => job === entry.job);
  return {
    ...context,
    buckets: context.buckets.with(place, known ? bucket.map(each => (each.job === entry.job ? entry : each)) : [...bucket, entry]),
  };
}

export function removeEntry<C extends Held>(context: C, job: string): C {
  const place = bucketOf(job);
  return {
    ...context,
    buckets: context.buckets.with(
      place,
      (context.buckets[place] ?? []).filter(each => each.job !== job),
    ),
  };
}

/** Jobs that have a host for each of their shards, in the order in which they got them. */
export const rowsOf = (context: Held): (TableEntry & { hosts: string[] })[] =>
  allEntries(context)
    .flatMap(entry => (entry.hosts === null ? [] : [{ ...entry, hosts: entry.hosts }]))
    .sort((a, b) => a.made - b.made);
