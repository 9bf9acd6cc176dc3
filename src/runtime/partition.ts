/**
 * Which of the 256 fixed slices an actor lives in: by hash of its address; an execution goes with
 * its job, so that they never talk across.
 */
import { PARTITIONS } from '../store/port.ts';

export function partitionOf(address: string): number {
  const slash = address.indexOf('/');
  const kind = address.slice(0, slash);
  const name = address.slice(slash + 1);
  // An execution's id is `<job>@<instant>…`; a job's name holds no `@`.
  const key = kind === 'execution' ? `job/${name.slice(0, name.includes('@') ? name.indexOf('@') : undefined)}` : address;
  // FNV-1a, 32 bit.
  let hash = 0x811c9dc5;
  for (let place = 0; place < key.length; place++) {
    hash ^= key.charCodeAt(place);
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0) % PARTITIONS;
}
