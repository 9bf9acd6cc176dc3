/** A synchronous part of a store, and the same part with promises. */
export type Sync<T> = { [K in keyof T]: T[K] extends (...args: infer A) => Promise<infer R> ? (...args: A) => R : T[K] };

/** An error that `work` throws becomes a rejection. */
export function promised<T extends object>(work: Sync<T>): T {
  const functions = Object.entries(work as Record<string, (...args: unknown[]) => unknown>);
  return Object.fromEntries(functions.map(([name, call]) => [name, async (...args: unknown[]) => call(...args)])) as T;
}
