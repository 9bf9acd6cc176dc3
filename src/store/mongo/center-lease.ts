/**
 * One center at a time. The one that serves renews a document each second, and who wants to start
 * watches it first: while it moves somebody lives there, and the newcomer is refused. It is taken
 * from who does not move it any more, and who finds it taken ends.
 *
 * This is for the operator, who hears at once that a second center was started, or that his was
 * replaced. What keeps the actors whole even of two who both believe that they serve is in
 * `claims.ts` and in the `rev` of every document. Judged by the watcher's own monotonic clock: no
 * clocks are compared.
 */
import { type Clock, pause } from '../../lib/clock.ts';
import { StoreUnavailable } from '../port.ts';
import type { Collections } from './connection.ts';
import { asked, asStoreError, DUPLICATE_KEY } from './errors.ts';

const BEAT_MS = 1_000;
/** Longer than a living center goes without a beat, even after its server was away. */
const WATCH_MS = 5_000;
const LOOK_MS = 250;

/** A process of some machine. */
export interface Holder {
  host: string;
  pid: number;
  /** Where `pid` is a process: two texts alike, and whoever asks can see whether it is there. */
  machine: string;
}

interface Row extends Holder {
  _id: 'center';
  /** Counts the beats. */
  value: number;
  owner: string;
}

export interface Reign {
  /** Throws a plain error while another center lives there. Begins to renew. */
  begin(): Promise<void>;
  /** Lets go, so that the next one need not watch. */
  end(): Promise<void>;
}

interface Parts {
  meta: Collections['meta'];
  clock: Clock;
  owner: string;
  holder: Holder;
  /** Whether a process of the holder's own machine is there. */
  isAlive(pid: number): boolean;
  /** The database as it may be shown. */
  shown: string;
  /** Called once, when it was taken away. */
  lost(reason: Error): void;
}

export function createReign({ meta, clock, owner, holder, isAlive, shown, lost }: Parts): Reign {
  const rows = meta as unknown as {
    findOne(filter: Partial<Row>): Promise<Row | null>;
    updateOne(filter: object, update: object, options?: { upsert: true }): Promise<{ matchedCount: number }>;
    deleteOne(filter: Partial<Row>): Promise<unknown>;
  };
  let disarm = () => {};
  let ended = false;

  const read = () => asked(() => rows.findOne({ _id: 'center' }));
  const isGone = ({ machine, pid }: Row) => machine === holder.machine && (pid === holder.pid || !isAlive(pid));
  const refusal = ({ host, pid }: Holder) =>
    new Error(`${shown} is served by another center (process ${pid} on ${host}); stop that one first: there is one center per database`);

  /** Who has it, and does not move any more; null when nobody has. */
  async function watched(): Promise<Row | null> {
    const first = await read();
    const until = clock.monotonic() + WATCH_MS;
    while (first && !isGone(first) && clock.monotonic() < until) {
      await pause(clock, LOOK_MS);
      const now = await read();
      if (!now) return null;
      if (now.value !== first.value || now.owner !== first.owner) throw refusal(now);
    }
    return first;
  }

  async function take(from: Row | null): Promise<void> {
    const still = from === null ? { owner } : { owner: from.owner, value: from.value };
    try {
      const update = { $set: { owner, ...holder }, $inc: { value: 1 } };
      await rows.updateOne({ _id: 'center', ...still }, update, { upsert: true });
    } catch (error) {
      if ((error as { code?: unknown }).code !== DUPLICATE_KEY) throw asStoreError(error);
      const now = await read();
      const isOther = now !== null && now.owner !== owner && (now.owner !== from?.owner || now.value !== from.value);
      throw isOther ? refusal(now) : new StoreUnavailable(`${shown} was not taken: ${(error as Error).message}`, { cause: error });
    }
  }

  function renew(): void {
    if (ended) return;
    disarm = clock.after(BEAT_MS, () => {
      // Away is not lost: it is asked again.
      void beat().then(renew, renew);
    });
  }

  async function beat(): Promise<void> {
    const { matchedCount } = await rows.updateOne({ _id: 'center', owner }, { $inc: { value: 1 } });
    if (matchedCount > 0 || ended) return;
    const now = await read();
    // The answer to its own birth may have come late.
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
      await take(await watched());
      renew();
    },
    async end() {
      ended = true;
      disarm();
      try {
        await asked(() => rows.deleteOne({ _id: 'center', owner }));
      } catch (error) {
        // Then the next one watches.
        if (!(error instanceof StoreUnavailable)) throw error;
      }
    },
  };
}
