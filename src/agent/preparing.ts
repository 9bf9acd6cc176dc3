/** From a durable start to the keeper: counted, fetched, found, handed over; given up as soon as nobody wants it any more. */
import type { Clock } from '../clock.ts';
import { type Ending, stoppedAs } from './endings.ts';
import { createGate } from './gate.ts';
import { cannotWrite, type Journal } from './journal.ts';
import type { KeptRun } from './keeper/protocol.ts';
import type { Keeping } from './keeping.ts';
import { makeOrder, type OrderParts } from './order.ts';

/** A run that has not ended, as far as only memory knows. */
export interface Live {
  abort: AbortController;
  /** Found in the journal, nobody knows yet whether the keeper has it; waiting for a place at the gate; fetching; the keeper has it. */
  phase: 'resumed' | 'queued' | 'preparing' | 'kept';
}

export interface PreparingParts extends OrderParts {
  clock: Clock;
  journal: Journal;
  keeping: Keeping;
  /** The agent stops. */
  signal: AbortSignal;
  /** It ends here, the keeper never had it. */
  finish(key: string, ending: Ending): Promise<void>;
  heard(kept: KeptRun): void;
}

/** `begin` takes a run to the keeper or to its end, in the background. Once per life of the agent and run. */
export function createPreparing(parts: PreparingParts): { begin(key: string, entry: Live): void } {
  const { clock, journal, keeping, limits, finish } = parts;
  const gates = { fetching: createGate(limits.preparingMax), starting: createGate(limits.startingMax) };
  const now = () => Math.round(clock.now());
  const fail = (key: string, reason: string) => finish(key, { outcome: 'failed', at: now(), reason });

  const prepare = async (key: string, entry: Live): Promise<void> => {
    const record = journal.records.get(key);
    const spec = record?.spec;
    if (!record || !spec || record.endedAt !== null) return;
    if (record.stop) return finish(key, { ...stoppedAs(record), at: now() });
    const { preparations } = record;
    if (preparations >= limits.preparationDeathsMax) {
      return fail(key, `parked: the agent died ${preparations} times while it prepared this run`);
    }
    entry.phase = 'preparing';
    // Counted before, not after: what kills the agent here would never be counted otherwise. Without an app nothing is fetched or unpacked that could.
    if (spec.artifact) {
      await journal.write([{ run: key, set: { preparations: preparations + 1 } }]).catch(cause => {
        throw new Error(cannotWrite(cause), { cause });
      });
    }
    const { signal } = entry.abort;
    const { order, note } = await makeOrder(parts, record.run, spec, signal);
    if (note !== null) journal.note([{ run: key, set: { note } }]);
    parts.heard(
      await keeping.ask(keeper => {
        // It may have been stopped while there was no keeper: what was cancelled never starts later.
        signal.throwIfAborted();
        return keeper.start(order);
      }),
    );
  };

  const giveUp = async (key: string, problem: unknown): Promise<void> => {
    const record = journal.records.get(key);
    // The keeper has it, whatever went wrong here; or the agent stops, and the next one goes on.
    if (!record || record.kept || parts.signal.aborted) return;
    if (record.stop) return finish(key, { ...stoppedAs(record), at: now() });
    await fail(key, problem instanceof Error ? problem.message : String(problem));
  };

  return {
    begin(key, entry) {
      entry.phase = 'queued';
      void (async () => {
        const hasApp = journal.records.get(key)?.spec?.artifact !== undefined;
        const leave = await gates[hasApp ? 'fetching' : 'starting'].enter();
        try {
          await prepare(key, entry).catch(problem => giveUp(key, problem));
        } finally {
          leave();
        }
      })();
    },
  };
}
