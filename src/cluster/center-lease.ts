/**
 * One center at a time serves from a database. It raises the beat of one record each second; others
 * watch that record before they take it. A center that cannot renew stops serving before a watcher
 * may take the record, and ends once it finds the record taken.
 *
 *   watching --no record, or its process is gone, or no beat for 4.5 s--> taking --> renewing
 *      ^                                                                    |           |
 *      +-------------------------- another one was faster ------------------+    3.5 s without
 *                                                                           a renewal: lapsed
 *
 * Each side judges by its own monotonic clock: no clocks are compared. `partition-ownership.ts` and
 * the `rev` of every document protect the actors, even from two centers that both serve.
 */
import { type Clock, pause } from '../lib/clock.ts';
import type { CenterLease, CenterLeaseRecord, CenterProcess, LeaseRecords } from '../store/cluster-port.ts';
import { StoreUnavailable } from '../store/port.ts';

const BEAT_MS = 1_000;
/**
 * A renewal without an answer is given up after this long, and sent again on another connection: a
 * half-open one must not use up the lease.
 */
const RENEW_TIMEOUT_MS = 1_500;
const RENEW_AGAIN_MS = 250;
/** Without a renewal for so long the holder stops serving. Room for two tries, below `WATCH_MS`. */
const LAPSE_MS = 3_500;
/**
 * Without a beat for so long a watcher takes the lease. A standby serves within 8 s of a death: its
 * start and one late look are in the rest.
 */
const WATCH_MS = 4_500;
const LOOK_MS = 250;
/** A watcher that did not look for so long may have missed beats. */
const STALLED_MS = 2_000;
/**
 * Then it looks at least this long: after an outage of the database the holder needs up to
 * `RENEW_TIMEOUT_MS` + `RENEW_AGAIN_MS` and a round trip for its next beat.
 */
const WATCH_AGAIN_MS = 2_500;

/** Makes a center wait as a standby. */
export interface Standby {
  /** Called with the center that serves, at first and after each change. */
  waitsFor(active: CenterProcess): void;
  /** Ends the wait. */
  signal?: AbortSignal | undefined;
}

interface Parts {
  records: LeaseRecords;
  clock: Clock;
  owner: string;
  process: CenterProcess;
  /** Whether a process of this machine exists. */
  isAlive(pid: number): boolean;
  /** The database without secrets, for messages. */
  shown: string;
  /** Called once, when another center has taken it. */
  lost(reason: Error): void;
  /** Absent: a database that another center serves is refused. */
  standby?: Standby | undefined;
}

export function createCenterLease({ records, clock, owner, process, isAlive, shown, lost, standby }: Parts): CenterLease {
  let disarm = () => {};
  let ended = false;
  /** Beginning of the last renewal that succeeded; undefined: not taken yet. */
  let renewedAt: number | undefined;

  const isGone = ({ machine, pid }: CenterProcess) => machine === process.machine && (pid === process.pid || !isAlive(pid));
  const refusal = ({ host, pid }: CenterProcess) =>
    new Error(`${shown} is served by another center (process ${pid} on ${host}); stop that one first: there is one center per database`);

  /** Resolves with the record that may be taken; null when there is none. */
  async function free(): Promise<CenterLeaseRecord | null> {
    let seen: CenterLeaseRecord | null = null;
    let lookedAt = clock.monotonic();
    let movedAt = lookedAt;
    for (;;) {
      const now = await records.read();
      if (!now || isGone(now)) return now;
      const at = clock.monotonic();
      if (seen && isOther(now, seen) && !standby) throw refusal(now);
      if (!seen || isOther(now, seen)) movedAt = at;
      else if (at - lookedAt > STALLED_MS) movedAt = Math.max(movedAt, at - WATCH_MS + WATCH_AGAIN_MS);
      if (now.owner !== seen?.owner) standby?.waitsFor(now);
      if (at - movedAt >= WATCH_MS) return now;
      [seen, lookedAt] = [now, at];
      await pause(clock, LOOK_MS, standby?.signal);
      if (standby?.signal?.aborted) throw new Error(`${shown} is served by another center; this standby was stopped while it waited`);
    }
  }

  /** False when another one was faster: a standby waits for that one too. */
  async function take(from: CenterLeaseRecord | null): Promise<boolean> {
    const at = clock.monotonic();
    if (await records.take(from, owner, process)) {
      renewedAt = at;
      return true;
    }
    const now = await records.read();
    if (standby) return false;
    const isTaken = now !== null && now.owner !== owner && (from === null || isOther(now, from));
    throw isTaken ? refusal(now) : new StoreUnavailable(`${shown} was not taken: its record changed meanwhile`);
  }

  function renew(afterMs = BEAT_MS): void {
    if (ended) return;
    disarm = clock.after(afterMs, () => {
      // A database that is away may come back: the renewal is sent again.
      void beat().then(
        () => renew(),
        () => renew(RENEW_AGAIN_MS),
      );
    });
  }

  async function beat(): Promise<void> {
    const at = clock.monotonic();
    if (await records.renew(owner, RENEW_TIMEOUT_MS)) {
      renewedAt = at;
      return;
    }
    if (ended) return;
    const now = await records.read();
    // The answer to its own taking may have come late.
    if (now?.owner === owner || ended) return;
    ended = true;
    lost(
      new Error(
        now
          ? `another center (process ${now.pid} on ${now.host}) has taken over ${shown}`
          : `${shown} was emptied while this center served from it`,
      ),
    );
  }

  return {
    async begin() {
      while (!(await take(await free())));
      renew();
    },
    check() {
      const forMs = renewedAt === undefined ? 0 : clock.monotonic() - renewedAt;
      if (forMs < LAPSE_MS) return;
      throw new StoreUnavailable(
        `this center could not renew its lease of ${shown} for ${Math.round(forMs)} ms and serves nothing until it has: another center may take over`,
      );
    },
    async end() {
      ended = true;
      disarm();
      try {
        await records.release(owner);
      } catch (error) {
        // The next center waits until the lease expires.
        if (!(error instanceof StoreUnavailable)) throw error;
      }
    },
  };
}

const isOther = (a: CenterLeaseRecord, b: CenterLeaseRecord): boolean => a.beat !== b.beat || a.owner !== b.owner;
