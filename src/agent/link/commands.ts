/**
 * What the center commands, judged by epoch and fence, durable before it is acknowledged,
 * acknowledged as often as it is said.
 *
 * A run that is known is never started again, whatever its start says: repeats, reorders and late
 * centers all end there.
 */
import { createBatch } from '../../lib/batch.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import {
  type Command,
  EPOCHS_RAISED,
  type Fence,
  type FromAgent,
  type HostFault,
  runKey,
  type StartCommand,
  type StopCommand,
} from '../../protocol/agent.ts';
import { cannotWrite, type Journal } from '../journal.ts';
import type { AgentLimits } from '../limits.ts';
import type { Runs } from '../runs/index.ts';
import { endedReport } from '../runs/outcome.ts';
import { blankRecord, type Change, mustEnd, type RunRecord } from '../runs/records.ts';
import type { Reports } from '../runs/reports.ts';

export interface Commands {
  take(command: Command): Promise<void>;
  /** The center knows the end of this run. */
  reported(run: string): void;
}

export interface CommandParts {
  clock: Clock;
  log: Log;
  limits: AgentLimits;
  bootId: string;
  place: string | undefined;
  journal: Journal;
  reports: Reports;
  runs: Runs;
  send(frame: ReturnType<typeof FromAgent.parse>): boolean;
}

export function createCommands(parts: CommandParts): Commands {
  const { clock, log, limits, journal, reports, runs, send } = parts;
  /**
   * Refusals that only memory holds: run -> key of the start, which is acknowledged once the center
   * has the report.
   */
  const unwritten = new Map<string, string>();

  const acknowledged = createBatch<string>({
    schedule: clock.soon,
    send(keys) {
      for (let from = 0; from < keys.length; from += limits.doneMax)
        send({ type: 'commandsAcknowledged', keys: keys.slice(from, from + limits.doneMax) });
    },
  });
  const done = acknowledged.add;

  const recordOf = (command: Command): RunRecord => ({
    ...blankRecord,
    run: command.run,
    fence: command.fence,
    bootId: parts.bootId,
    place: parts.place ?? null,
    at: Math.round(clock.now()),
  });

  const refuse = async (command: StartCommand, epoch: Change[], reason: string, hostFault: HostFault): Promise<void> => {
    const run = runKey(command.run);
    const at = Math.round(clock.now());
    const record = recordOf(command);
    const report = endedReport(journal.nextId(), record, { outcome: 'failed', at, reason, hostFault });
    log.warn(`${run}: refused, ${reason}`);
    try {
      await journal.write([...epoch, { run, set: { ...record, endedAt: at, settled: true, unreported: [report] } }], { reserve: true });
      reports.add(report);
      done(command.key);
    } catch {
      // Not even the reserve helped. The center hears the reason; the start stays owed until it has
      // committed it.
      unwritten.set(run, command.key);
      reports.add(report);
    }
  };

  const start = async (command: StartCommand, known: RunRecord | undefined, epoch: Change[]): Promise<void> => {
    const run = runKey(command.run);
    if (unwritten.has(run)) return;
    if (known) return again(command, known, epoch);
    if (runs.count() >= limits.runsMax)
      return refuse(command, epoch, `this host runs ${limits.runsMax} processes already, more it does not take`, 'runs');
    try {
      await journal.write([...epoch, { run, set: { ...recordOf(command), spec: command.spec } }]);
    } catch (problem) {
      return refuse(command, epoch, cannotWrite(problem), 'journal');
    }
    done(command.key);
    runs.begin(run);
  };

  /** A repeat: acknowledged once what is known of the run is certainly on the disk. */
  const again = async (command: Command, known: RunRecord, epoch: Change[]): Promise<void> => {
    const change: Change[] = isLower(known.fence, command.fence) ? [{ run: runKey(command.run), set: { fence: command.fence } }] : [];
    // Who confirmed its end would not have it started: the center lost that, and would wait for
    // ever.
    const isLost = command.type === 'start' && command.fence.epoch - known.fence.epoch >= EPOCHS_RAISED;
    const repeat = isLost ? reports.repeat(runKey(command.run)) : undefined;
    try {
      await journal.write([...epoch, ...change, ...(repeat ? [repeat.change] : [])]);
      if (repeat) reports.add(repeat.report);
      done(command.key);
    } catch (problem) {
      log.warn(`${runKey(command.run)}: not acknowledged, ${cannotWrite(problem)}`);
    }
  };

  const stop = async (command: StopCommand, known: RunRecord | undefined, epoch: Change[]): Promise<void> => {
    const run = runKey(command.run);
    if (known && known.endedAt !== null) return again(command, known, epoch);
    if (!known) return bury(command, epoch);
    const { as, reason } = command;
    const fence = command.fence.partition === known.fence.partition ? command.fence : known.fence;
    // What has begun is not given back any more.
    if (as === 'withdrawn' && known.kept) return again(command, known, epoch);
    const stop = known.stop && mustEnd(known) ? known.stop : { as, reason };
    try {
      await journal.write([...epoch, { run, set: { fence, stop } }], { reserve: true });
      done(command.key);
    } catch (problem) {
      // It is ended all the same: the center asked for it, and will ask again.
      log.warn(`${run}: its stop is not acknowledged, ${cannotWrite(problem)}`);
    }
    runs.stop(run);
  };

  /** A stop before its start leaves a tombstone: the later start finds the run ended. */
  const bury = async (command: StopCommand, epoch: Change[]): Promise<void> => {
    const run = runKey(command.run);
    const at = Math.round(clock.now());
    const record = recordOf(command);
    const report = endedReport(journal.nextId(), record, {
      outcome: 'cancelled',
      at,
      reason: `stopped before it began: ${command.reason}`,
    });
    try {
      await journal.write([...epoch, { run, set: { ...record, endedAt: at, settled: true, unreported: [report] } }], { reserve: true });
      reports.add(report);
      done(command.key);
    } catch (problem) {
      log.warn(`${run}: its stop is not acknowledged, ${cannotWrite(problem)}`);
    }
  };

  /** By epoch and fence, then carried out. */
  const judged = async (command: Command): Promise<void> => {
    const { fence, key, run } = command;
    const epochKnown = journal.epoch(fence.partition);
    const known = journal.records.get(runKey(run));
    const lower = fence.epoch < epochKnown ? 'lowerEpoch' : known && isLower(fence, known.fence) ? 'lowerFence' : undefined;
    if (lower) {
      log.warn(`${runKey(run)}: rejected a ${command.type}, ${lower}`, { fence, epochKnown, fenceKnown: known?.fence });
      send({ type: 'rejected', key, run, reason: lower, known: known !== undefined });
      return;
    }
    const epoch: Change[] = fence.epoch > epochKnown ? [{ epoch: [fence.partition, fence.epoch] }] : [];
    await (command.type === 'start' ? start(command, known, epoch) : stop(command, known, epoch));
  };

  return {
    async take(command) {
      try {
        await judged(command);
      } catch (problem) {
        // Its sender waits for the outcome. A run that is known here answers for
        // itself.
        log.error(`${runKey(command.run)}: a ${command.type} cannot be carried out`, { problem: String(problem) });
        if (journal.records.has(runKey(command.run))) return;
        const message = `the agent failed: ${problem instanceof Error ? problem.message : String(problem)}`.slice(0, 500);
        send({ type: 'rejected', key: command.key, run: command.run, reason: 'failed', message });
      }
    },
    reported(run) {
      const key = unwritten.get(run);
      if (key === undefined) return;
      unwritten.delete(run);
      done(key);
    },
  };
}

/**
 * Fences of two partitions say nothing of each other: epochs count the owners of one partition,
 * revs the commits of one actor. A pool stops a run whose execution is no longer kept; whether it
 * is that pool's present owner who says so, the epoch of its own partition has shown already.
 */
const isLower = (fence: Fence, than: Fence): boolean =>
  fence.partition === than.partition && (fence.epoch < than.epoch || (fence.epoch === than.epoch && fence.rev < than.rev));
