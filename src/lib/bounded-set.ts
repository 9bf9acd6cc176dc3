/**
 * What is remembered for a while and not for ever: sets and maps keep their order, so the oldest
 * come first.
 */
export function keepNewest<K>(remembered: { readonly size: number; keys(): Iterable<K>; delete(key: K): boolean }, max: number): void {
  for (const oldest of remembered.keys()) {
    if (remembered.size <= max) return;
    remembered.delete(oldest);
  }
}
