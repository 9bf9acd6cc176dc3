/**
 * One center at a time serves from a database. It raises the beat of one record each second, and
 * whoever wants to serve watches that record first: while the beat rises somebody lives there. A
 * newcomer is refused, or waits as a standby. The record is taken from whoever does not raise it
 * any more, and a center that finds its record taken ends.
 *
 *   watching --no record, or its process is gone, or no beat for 5 s--> taking --> renewing
 *      ^                                                                  |
 *      +------------------------- somebody was faster --------------------+
 *
 * What keeps the actors whole even of two centers that both believe that they serve is in
 * `partition-ownership.ts` and in the `rev` of every document. Judged by the watcher's own
 * monotonic clock, and only while it could see: no clocks are compared.
 */
import { type Clock, pause } from '../lib/clock.ts';
import type { CenterLease, CenterLeaseRecord, CenterProcess, LeaseRecords } from '../store/cluster-port.ts';
import { StoreUnavailable } from '../store/port.ts';

const BEAT_MS = 1_000;
/** Longer than a living center goes without a beat, even after its server was away. */
const WATCH_MS = 5_000;
const LOOK_MS = 250;
/** A watcher that did not look for so long has seen nothing meanwhile, and counts anew. */
const STALLED_MS = 2_000;

/** What a standby is asked to do. */
export interface Standby {
  /** Called with the center that serves, at first and whenever it is another one. */
  waitsFor(active: CenterProcess): void;
  /** Ends the wait. */
  signal?: AbortSignal | undefined;
}

interface Parts {
  records: LeaseRecords;
  clock: Clock;
  owner: string;
  process: CenterProcess;
  /** Whether a process of this machine is there. */
  isAlive(pid: number): boolean;
  /** The database as it may be shown. */
  shown: string;
  /** Called once, when it was taken away. */
  lost(reason: Error): void;
  /** Absent: a database that another center serves is refused. */
  standby?: Standby | undefined;
}

export function createCenterLease({ records, clock, owner, process, isAlive, shown, lost, standby }: Parts): CenterLease {
  let disarm = () => {};
  let ended = false;

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
      if (!seen || isOther(now, seen) || at - lookedAt > STALLED_MS) movedAt = at;
      if (now.owner !== seen?.owner) standby?.waitsFor(now);
      if (at - movedAt >= WATCH_MS) return now;
      [seen, lookedAt] = [now, at];
      await pause(clock, LOOK_MS, standby?.signal);
      if (standby?.signal?.aborted) throw new Error(`${shown} is served by another center; this standby was stopped while it waited`);
    }
  }

  /** False when somebody was faster, which a standby waits for like for any other. */
  async function take(from: CenterLeaseRecord | null): Promise<boolean> {
    if (await records.take(from, owner, process)) return true;
    const now = await records.read();
    if (standby) return false;
    const isTaken = now !== null && now.owner !== owner && (from === null || isOther(now, from));
    throw isTaken ? refusal(now) : new StoreUnavailable(`${shown} was not taken: its record changed meanwhile`);
  }

  function renew(): void {
    if (ended) return;
    disarm = clock.after(BEAT_MS, () => {
      // Away is not lost: it is asked again.
      void beat().then(renew, renew);
    });
  }

  async function beat(): Promise<void> {
    if ((await records.renew(owner)) || ended) return;
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
    async end() {
      ended = true;
      disarm();
      try {
        await records.release(owner);
      } catch (error) {
        // Then the next one watches.
        if (!(error instanceof StoreUnavailable)) throw error;
      }
    },
  };
}

const isOther = (a: CenterLeaseRecord, b: CenterLeaseRecord): boolean => a.beat !== b.beat || a.owner !== b.owner;
