/**
 * From a durable start to the keeper: counted, fetched, found, handed over; given up as soon as
 * nobody wants it any more.
 */
import type { Clock } from '../../lib/clock.ts';
import { createSemaphore } from '../../lib/semaphore.ts';
import type { HostFault } from '../../protocol/agent.ts';
import type { RunStatus } from '../../protocol/keeper.ts';
import { HostFaultError } from '../host-fault.ts';
import { cannotWrite, type Journal } from '../journal.ts';
import type { KeeperClient } from '../keeper-client.ts';
import { ArtifactError } from '../ports.ts';
import { type Ending, stoppedAs } from './outcome.ts';
import { makeOrder, type OrderParts } from './start-request.ts';

/** A run that has not ended, as far as only memory knows. */
export interface Live {
  abort: AbortController;
  /**
   * Found in the journal, nobody knows yet whether the keeper has it; waiting for a place at the
   * gate; fetching; the keeper has it.
   */
  phase: 'resumed' | 'queued' | 'preparing' | 'kept';
  /** The keeper was asked for it, so it may have begun. */
  handed: boolean;
}

export interface PreparingParts extends OrderParts {
  clock: Clock;
  journal: Journal;
  keeperClient: KeeperClient;
  /** The agent stops. */
  signal: AbortSignal;
  /** It ends here, the keeper never had it. */
  finish(key: string, ending: Ending): Promise<void>;
  heard(kept: RunStatus): void;
  /** Whether the disk takes a file of some size now. Never rejects. */
  diskTakes(): Promise<boolean>;
}

/** `begin` takes a run to the keeper or its end, in the background. Once per agent and run. */
export function createPreparing(parts: PreparingParts): { begin(key: string, entry: Live): void } {
  const { clock, journal, keeperClient, limits, finish } = parts;
  // What was being prepared when an agent died goes one by one: should this one die as well, it is
  // known of what.
  const gates = {
    fetching: createSemaphore(limits.preparingMax),
    starting: createSemaphore(limits.startingMax),
    suspect: createSemaphore(1),
  };
  const now = () => Math.round(clock.now());

  const prepare = async (key: string, entry: Live): Promise<void> => {
    const record = journal.records.get(key);
    const spec = record?.spec;
    if (!record || !spec || record.endedAt !== null) return;
    if (record.stop) return finish(key, { ...stoppedAs(record), at: now() });
    const { preparations } = record;
    if (preparations >= limits.preparationDeathsMax) {
      const reason = `parked: the agent died ${preparations} times while it prepared this run; it is not tried again`;
      return finish(key, { outcome: 'failed', at: now(), reason, parked: true });
    }
    entry.phase = 'preparing';
    // Counted before, not after: what kills the agent here would never be counted otherwise.
    // Without an app little is done that could, so a note will do: it is in the file a moment
    // later, and a crash of the whole machine ends the run anyway.
    const counted = [{ run: key, set: { preparations: preparations + 1 } }];
    if (spec.artifact) {
      await journal.write(counted).catch(cause => {
        throw new HostFaultError('journal', cannotWrite(cause), { cause });
      });
    } else journal.note(counted);
    const { signal } = entry.abort;
    // Its app depends on where its keeper lives: mounts here must be visible there.
    if (spec.artifact) await keeperClient.call(async () => undefined);
    signal.throwIfAborted();
    const { order, note } = await makeOrder(parts, record.run, spec, signal);
    if (note !== null) journal.note([{ run: key, set: { note } }]);
    parts.heard(
      await keeperClient.call(
        keeper => {
          // A stop may have come while no keeper ran: a cancelled run never starts later.
          signal.throwIfAborted();
          entry.handed = true;
          return keeper.start(order);
          // What was handed over may have begun, and the next keeper knows.
        },
        () => !entry.handed,
      ),
    );
  };

  const giveUp = async (key: string, entry: Live, problem: unknown): Promise<void> => {
    const record = journal.records.get(key);
    // The keeper has it, whatever went wrong here; or the agent stops, and the next one goes on.
    if (!record || record.kept || parts.signal.aborted) return;
    // Asked for and never heard of: it may have begun, and what has begun cannot be given back.
    if (record.stop?.as === 'withdrawn' && entry.handed) return finish(key, { outcome: 'lost', at: now(), reason: 'its keeper died' });
    if (record.stop) return finish(key, { ...stoppedAs(record), at: now() });
    const reason = problem instanceof Error ? problem.message : String(problem);
    const hostFault = await faultOf(problem, parts.diskTakes);
    await finish(key, { outcome: 'failed', at: now(), reason, ...(hostFault !== undefined && { hostFault }) });
  };

  return {
    begin(key, entry) {
      entry.phase = 'queued';
      void (async () => {
        const record = journal.records.get(key);
        const gate = (record?.preparations ?? 0) > 0 ? 'suspect' : record?.spec?.artifact ? 'fetching' : 'starting';
        const release = await gates[gate].acquire();
        try {
          await prepare(key, entry).catch(problem => giveUp(key, entry, problem));
        } finally {
          release();
        }
      })();
    },
  };
}

/**
 * An app that is larger than what the disk has left is no host fault: the disk is full only where
 * it takes nothing once the app is removed.
 */
async function faultOf(problem: unknown, diskTakes: () => Promise<boolean>): Promise<HostFault | undefined> {
  if (problem instanceof HostFaultError) return problem.fault;
  if (!(problem instanceof ArtifactError) || problem.code !== 'disk') return undefined;
  return (await diskTakes()) ? undefined : 'disk';
}
