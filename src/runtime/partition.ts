/**
 * The partition of an actor, one of 256, by hash of its address. An execution goes with its job, so
 * that their messages stay in one worker.
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
  for (let index = 0; index < key.length; index++) {
    hash ^= key.charCodeAt(index);
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0) % PARTITIONS;
}
