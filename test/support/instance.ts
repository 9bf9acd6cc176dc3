/** Instances of one program on one store, each ended as by kill -9. */
import type { Clock } from '../../src/lib/clock.ts';
import { type Store, StoreUnavailable } from '../../src/store/port.ts';

export interface Instance {
  clock: Clock;
  store: Store;
  /**
   * The end: calls under way may still take effect in the store, but return nothing, and no timer
   * fires.
   */
  kill(): void;
}

export function anInstance({ clock, store }: { clock: Clock; store: Store }): Instance {
  let killed = false;
  return {
    clock: {
      now: clock.now,
      monotonic: clock.monotonic,
      after: (ms, fn) => clock.after(ms, () => killed || fn()),
      soon: fn => clock.soon(() => killed || fn()),
    },
    store: new Proxy(store, {
      get(target, name) {
        const real: unknown = Reflect.get(target, name);
        if (typeof real !== 'function') return real;
        return async (...args: unknown[]) => {
          if (killed) return new Promise(() => {});
          const outcome: Promise<unknown> = Reflect.apply(real, target, args);
          const result = await outcome.catch((error: unknown) => error as Error);
          if (killed) return new Promise(() => {});
          if (result instanceof Error || result instanceof StoreUnavailable) throw result;
          return result;
        };
      },
    }),
    kill() {
      killed = true;
    },
  };
}
