/**
 * Commands of the center: checked by epoch and fence, written to the journal, then acknowledged,
 * and acknowledged again at each repeat. A known run is never started again, so repeated, reordered
 * and late commands have no effect.
 */
import { createBatch } from '../../lib/batch.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import {
  type Command,
  EPOCHS_RAISED,
  type Fence,
  type HostFaultCode,
  keyOfRun,
  type StartCommand,
  type StopCommand,
} from '../../protocol/agent.ts';
import { cannotWrite, type Journal } from '../journal.ts';
import type { AgentLimits } from '../limits.ts';
import type { Runs } from '../runs/index.ts';
import { endedReport } from '../runs/outcome.ts';
import { blankRecord, type Change, mustEnd, type RunRecord } from '../runs/records.ts';
import type { Reports } from '../runs/reports.ts';
import type { OutgoingFrame } from './frames.ts';

export interface CommandHandler {
  /** Resolves once the command is in the journal or rejected. Never rejects. */
  handle(command: Command): Promise<void>;
  /** The center has the report of this run. */
  reportAcknowledged(run: string): void;
}

export interface CommandParts {
  clock: Clock;
  log: Log;
  limits: AgentLimits;
  bootId: string;
  dataDirId: string | undefined;
  journal: Journal;
  reports: Reports;
  runs: Runs;
  send(frame: OutgoingFrame): boolean;
}

/** Longest problem in a rejection, characters. */
const PROBLEM_MAX = 500;

export function createCommandHandler(parts: CommandParts): CommandHandler {
  const { clock, log, limits, journal, runs, send } = parts;
  const acknowledgements = createBatch<string>({
    schedule: clock.soon,
    send(keys) {
      for (let from = 0; from < keys.length; from += limits.acknowledgedMax)
        send({ type: 'commandsAcknowledged', keys: keys.slice(from, from + limits.acknowledgedMax) });
    },
  });
  const acknowledge = acknowledgements.add;
  const { refuse, addTombstone, repeat, unwritten } = createAnswers(parts, acknowledge);

  const start = async (command: StartCommand, known: RunRecord | undefined, epoch: Change[]): Promise<void> => {
    const run = keyOfRun(command.run);
    if (unwritten.has(run)) return;
    if (known) return repeat(command, known, epoch);
    if (runs.count() >= limits.runsMax)
      return refuse(command, epoch, `this host runs ${limits.runsMax} processes, which is its limit`, 'runs');
    try {
      await journal.write([...epoch, { run, set: { ...newRecord(parts, command), spec: command.spec } }]);
    } catch (problem) {
      return refuse(command, epoch, cannotWrite(problem), 'journal');
    }
    acknowledge(command.key);
    runs.begin(run);
  };

  const stop = async (command: StopCommand, known: RunRecord | undefined, epoch: Change[]): Promise<void> => {
    const run = keyOfRun(command.run);
    if (known && known.endedAt !== null) return repeat(command, known, epoch);
    if (!known) return addTombstone(command, epoch);
    const { as, reason } = command;
    const fence = command.fence.partition === known.fence.partition ? command.fence : known.fence;
    // A started run cannot be withdrawn.
    if (as === 'withdrawn' && known.started) return repeat(command, known, epoch);
    const stop = known.stop && mustEnd(known) ? known.stop : { as, reason };
    try {
      await journal.write([...epoch, { run, set: { fence, stop } }], { reserve: true });
      acknowledge(command.key);
    } catch (problem) {
      // The run ends all the same; the center sends the stop again.
      log.warn(`${run}: its stop is not acknowledged: ${cannotWrite(problem)}`);
    }
    runs.stop(run);
  };

  const check = async (command: Command): Promise<void> => {
    const { fence, key, run } = command;
    const epochKnown = journal.epoch(fence.partition);
    const known = journal.records.get(keyOfRun(run));
    const lower = fence.epoch < epochKnown ? 'lowerEpoch' : known && isLower(fence, known.fence) ? 'lowerFence' : undefined;
    if (lower) {
      log.warn(`${keyOfRun(run)}: the agent rejects a ${command.type}: ${lower}`, { fence, epochKnown, fenceKnown: known?.fence });
      send({ type: 'rejected', key, run, reason: lower, known: known !== undefined });
      return;
    }
    const epoch: Change[] = fence.epoch > epochKnown ? [{ epoch: [fence.partition, fence.epoch] }] : [];
    await (command.type === 'start' ? start(command, known, epoch) : stop(command, known, epoch));
  };

  return {
    async handle(command) {
      try {
        await check(command);
      } catch (problem) {
        // The center waits for the outcome of the command. A known run has a report of its own.
        log.error(`${keyOfRun(command.run)}: a ${command.type} failed in the agent`, { problem: String(problem) });
        if (journal.records.has(keyOfRun(command.run))) return;
        const message = `the agent failed: ${problem instanceof Error ? problem.message : String(problem)}`.slice(0, PROBLEM_MAX);
        send({ type: 'rejected', key: command.key, run: command.run, reason: 'failed', message });
      }
    },
    reportAcknowledged(run) {
      const key = unwritten.get(run);
      if (key === undefined) return;
      unwritten.delete(run);
      acknowledge(key);
    },
  };
}

const newRecord = ({ bootId, dataDirId, clock }: CommandParts, command: Command): RunRecord => ({
  ...blankRecord,
  run: command.run,
  fence: command.fence,
  bootId,
  dataDirId: dataDirId ?? null,
  at: Math.round(clock.now()),
});

/** Answers to commands that start no process. */
function createAnswers(parts: CommandParts, acknowledge: (key: string) => void) {
  const { clock, log, journal, reports } = parts;
  /**
   * Refusals that are in memory alone: run -> key of the start, acknowledged once the center has
   * the report.
   */
  const unwritten = new Map<string, string>();

  return {
    unwritten,
    async refuse(command: StartCommand, epoch: Change[], reason: string, hostFault: HostFaultCode): Promise<void> {
      const run = keyOfRun(command.run);
      const at = Math.round(clock.now());
      const record = newRecord(parts, command);
      const report = endedReport(journal.nextId(), record, { outcome: 'failed', at, reason, hostFault });
      log.warn(`${run}: its start is refused: ${reason}`);
      try {
        await journal.write([...epoch, { run, set: { ...record, endedAt: at, closed: true, unreported: [report] } }], { reserve: true });
        reports.add(report);
        acknowledge(command.key);
      } catch {
        // Not even the reserve was enough: the center gets the report, and the start stays
        // unacknowledged until it has committed it.
        unwritten.set(run, command.key);
        reports.add(report);
      }
    },
    /** Ends a run before its start: the later start finds it ended. */
    async addTombstone(command: StopCommand, epoch: Change[]): Promise<void> {
      const run = keyOfRun(command.run);
      const at = Math.round(clock.now());
      const record = newRecord(parts, command);
      const reason = `stopped before it began: ${command.reason}`;
      const report = endedReport(journal.nextId(), record, { outcome: 'cancelled', at, reason });
      try {
        await journal.write([...epoch, { run, set: { ...record, endedAt: at, closed: true, unreported: [report] } }], { reserve: true });
        reports.add(report);
        acknowledge(command.key);
      } catch (problem) {
        log.warn(`${run}: its stop is not acknowledged: ${cannotWrite(problem)}`);
      }
    },
    /** Acknowledges a repeated command once the record of its run is durable. */
    async repeat(command: Command, known: RunRecord, epoch: Change[]): Promise<void> {
      const run = keyOfRun(command.run);
      const change: Change[] = isLower(known.fence, command.fence) ? [{ run, set: { fence: command.fence } }] : [];
      // A center that acknowledged the end would not start the run: it has lost that state, and its
      // shard would never end.
      const isLost = command.type === 'start' && command.fence.epoch - known.fence.epoch >= EPOCHS_RAISED;
      const repeated = isLost ? reports.repeat(run) : undefined;
      try {
        await journal.write([...epoch, ...change, ...(repeated ? [repeated.change] : [])]);
        if (repeated) reports.add(repeated.report);
        acknowledge(command.key);
      } catch (problem) {
        log.warn(`${run}: a ${command.type} is not acknowledged: ${cannotWrite(problem)}`);
      }
    },
  };
}

/**
 * Fences of two partitions are not comparable: epochs count the owners of one partition, revisions
 * the commits of one actor. The check of the epoch covers a stop by the pool's partition.
 */
const isLower = (fence: Fence, than: Fence): boolean =>
  fence.partition === than.partition && (fence.epoch < than.epoch || (fence.epoch === than.epoch && fence.rev < than.rev));
