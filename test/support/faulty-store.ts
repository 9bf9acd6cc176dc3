/**
 * A store in front of a store, with faults by plan: a call fails before or after it was applied,
 * never answers, or answers late.
 */
import { type Store, StoreUnavailable } from '../../src/store/port.ts';

export type Fault =
  /** The call was not applied, and the caller gets the error that the store is away. */
  | 'before'
  /**
   * The call was applied, but the caller gets the error that the store is away: an unknown outcome.
   */
  | 'after'
  /** Nothing was applied and no answer comes. */
  | 'hang'
  /** It is applied, and the answer comes with `answerNow`. */
  | 'late'
  /** The call was not applied; an error of another kind. */
  | 'broken';

export interface StoreCall {
  method: string;
  /** Counts the calls of this method, from 1. */
  nth: number;
  args: unknown[];
}

export interface FaultyStore extends Store {
  readonly calls: StoreCall[];
  /** The fault of each call from now on; undefined lets a call through. */
  plan(fault: (call: StoreCall) => Fault | undefined): void;
  heal(): void;
  /** Lets the late answers go. */
  answerNow(): void;
}

export function createFaultyStore(store: Store): FaultyStore {
  const calls: StoreCall[] = [];
  const counts = new Map<string, number>();
  let faultOf: (call: StoreCall) => Fault | undefined = () => undefined;
  const late: (() => void)[] = [];

  async function carry(method: string, args: unknown[], real: () => Promise<unknown>): Promise<unknown> {
    const nth = (counts.get(method) ?? 0) + 1;
    counts.set(method, nth);
    const call = { method, nth, args };
    calls.push(call);
    switch (faultOf(call)) {
      case undefined:
        return real();
      case 'before':
        throw new StoreUnavailable(`${method} was not taken`);
      case 'after':
        await real();
        throw new StoreUnavailable(`${method} was not answered`);
      case 'hang':
        return new Promise(() => {});
      case 'late': {
        const result = await real();
        await new Promise<void>(resolve => late.push(resolve));
        return result;
      }
      case 'broken':
        throw new Error(`${method} broke`);
    }
  }

  const extra = {
    calls,
    plan(next: typeof faultOf) {
      faultOf = next;
    },
    heal() {
      faultOf = () => undefined;
    },
    answerNow() {
      for (const answer of late.splice(0)) answer();
    },
  };
  return new Proxy(store, {
    get(target, name) {
      if (Object.hasOwn(extra, name)) return Reflect.get(extra, name);
      const real: unknown = Reflect.get(target, name);
      return typeof real === 'function' ? (...args: unknown[]) => carry(String(name), args, () => Reflect.apply(real, target, args)) : real;
    },
  }) as FaultyStore;
}
