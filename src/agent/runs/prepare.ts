/**
 * From a durable start to the keeper: counts the attempt, fetches the app, requests the process.
 */
import type { Clock } from '../../lib/clock.ts';
import { createSemaphore } from '../../lib/semaphore.ts';
import type { HostFaultCode, ProcessSpec, RunVerdict } from '../../protocol/agent.ts';
import type { RunStatus } from '../../protocol/keeper.ts';
import { HostFaultError } from '../host-fault.ts';
import { cannotWrite, type Journal } from '../journal.ts';
import type { KeeperClient } from '../keeper-client.ts';
import { ArtifactError } from '../ports.ts';
import type { LiveRun } from './live-runs.ts';
import { stopOutcome } from './outcome.ts';
import { buildStartRequest, type StartRequestParts } from './start-request.ts';

export interface PreparationParts extends StartRequestParts {
  clock: Clock;
  journal: Journal;
  keeperClient: KeeperClient;
  /** Aborts when the agent stops. */
  signal: AbortSignal;
  /** Ends a run that the keeper does not have. */
  finish(key: string, verdict: RunVerdict): Promise<void>;
  /** The keeper has started it, or has failed to. */
  onStatus(status: RunStatus): void;
  /** Whether the disk takes a file of some size now. Never rejects. */
  diskTakes(): Promise<boolean>;
}

/** `begin` works in the background. Call it once per run and process of the agent. */
export function createPreparation(parts: PreparationParts): { begin(key: string, live: LiveRun): void } {
  const { clock, journal, keeperClient, limits, finish } = parts;
  // A run whose preparation ended an agent is prepared alone: if that happens again, it is the
  // cause.
  const semaphores = {
    fetching: createSemaphore(limits.preparingMax),
    starting: createSemaphore(limits.startingMax),
    suspect: createSemaphore(1),
  };
  const now = () => Math.round(clock.now());

  const prepare = async (key: string, live: LiveRun): Promise<void> => {
    const record = journal.records.get(key);
    const spec = record?.spec;
    if (!record || !spec || record.endedAt !== null) return;
    if (record.stop) return finish(key, { ...stopOutcome(record), at: now() });
    const { preparations } = record;
    if (preparations >= limits.preparationDeathsMax) {
      const reason = `parked: the agent died ${preparations} times while it prepared this run; it is not tried again`;
      return finish(key, { outcome: 'failed', at: now(), reason, parked: true });
    }
    live.phase = 'preparing';
    // Counted before, so that a crash of the agent in between counts. Without files `note` is
    // enough: a crash of the machine ends the run anyway.
    const counted = [{ run: key, set: { preparations: preparations + 1 } }];
    if (fetches(spec)) {
      await journal.write(counted).catch(cause => {
        throw new HostFaultError('journal', cannotWrite(cause), { cause });
      });
    } else journal.note(counted);
    const { signal } = live.abort;
    // An app needs a connected keeper: its mounts must be visible to that process.
    if (spec.artifact) await keeperClient.call(async () => undefined);
    signal.throwIfAborted();
    const { request, note, directory } = await buildStartRequest(parts, record.run, spec, signal);
    if (note !== null || directory !== null) journal.note([{ run: key, set: { note, directory } }]);
    const status = await keeperClient.call(
      keeper => {
        // A stop may have come while no keeper was connected: a cancelled run must not start.
        signal.throwIfAborted();
        live.isRequested = true;
        return keeper.start(request);
      },
      // A requested run may have started, which the next keeper knows.
      () => !live.isRequested,
    );
    parts.onStatus(status);
  };

  const fail = async (key: string, live: LiveRun, problem: unknown): Promise<void> => {
    const record = journal.records.get(key);
    // The keeper has it in spite of the problem; or the agent stops, and its successor continues.
    if (!record || record.started || parts.signal.aborted) return;
    // A requested run without a status may have started, and a started run cannot be withdrawn.
    if (record.stop?.as === 'withdrawn' && live.isRequested) return finish(key, { outcome: 'lost', at: now(), reason: 'its keeper died' });
    if (record.stop) return finish(key, { ...stopOutcome(record), at: now() });
    const reason = problem instanceof Error ? problem.message : String(problem);
    const hostFault = await faultOf(problem, parts.diskTakes);
    await finish(key, { outcome: 'failed', at: now(), reason, ...(hostFault !== undefined && { hostFault }) });
  };

  return {
    begin(key, live) {
      live.phase = 'queued';
      void (async () => {
        const record = journal.records.get(key);
        const kind = (record?.preparations ?? 0) > 0 ? 'suspect' : record?.spec && fetches(record.spec) ? 'fetching' : 'starting';
        const release = await semaphores[kind].acquire();
        try {
          await prepare(key, live).catch(problem => fail(key, live, problem));
        } finally {
          release();
        }
      })();
    },
  };
}

/** Its app, or the file of its job, may have to be fetched and unpacked. */
const fetches = ({ artifact, directory }: ProcessSpec): boolean => artifact !== undefined || (directory?.file ?? null) !== null;

/**
 * An app or a file that is larger than the free disk is no host fault. The disk is full only where
 * it takes nothing after that was removed.
 */
async function faultOf(problem: unknown, diskTakes: () => Promise<boolean>): Promise<HostFaultCode | undefined> {
  if (problem instanceof HostFaultError) return problem.fault;
  if (!(problem instanceof ArtifactError) || problem.code !== 'disk') return undefined;
  return (await diskTakes()) ? undefined : 'disk';
}
