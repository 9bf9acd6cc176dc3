/** Which of the unused things on a disk are removed: by age, and by the bytes of all of them. */

interface Kept {
  bytes: number;
  /** Epoch ms. */
  usedAt: number;
}

interface Expiry<T> {
  /** Of all of them; beyond, the least recently used leave first. */
  bytesMax: number;
  /** Age of an unused one. */
  unusedMs: number;
  /** One this fresh stays: its use may be about to be registered. 0: none. */
  freshMs: number;
  /** It is in use, and stays. */
  isBusy(name: string): boolean;
  /** Nothing will use it again. */
  isOver(name: string, one: T): boolean;
}

/** Names to remove, the least recently used first. */
export function expiredOf<T extends Kept>(all: Iterable<[name: string, one: T]>, now: number, rule: Expiry<T>): string[] {
  const entries = [...all];
  let bytes = entries.reduce((sum, [, one]) => sum + one.bytes, 0);
  const expired: string[] = [];
  for (const [name, one] of entries.sort(([, a], [, b]) => a.usedAt - b.usedAt)) {
    const age = now - one.usedAt;
    const mayStay = bytes <= rule.bytesMax && age <= rule.unusedMs && !rule.isOver(name, one);
    if (mayStay || age < rule.freshMs || rule.isBusy(name)) continue;
    bytes -= one.bytes;
    expired.push(name);
  }
  return expired;
}
