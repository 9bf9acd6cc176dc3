/**
 * Runs of a keeper that is gone, known from its records: those that had ended stay as they were,
 * those that had not are ended and say why.
 */

import { createOutputLog, type OutputLog } from './output-log.ts';
import type { RunRecord } from './ports.ts';
import type { Life, LifePorts } from './run.ts';
import { endTree } from './terminate.ts';

/** Nothing more is written, so limits play no part. */
const NO_LIMITS = { headBytes: 0, tailBytes: 0 };

export function formerLife(ports: LifePorts, written: RunRecord): Life {
  const { spool } = ports;
  let record = written;
  let log: OutputLog | undefined;
  const output = (): OutputLog => {
    const { stdoutBytes, stderrBytes, state } = record.kept;
    // Of a run that was cut off, only what is stored can be counted.
    const totals = state === 'ended' ? { stdout: stdoutBytes, stderr: stderrBytes } : undefined;
    log ??= createOutputLog(spool.segments(record.tree.mark), NO_LIMITS, { totals });
    return log;
  };
  const over = written.kept.state === 'ended' ? Promise.resolve() : endLeftover();

  async function endLeftover(): Promise<void> {
    const { clock, spawner, news } = ports;
    const { tree, boot, place, killGraceMs } = record;
    const isCopy = place !== undefined && spool.place !== undefined && place !== spool.place;
    const { written: bytes, leftOut, lastSeq } = output();
    const counters = {
      stdoutBytes: bytes('stdout'),
      stderrBytes: bytes('stderr'),
      stdoutLeftOut: leftOut('stdout'),
      stderrLeftOut: leftOut('stderr'),
      lastSeq: lastSeq(),
    };
    record = { ...record, kept: { ...record.kept, ...counters, state: 'ending' } };
    // Another boot of the machine: its processes are gone, and their pids belong to others. A
    // copied directory: they are those of the keeper that has the original.
    if (boot === spawner.boot && !isCopy) await endTree(ports, tree, killGraceMs).done;
    const end = {
      state: 'ended',
      cause: 'keeperDied',
      exitCode: null,
      signal: null,
      endedAt: clock.now(),
      reason: isCopy ? "its keeper's directory was copied, and what became of it only the other keeper knows" : 'its keeper died',
    } as const;
    record = { ...record, kept: { ...record.kept, ...end } };
    spool.record(record);
    news({ type: 'changed', run: record.kept });
  }

  return {
    kept: () => record.kept,
    record: () => record,
    output,
    // It is being ended already, with the grace it was ordered with.
    stop: () => Promise.resolve(),
    heard: () => {},
    over,
  };
}
