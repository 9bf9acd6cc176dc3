/**
 * Simulated time. The next timer fires at its instant, then all promises and `soon` callbacks run,
 * then the next timer. All of it runs in one synchronous call, so the event loop of the process
 * cannot disturb a seed.
 */
import { drainMicrotasks } from 'bun:jsc';
import type { Clock, Disarm } from '../../src/lib/clock.ts';

/** A simulated process. Once it has ended, its timers and ports do nothing. */
export interface Program {
  readonly name: string;
  readonly isAlive: boolean;
  /** Idempotent. */
  end(): void;
  /** Called once, when it ends; at once when it has ended. */
  onEnd(fn: () => void): void;
}

export function startProgram(name: string): Program {
  let isAlive = true;
  let listeners: (() => void)[] = [];
  return {
    name,
    get isAlive() {
      return isAlive;
    },
    end() {
      if (!isAlive) return;
      isAlive = false;
      const last = listeners;
      listeners = [];
      for (const fn of last) fn();
    },
    onEnd(fn) {
      if (isAlive) listeners.push(fn);
      else fn();
    },
  };
}

/** What a port of a dead process answers: nothing, ever. */
export const never = <T>(): Promise<T> => new Promise<T>(() => {});

export interface SimulatedTime {
  /** Simulated ms since the beginning. */
  readonly elapsed: number;
  /** Wall clock, epoch ms. */
  now(): number;
  /** Calls `fn` at `ms` from now, also when the program has ended. */
  after(ms: number, fn: () => void): Disarm;
  /** The clock of one process. */
  clockOf(program: Program): Clock;
  /** Lets time pass until this instant (ms since the start), or until `enough` is true. */
  runUntil(elapsed: number, enough?: () => boolean): void;
}

interface Armed {
  due: number;
  order: number;
  fn: (() => void) | null;
}

/**
 * Instants are whole ticks, so that sums and differences of them are exact: "the rest of the span"
 * must not round to a span that never ends.
 */
const TICKS = 1024;
/**
 * What follows from itself without end is a mistake of the product, and should not stop the
 * simulation from saying so.
 */
const AT_ONCE_MAX = 100_000;

/** `start` is epoch ms. */
export function createSimulatedTime(start: number): SimulatedTime {
  let elapsed = 0;
  let orders = 0;
  const heap: Armed[] = [];
  let soons: (() => void)[] = [];
  let atOnce = 0;

  const now = () => Math.floor(start + elapsed);

  function after(ms: number, fn: () => void): Disarm {
    const one: Armed = { due: Math.ceil((elapsed + Math.max(0, ms)) * TICKS) / TICKS, order: orders++, fn };
    push(heap, one);
    return () => {
      one.fn = null;
    };
  }

  function settle(): void {
    drainMicrotasks();
    for (let rounds = 0; soons.length > 0; rounds++) {
      if (rounds > AT_ONCE_MAX) throw new Error(`time stands still at ${elapsed} ms: something is said "soon" for ever`);
      const batch = soons;
      soons = [];
      for (const fn of batch) {
        fn();
        drainMicrotasks();
      }
    }
  }

  return {
    get elapsed() {
      return elapsed;
    },
    now,
    after,
    clockOf: program => ({
      now,
      monotonic: () => elapsed,
      after: (ms, fn) =>
        after(ms, () => {
          if (program.isAlive) fn();
        }),
      soon(fn) {
        soons.push(() => {
          if (program.isAlive) fn();
        });
      },
    }),
    runUntil(until, enough = () => false) {
      settle();
      for (let next = heap[0]; next && next.due <= until && !enough(); next = heap[0]) {
        pop(heap);
        if (!next.fn) continue;
        atOnce = next.due > elapsed ? 0 : atOnce + 1;
        if (atOnce > AT_ONCE_MAX) throw new Error(`time stands still at ${elapsed} ms: ${AT_ONCE_MAX} timers were due at once`);
        elapsed = next.due;
        next.fn();
        settle();
      }
      if (!enough()) elapsed = Math.max(elapsed, until);
    },
  };
}

const isBefore = (a: Armed, b: Armed): boolean => a.due < b.due || (a.due === b.due && a.order < b.order);

function push(heap: Armed[], one: Armed): void {
  let place = heap.push(one) - 1;
  while (place > 0) {
    const parent = (place - 1) >> 1;
    const above = heap[parent] as Armed;
    if (isBefore(above, one)) break;
    heap[place] = above;
    place = parent;
  }
  heap[place] = one;
}

function pop(heap: Armed[]): void {
  const last = heap.pop();
  if (!last || heap.length === 0) return;
  let place = 0;
  for (;;) {
    let child = place * 2 + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Armed, heap[child] as Armed)) child += 1;
    if (isBefore(last, heap[child] as Armed)) break;
    heap[place] = heap[child] as Armed;
    place = child;
  }
  heap[place] = last;
}
