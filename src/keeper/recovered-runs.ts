/**
 * Runs of an earlier keeper, known from its records: ended ones stay as recorded, others are
 * terminated and end with the cause `keeperDied`.
 */
import { createOutputLog, type OutputLog } from './output-log.ts';
import type { SpoolRecord } from './ports.ts';
import type { KeeperRun, RunPorts } from './run.ts';
import { terminateTree } from './terminate.ts';

/** A recovered run writes no further output. */
const NO_LIMITS = { headBytes: 0, tailBytes: 0 };

export function recoverRun(ports: RunPorts, stored: SpoolRecord): KeeperRun {
  const { spool } = ports;
  let record = stored;
  let log: OutputLog | undefined;
  const output = (): OutputLog => {
    const { stdoutBytes, stderrBytes, state } = record.status;
    // Only the stored output of an interrupted run can be counted.
    const totals = state === 'ended' ? { stdout: stdoutBytes, stderr: stderrBytes } : undefined;
    log ??= createOutputLog(spool.segments(record.tree.tag), NO_LIMITS, { totals });
    return log;
  };
  const ended = stored.status.state === 'ended' ? Promise.resolve() : terminate();

  async function terminate(): Promise<void> {
    const { clock, spawner, emit } = ports;
    const { tree, bootId, directoryId, killGraceMs } = record;
    const isCopy = directoryId !== undefined && spool.directoryId !== undefined && directoryId !== spool.directoryId;
    const { written, leftOut, lastSeq } = output();
    const counters = {
      stdoutBytes: written('stdout'),
      stderrBytes: written('stderr'),
      stdoutLeftOut: leftOut('stdout'),
      stderrLeftOut: leftOut('stderr'),
      lastSeq: lastSeq(),
    };
    record = { ...record, status: { ...record.status, ...counters, state: 'ending' } };
    // After a reboot the pids belong to other processes. In a copied directory the processes belong
    // to the keeper of the original.
    if (bootId === spawner.bootId && !isCopy) await terminateTree(ports, tree, killGraceMs).done;
    const end = {
      state: 'ended',
      cause: 'keeperDied',
      exitCode: null,
      signal: null,
      endedAt: clock.now(),
      reason: isCopy ? 'its keeper directory was copied; only the keeper of the original knows how it ended' : 'its keeper died',
    } as const;
    record = { ...record, status: { ...record.status, ...end } };
    spool.write(record);
    emit({ type: 'changed', run: record.status });
  }

  return {
    status: () => record.status,
    record: () => record,
    output,
    // It is being terminated already, with the grace of its start request.
    stop: () => Promise.resolve(),
    rearm: () => {},
    ended,
  };
}
