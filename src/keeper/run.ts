/**
 * One run from its start request to its end.
 *
 *   running ──first process exits, no other alive──────────────────────────> ended (exit)
 *      │ └────first process exits, children alive──> ending (exit) ──gone──> ended (exit)
 *      ├──stop───────────────────────────────────> ending (stop) ──gone────> ended (stop)
 *      └──timeout────────────────────────────────> ending (timeout) ──gone─> ended (timeout)
 *   of an earlier keeper ──recovered────────────────> ending ──gone────────> ended (keeperDied)
 *
 * The exit of the first process decides the outcome, also against a later stop. `ended` promises
 * that no process of the tree is alive: the next attempt never runs beside a remainder.
 */
import type { Clock, Disarm } from '../lib/clock.ts';
import type { EndCause, KeeperEvent, RunStatus, StartRequest } from '../protocol/keeper.ts';
import { createOutputLog, type OutputLog } from './output-log.ts';
import { startPump } from './output-pump.ts';
import type { ProcessTree, Spawner, Spool, SpoolRecord, StartedProcess } from './ports.ts';
import { type Termination, terminateTree } from './terminate.ts';
import { createWriteBuffer, type WriteBuffer } from './write-buffer.ts';

/** From TERM to KILL for processes that a finished run left, ms; or the run's own, if shorter. */
const LEFTOVER_GRACE_MS = 1_000;
/** First output of up to this size is sent with its event, bytes: most runs write no more. */
const INLINE_BYTES_MAX = 4_096;
/**
 * A run of this age gets pid and start time into its record, ms; before, its tag alone identifies
 * it. Spares short runs the cost.
 */
const IDENTIFY_MS = 50;

export interface RunPorts {
  clock: Clock;
  spawner: Spawner;
  spool: Spool;
  emit(event: KeeperEvent): void;
}

export interface KeeperRun {
  status(): RunStatus;
  record(): SpoolRecord;
  output(): OutputLog;
  /** Resolves once the TERM was sent. */
  stop(cause: EndCause, graceMs: number, reason: string | null): Promise<void>;
  /** The output was read: further output emits an event again. */
  rearm(): void;
  /** Resolves when the run has ended. */
  readonly ended: Promise<void>;
}

/** `started` resolves when the process runs, has ended or could not start. */
export function startRun(ports: RunPorts, request: StartRequest): { run: KeeperRun; started: Promise<void> } {
  const { clock, spawner, spool } = ports;
  const state = createRunState(ports, request);
  const { change, record } = state;
  let termination: Termination | undefined;

  function terminate(cause: EndCause, graceMs: number, reason: string | null): void {
    change({ state: 'ending', cause, reason });
    termination = terminateTree(ports, record().tree, graceMs);
    state.emitStatus();
  }

  async function stop(cause: EndCause, graceMs: number, reason: string | null): Promise<void> {
    await started;
    if (record().status.state === 'ended') return;
    if (termination !== undefined) termination.shortenGrace(graceMs);
    // After the exit of its first process the outcome is decided, and the rest is being terminated.
    else if (record().status.endedAt === null) terminate(cause, graceMs, reason);
    await termination?.termSent;
  }

  /** From the start of the process to the end of the run. */
  async function supervise(process: StartedProcess, disarm: Disarm): Promise<void> {
    const pump = startPump(clock, process, state.buffer.write);
    const { code, signal } = await process.exit;
    disarm();
    change({ exitCode: code, signal, endedAt: clock.now() });
    if (termination !== undefined) termination.poll();
    else {
      const leftRunning = await spawner.countAlive(record().tree);
      if (leftRunning > 0) {
        change({ leftRunning });
        terminate('exit', Math.min(request.killGraceMs, LEFTOVER_GRACE_MS), null);
      }
    }
    await termination?.done;
    await pump.drain();
    const exitedByItself = termination === undefined || (await termination.termSent).hadExited;
    state.finish(exitedByItself ? { cause: 'exit', reason: null } : {});
  }

  function failStart(reason: string, fault: RunStatus['fault']): { ended: Promise<void> } {
    const failed = { cause: 'startFailed', endedAt: clock.now(), startedAt: null, reason } as const;
    state.finish({ ...failed, ...(fault === undefined ? {} : { fault }) });
    return { ended: Promise.resolve() };
  }

  async function start(): Promise<{ ended: Promise<void> }> {
    // The record first: if the keeper crashes before the next one, its successor finds the process
    // by this tag.
    if (!spool.write(record())) return failStart(`"${request.argv[0]}" was not started: the disk of the keeper is full`, 'disk');
    const { argv, cwd, env, user } = request;
    const answer = await spawner.start({ argv, cwd, env, ...(user && { user }), tag: record().tree.tag });
    if ('failed' in answer) return failStart(answer.failed, answer.fault);
    const { tree } = answer.started;
    state.setTree(tree);
    change({ pid: tree.pid });
    const disarmIdentify = clock.after(IDENTIFY_MS, () => {
      state.setTree(spawner.identify?.(tree) ?? tree);
      spool.write(record());
    });
    const disarmTimeout =
      request.timeoutMs > 0 ? clock.after(request.timeoutMs, () => void stop('timeout', request.killGraceMs, null)) : () => {};
    const disarm = () => {
      disarmTimeout();
      disarmIdentify();
    };
    return { ended: supervise(answer.started, disarm) };
  }

  const startup = start();
  const started = startup.then(() => {});
  const ended = startup.then(starting => starting.ended);
  return { run: { status: state.status, record, output: () => state.log, stop, rearm: state.rearm, ended }, started };
}

interface RunState {
  readonly log: OutputLog;
  readonly buffer: WriteBuffer;
  record(): SpoolRecord;
  /** With the present counters of the output. */
  status(): RunStatus;
  change(status: Partial<RunStatus>): void;
  setTree(tree: ProcessTree): void;
  emitStatus(): void;
  rearm(): void;
  finish(end: Partial<RunStatus>): void;
}

/** Record and output of a run, and the events about them. */
function createRunState({ clock, spawner, spool, emit }: RunPorts, request: StartRequest): RunState {
  const tag = spawner.createTag();
  const { bootId } = spawner;
  let record = initialRecord(request, { tag, pid: null, startTicks: null }, { bootId, directoryId: spool.directoryId, now: clock.now() });
  /** Whether an output event was sent that no read has followed. */
  let isAnnounced = false;
  const log = createOutputLog(spool.segments(tag), request);
  const buffer = createWriteBuffer(clock, (stream, at, data) => {
    log.add(stream, at, data);
    if (isAnnounced) return;
    const isInline = log.lastSeq() === 1 && data.length <= INLINE_BYTES_MAX;
    isAnnounced = !isInline;
    emit({ type: 'output', run: request.run, ...(isInline ? { chunks: log.read(0, INLINE_BYTES_MAX) } : {}) });
  });

  const change = (status: Partial<RunStatus>) => {
    record = { ...record, status: { ...record.status, ...status } };
  };
  const status = (): RunStatus => ({
    ...record.status,
    stdoutBytes: log.written('stdout') + buffer.pending('stdout'),
    stderrBytes: log.written('stderr') + buffer.pending('stderr'),
    stdoutLeftOut: log.leftOut('stdout'),
    stderrLeftOut: log.leftOut('stderr'),
    lastSeq: log.lastSeq(),
  });
  const emitStatus = () => {
    change(status());
    emit({ type: 'changed', run: record.status });
  };

  return {
    log,
    buffer,
    record: () => record,
    status,
    change,
    setTree(tree) {
      record = { ...record, tree };
    },
    emitStatus,
    rearm() {
      isAnnounced = false;
    },
    finish(end) {
      buffer.flush();
      log.finish(clock.now());
      change({ ...status(), ...end, state: 'ended' });
      spool.write(record);
      emit({ type: 'changed', run: record.status });
    },
  };
}

function initialRecord(
  request: StartRequest,
  tree: ProcessTree,
  { bootId, directoryId, now }: { bootId: string; directoryId: string | undefined; now: number },
): SpoolRecord {
  const counters = { stdoutBytes: 0, stderrBytes: 0, stdoutLeftOut: 0, stderrLeftOut: 0, lastSeq: 0 };
  const open = { pid: null, endedAt: null, cause: null, exitCode: null, signal: null, reason: null };
  const status = { run: request.run, state: 'running', startedAt: now, ...open, ...counters } as const;
  return { status, tree, bootId, ...(directoryId === undefined ? {} : { directoryId }), killGraceMs: request.killGraceMs };
}
