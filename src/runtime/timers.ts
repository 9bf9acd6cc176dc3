/**
 * When which actor's earliest timer is due. The truth is in the documents; here is only what is due
 * within the horizon, looked up again now and then, in a heap. Nothing sleeps longer than a nap, so
 * a jump of the wall clock is noticed within it.
 *
 * What is long overdue has waited for a center, often with a hundred thousand others: it is caught
 * up on a few at a time, so that what is due now finds its place between them.
 */
import type { Clock, Disarm } from '../lib/clock.ts';
import type { ActorStore } from '../store/port.ts';
import { LIMITS } from './limits.ts';

type Entry = { address: string; dueAt: number };

export interface Timers {
  /** The actor's earliest timer is due then (null: it has none). The last word counts. */
  set(address: string, dueAt: number | null): void;
  /** Looks up the store and begins to fire. Started again it looks at once. */
  start(): void;
  stop(): void;
  readonly size: number;
  /** The instant this actor is armed for, epoch ms; null: none. */
  of(address: string): number | null;
  /** Everything due up to here is in memory, epoch ms. */
  readonly horizon: number;
  /**
   * Overdue timers wait for their turn, a jump of the clock is being dealt with, or the store has
   * not said yet what is due.
   */
  readonly isCatchingUp: boolean;
}

export function createTimers({
  store,
  clock,
  fire: give,
  fired = () => {},
  jumped,
  failed,
}: {
  store: Pick<ActorStore, 'due'>;
  clock: Clock;
  /** Resolves once the actor has dealt with it, or cannot. Never rejects. */
  fire(address: string): Promise<void>;
  /** Called with each: how late it was. */
  fired?(lateMs: number): void;
  /**
   * The wall clock was set `byMs` ahead (or back, when negative). Nothing fires until it resolves,
   * and it is asked again when it rejects; the same jump is then told anew.
   */
  jumped(byMs: number): Promise<void>;
  failed(error: unknown): void;
}): Timers {
  const fire = (address: string, dueAt: number) => {
    fired(clock.now() - dueAt);
    return give(address);
  };
  const dueOf = new Map<string, number>();
  const heap: Entry[] = [];
  /** Overdue, in the order of their instants, from `caughtUp` on. */
  let late: Entry[] = [];
  let caughtUp = 0;
  let catching = 0;
  let horizon: number = Number.MIN_SAFE_INTEGER;
  let disarm: Disarm | null = null;
  let running = false;
  let looking = false;
  /** The last look failed. */
  let isAway = false;
  /**
   * Both clocks as they were at the last pass: how far the one has moved without the other is how
   * far it was set.
   */
  let seen = { now: clock.now(), monotonic: clock.monotonic() };
  let holding = false;

  function set(address: string, dueAt: number | null): void {
    if (dueAt === null || dueAt > Math.max(horizon, clock.now() + LIMITS.horizonMs)) {
      dueOf.delete(address);
      return;
    }
    if (dueOf.get(address) === dueAt) return;
    dueOf.set(address, dueAt);
    push(heap, { address, dueAt });
    nap();
  }

  function nap(): void {
    if (!running || holding) return;
    disarm?.();
    const earliest = heap[0]?.dueAt ?? Number.POSITIVE_INFINITY;
    disarm = clock.after(Math.min(LIMITS.napMs, Math.max(0, earliest - clock.now())), pass);
  }

  /**
   * One look: everything due now fires, what is overdue in its turn; entries that were replaced
   * meanwhile are passed over.
   */
  function pass(): void {
    const now = clock.now();
    const byMs = now - seen.now - (clock.monotonic() - seen.monotonic);
    seen = { now, monotonic: clock.monotonic() };
    if (Math.abs(byMs) >= LIMITS.clockJumpMs) return void tellJump(byMs);
    for (let top = heap[0]; top && top.dueAt <= now; top = heap[0]) {
      pop(heap);
      if (dueOf.get(top.address) !== top.dueAt) continue;
      if (top.dueAt < now - LIMITS.overdueMs) late.push(top);
      else {
        dueOf.delete(top.address);
        void fire(top.address, top.dueAt);
      }
    }
    catchUp();
    if (now + LIMITS.horizonMs / 2 > horizon && !looking) void lookUp(now + LIMITS.horizonMs);
    nap();
  }

  function catchUp(): void {
    while (running && catching < LIMITS.overdueAtOnce && caughtUp < late.length) {
      const { address, dueAt } = late[caughtUp] as Entry;
      caughtUp += 1;
      if (dueOf.get(address) !== dueAt) continue;
      dueOf.delete(address);
      catching += 1;
      void fire(address, dueAt).then(() => {
        catching -= 1;
        catchUp();
      });
    }
    if (caughtUp < late.length) return;
    late = [];
    caughtUp = 0;
  }

  async function tellJump(byMs: number): Promise<void> {
    holding = true;
    while (running) {
      try {
        await jumped(byMs);
        break;
      } catch (error) {
        failed(error);
        await new Promise<void>(resolve => clock.after(LIMITS.napMs, resolve));
      }
    }
    holding = false;
    if (running) pass();
  }

  async function lookUp(until: number): Promise<void> {
    looking = true;
    try {
      let after: { nextDue: number; address: string } | undefined;
      for (;;) {
        const page = await store.due({ until, limit: 1000, ...(after ? { after } : {}) });
        for (const { address, nextDue } of page) {
          // What was set in the meantime is newer than this page.
          if (dueOf.has(address)) continue;
          dueOf.set(address, nextDue);
          push(heap, { address, dueAt: nextDue });
        }
        after = page.at(-1);
        if (page.length < 1000 || !running) break;
      }
      horizon = until;
      isAway = false;
    } catch (error) {
      isAway = true;
      failed(error);
    } finally {
      looking = false;
      nap();
    }
  }

  return {
    set,
    start() {
      if (running && holding) return;
      if (!running) seen = { now: clock.now(), monotonic: clock.monotonic() };
      running = true;
      pass();
    },
    stop() {
      running = false;
      disarm?.();
    },
    get size() {
      return dueOf.size;
    },
    of: address => dueOf.get(address) ?? null,
    get horizon() {
      return horizon;
    },
    get isCatchingUp() {
      const isUnknown = horizon < clock.now() && (looking || isAway);
      return !running || holding || catching > 0 || caughtUp < late.length || isUnknown;
    },
  };
}

function push(heap: Entry[], entry: Entry): void {
  let place = heap.push(entry) - 1;
  while (place > 0) {
    const parent = (place - 1) >> 1;
    const above = heap[parent] as Entry;
    if (above.dueAt <= entry.dueAt) break;
    heap[place] = above;
    place = parent;
  }
  heap[place] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (!last || heap.length === 0) return;
  let place = 0;
  for (;;) {
    let child = place * 2 + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && (heap[child + 1] as Entry).dueAt < (heap[child] as Entry).dueAt) child += 1;
    if ((heap[child] as Entry).dueAt >= last.dueAt) break;
    heap[place] = heap[child] as Entry;
    place = child;
  }
  heap[place] = last;
}
