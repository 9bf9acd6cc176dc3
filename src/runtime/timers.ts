/**
 * Fires the timers of actors. The documents are authoritative; the heap holds only timers due
 * within the horizon, and is refilled from the store. No sleep is longer than `napMs`, so that a
 * jump of the wall clock is detected within it.
 *
 * Long overdue timers waited for a center, often a hundred thousand of them. They fire a few at a
 * time, so that timers due now fire between them.
 */
import type { Clock, Disarm } from '../lib/clock.ts';
import type { ActorStore } from '../store/port.ts';
import { LIMITS } from './limits.ts';

type Entry = { address: string; dueAt: number };

export interface Timers {
  /** The actor's earliest timer is due then (null: it has none). The last call counts. */
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
   * Overdue timers wait for their turn, a jump of the clock is being handled, or the store has not
   * answered yet.
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
  /** Resolves once the actor has handled it, or cannot. Never rejects. */
  fire(address: string): Promise<void>;
  /** Called with each: how late it was. */
  fired?(lateMs: number): void;
  /**
   * The wall clock was set `byMs` ahead (or back, when negative). Nothing fires until it resolves.
   * When it rejects it is called again with the same jump.
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
   * Both clocks as they were at the last pass: the difference of their progress is how far the wall
   * clock was set.
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
   * One pass: fires every due timer, overdue ones in their turn, and skips entries that were
   * replaced meanwhile.
   */
  function pass(): void {
    const now = clock.now();
    const byMs = now - seen.now - (clock.monotonic() - seen.monotonic);
    seen = { now, monotonic: clock.monotonic() };
    if (Math.abs(byMs) >= LIMITS.clockJumpMs) return void reportJump(byMs);
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

  async function reportJump(byMs: number): Promise<void> {
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
          // A timer set in the meantime is newer than this page.
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
  let index = heap.push(entry) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent] as Entry;
    if (above.dueAt <= entry.dueAt) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (!last || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = index * 2 + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && (heap[child + 1] as Entry).dueAt < (heap[child] as Entry).dueAt) child += 1;
    if ((heap[child] as Entry).dueAt >= last.dueAt) break;
    heap[index] = heap[child] as Entry;
    index = child;
  }
  heap[index] = last;
}
