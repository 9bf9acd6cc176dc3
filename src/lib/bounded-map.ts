/**
 * Maps and sets that keep their newest entries: at the limit the oldest is removed. An entry that
 * is set again is the newest.
 */

/** `max`: largest sum of the weights; the newest entry stays even if it weighs more by itself. */
export interface BoundedMapOptions<V> {
  max: number;
  /** Of a value, which must not change it while it is in the map. Default: 1 each. */
  weightOf?: (value: V) => number;
}

class NewestMap<K, V> extends Map<K, V> {
  readonly #max: number;
  readonly #weightOf: (value: V) => number;
  #weight = 0;

  constructor({ max, weightOf = () => 1 }: BoundedMapOptions<V>) {
    super();
    this.#max = max;
    this.#weightOf = weightOf;
  }

  override set(key: K, value: V): this {
    this.delete(key);
    super.set(key, value);
    this.#weight += this.#weightOf(value);
    for (const oldest of this.keys()) {
      if (this.#weight <= this.#max || this.size === 1) break;
      this.delete(oldest);
    }
    return this;
  }

  override delete(key: K): boolean {
    if (!this.has(key)) return false;
    this.#weight -= this.#weightOf(this.get(key) as V);
    return super.delete(key);
  }

  override clear(): void {
    super.clear();
    this.#weight = 0;
  }
}

export const createBoundedMap = <K, V>(options: BoundedMapOptions<V>): Map<K, V> => new NewestMap(options);

class NewestSet<T> extends Set<T> {
  readonly #max: number;

  constructor(max: number) {
    super();
    this.#max = max;
  }

  override add(value: T): this {
    this.delete(value);
    super.add(value);
    keepNewest(this, this.#max);
    return this;
  }
}

/** `max`: most values. */
export const createBoundedSet = <T>(max: number): Set<T> => new NewestSet(max);

/** Removes the oldest entries beyond `max`: for a map or set whose limit holds at some moments. */
export function keepNewest<K>(entries: { readonly size: number; keys(): Iterable<K>; delete(key: K): boolean }, max: number): void {
  for (const oldest of entries.keys()) {
    if (entries.size <= max) return;
    entries.delete(oldest);
  }
}
