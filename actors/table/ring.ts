/**
 * The ring by which jobs choose among hosts: CRC32-IEEE, 50 points a host. A job goes to the host
 * with the greatest point below its own; below the lowest point it goes to the greatest of all.
 *
 *   0 ----- b ---- a ------- job ---- b ----- 2^32     job -> a; if a is no candidate, -> b
 */

/** Points of each host. */
const POINTS = 50;

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  return sum;
});

const utf8 = new TextEncoder();

/** CRC32-IEEE of the text in UTF-8: 0 <= value < 2^32. */
export function crc32(text: string): number {
  let sum = 0xffffffff;
  for (const byte of utf8.encode(text)) sum = (sum >>> 8) ^ (CRC[(sum ^ byte) & 255] ?? 0);
  return (sum ^ 0xffffffff) >>> 0;
}

/** All points, ascending; of equal points the smaller key is met first by a walk downwards. */
interface Ring {
  points: Uint32Array;
  owners: string[];
}

const rings = new WeakMap<readonly string[], Ring>();

/** The ring of a list of host keys. Derived once per list. */
function ringOf(hosts: readonly string[]): Ring {
  const known = rings.get(hosts);
  if (known) return known;
  const all = hosts.flatMap(host => Array.from({ length: POINTS }, (_, index) => ({ host, point: crc32(`${host}|${index}`) })));
  all.sort((a, b) => a.point - b.point || (a.host < b.host ? 1 : -1));
  const ring = { points: Uint32Array.from(all, ({ point }) => point), owners: all.map(({ host }) => host) };
  rings.set(hosts, ring);
  return ring;
}

/** The name by which a shard has its point: the id of its job, for later shards with the number. */
export const pointName = (id: string, item: number): string => (item === 0 ? id : `${id}#${item}`);

/** The host for the point of `name`; undefined where no host of the list is a candidate. */
export function choose(hosts: readonly string[], name: string, isCandidate: (host: string) => boolean): string | undefined {
  const { points, owners } = ringOf(hosts);
  const count = points.length;
  const below = countBelow(points, crc32(name));
  for (let step = 1; step <= count; step++) {
    const owner = owners[(below - step + count) % count];
    if (owner !== undefined && isCandidate(owner)) return owner;
  }
  return undefined;
}

/** How many of the ascending points are below `point`. */
function countBelow(points: Uint32Array, point: number): number {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((points[middle] ?? 0) < point) low = middle + 1;
    else high = middle;
  }
  return low;
}
