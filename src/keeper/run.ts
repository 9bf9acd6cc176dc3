/**
 * One run from its order to its end.
 *
 *   running ──first process ends, nothing left behind──────────────────────> ended (exit)
 *      │ └────first process ends, children left──> ending (exit) ──gone────> ended (exit)
 *      ├──stop────────────────────────────────────> ending (stop) ──gone───> ended (stop)
 *      └──time is up──────────────────────────────> ending (timeout) ──gone> ended (timeout)
 *   found in a dead keeper's records ─────────────> ending ──gone──────────> ended (keeperDied)
 *
 * The verdict is how the first process ended: a stop that comes when it has ended already, heard of
 * or not, changes nothing of it. `ended` also promises that nothing of the tree is alive, so that a
 * next attempt never runs beside a remainder of this one: what a finished run leaves behind gets a
 * short grace, not the run's own, and what holds its pipes delays it by a short drain.
 */
import type { Clock, Disarm } from '../lib/clock.ts';
import type { EndCause, KeeperNews, KeepOrder, KeptRun } from '../protocol/keeper.ts';
import { createOutputLog, type OutputLog } from './output-log.ts';
import type { OutputSource, RunRecord, Spawner, Spool, StartedProcess, Stream, Tree } from './ports.ts';
import { type Ending, endTree } from './terminate.ts';
import { createGather } from './write-buffer.ts';

/** From TERM to KILL of processes that outlive their run; its own grace if shorter. */
const LEFTOVER_GRACE_MS = 1_000;
/** Pipes held open by a stranger: reading ends when nothing came for this long ... */
const DRAIN_QUIET_MS = 100;
/** ... and after this long even if it keeps writing. */
const DRAIN_MS_MAX = 2_000;

/** Output that is told together with the news of it, bytes. */
const ALONG_BYTES_MAX = 4_096;
/**
 * A run that lives this long gets pid and start time into its record; until then its mark alone
 * identifies it. Spares the many short ones the cost.
 */
const IDENTIFY_MS = 50;

export interface LifePorts {
  clock: Clock;
  spawner: Spawner;
  spool: Spool;
  news(news: KeeperNews): void;
}

export interface Life {
  kept(): KeptRun;
  record(): RunRecord;
  output(): OutputLog;
  /** Resolves once the TERM was sent. */
  stop(cause: EndCause, graceMs: number, reason: string | null): Promise<void>;
  /** The reader was here: the next output is news again. */
  heard(): void;
  /** Resolves when the run has ended. */
  readonly over: Promise<void>;
}

function freshRecord(
  order: KeepOrder,
  tree: Tree,
  { boot, place, now }: { boot: string; place: string | undefined; now: number },
): RunRecord {
  const counters = { stdoutBytes: 0, stderrBytes: 0, stdoutLeftOut: 0, stderrLeftOut: 0, lastSeq: 0 };
  const open = { pid: null, endedAt: null, cause: null, exitCode: null, signal: null, reason: null };
  const kept = { run: order.run, state: 'running', startedAt: now, ...open, ...counters } as const;
  return { kept, tree, boot, ...(place === undefined ? {} : { place }), killGraceMs: order.killGraceMs };
}

/** Starts the order. `started` resolves when the process runs, has ended or could not start. */
export function beginLife(ports: LifePorts, order: KeepOrder): { life: Life; started: Promise<void> } {
  const { clock, spawner, spool, news } = ports;
  const mark = spawner.mark();
  let record = freshRecord(order, { mark, pid: null, ticks: null }, { boot: spawner.boot, place: spool.place, now: clock.now() });
  const log = createOutputLog(spool.segments(mark), order);
  let ending: Ending | undefined;
  let announced = false;
  let disarmTimeout: Disarm = () => {};
  let disarmIdentify: Disarm = () => {};
  let reads = 0;

  const change = (kept: Partial<KeptRun>) => {
    record = { ...record, kept: { ...record.kept, ...kept } };
  };
  const kept = (): KeptRun => ({
    ...record.kept,
    stdoutBytes: log.written('stdout') + gather.waiting('stdout'),
    stderrBytes: log.written('stderr') + gather.waiting('stderr'),
    stdoutLeftOut: log.leftOut('stdout'),
    stderrLeftOut: log.leftOut('stderr'),
    lastSeq: log.lastSeq(),
  });
  const tell = () => {
    change(kept());
    news({ type: 'changed', run: record.kept });
  };
  const gather = createGather(clock, (stream, at, data) => {
    log.add(stream, at, data);
    if (announced) return;
    // Little said for the first time comes along: most runs say no more, and the question would
    // cost as much as all the rest of it.
    const pieces = log.lastSeq() === 1 && data.length <= ALONG_BYTES_MAX ? log.read(0, ALONG_BYTES_MAX) : undefined;
    announced = pieces === undefined;
    news({ type: 'output', run: order.run, ...(pieces === undefined ? {} : { pieces }) });
  });

  function beginEnding(cause: EndCause, graceMs: number, reason: string | null): Ending {
    change({ state: 'ending', cause, reason });
    ending = endTree(ports, record.tree, graceMs);
    tell();
    return ending;
  }

  async function pump(stream: Stream, source: OutputSource): Promise<void> {
    for (let data = await source.read(); data !== null; data = await source.read()) {
      reads += 1;
      gather.take(stream, data);
    }
  }

  /** Waits for the end of both pipes, though not for strangers that hold them. */
  async function drain(pumps: Promise<unknown>, process: StartedProcess): Promise<void> {
    let open = true;
    const closed = pumps.then(() => {
      open = false;
    });
    const until = clock.monotonic() + DRAIN_MS_MAX;
    // Most runs have closed their pipes by now and need no timer.
    await new Promise<void>(resolve => clock.soon(resolve));
    while (open) {
      const before = reads;
      let disarm: Disarm = () => {};
      const quiet = new Promise<void>(resolve => {
        disarm = clock.after(DRAIN_QUIET_MS, resolve);
      });
      await Promise.race([closed, quiet]);
      disarm();
      if (open && (reads === before || clock.monotonic() >= until)) {
        process.stdout.cancel();
        process.stderr.cancel();
        return closed;
      }
    }
  }

  async function live(process: StartedProcess): Promise<void> {
    const pumps = Promise.all([pump('stdout', process.stdout), pump('stderr', process.stderr)]);
    const { code, signal } = await process.exit;
    disarmTimeout();
    disarmIdentify();
    change({ exitCode: code, signal, endedAt: clock.now() });
    if (ending !== undefined) ending.look();
    else {
      const leftRunning = await spawner.members(record.tree);
      if (leftRunning > 0) {
        change({ leftRunning });
        beginEnding('exit', Math.min(order.killGraceMs, LEFTOVER_GRACE_MS), null);
      }
    }
    await ending?.done;
    await drain(pumps, process);
    const endedByItself = ending === undefined || (await ending.asked).late;
    finish(endedByItself ? { cause: 'exit', reason: null } : {});
  }

  function finish(end: Partial<KeptRun>): void {
    gather.flush();
    log.finish(clock.now());
    change({ ...kept(), ...end, state: 'ended' });
    spool.record(record);
    news({ type: 'changed', run: record.kept });
  }

  async function start(): Promise<{ over: Promise<void> }> {
    // The intent first: a keeper that dies before the next record leaves a process that its
    // successor finds by this mark.
    if (!spool.record(record)) {
      finish({
        cause: 'startFailed',
        endedAt: clock.now(),
        startedAt: null,
        reason: `"${order.argv[0]}" was not started: the disk of the keeper is full`,
        fault: 'disk',
      });
      return { over: Promise.resolve() };
    }
    const { argv, cwd, env, user } = order;
    const answer = await spawner.start({ argv, cwd, env, ...(user && { user }), mark });
    if ('failed' in answer) {
      const fault = answer.fault === undefined ? {} : { fault: answer.fault };
      finish({ cause: 'startFailed', endedAt: clock.now(), startedAt: null, reason: answer.failed, ...fault });
      return { over: Promise.resolve() };
    }
    record = { ...record, tree: answer.started.tree };
    change({ pid: record.tree.pid });
    disarmIdentify = clock.after(IDENTIFY_MS, () => {
      record = { ...record, tree: spawner.identify?.(record.tree) ?? record.tree };
      spool.record(record);
    });
    if (order.timeoutMs > 0) disarmTimeout = clock.after(order.timeoutMs, () => void stop('timeout', order.killGraceMs, null));
    return { over: live(answer.started) };
  }

  async function stop(cause: EndCause, graceMs: number, reason: string | null): Promise<void> {
    await started;
    if (record.kept.state === 'ended') return;
    if (ending !== undefined) ending.hasten(graceMs);
    // Once its first process has ended, the verdict stands, and what is left is being ended anyway.
    else if (record.kept.endedAt === null) beginEnding(cause, graceMs, reason);
    await ending?.asked;
  }

  const begun = start();
  const started = begun.then(() => {});
  return {
    life: {
      kept,
      record: () => record,
      output: () => log,
      stop,
      heard: () => {
        announced = false;
      },
      over: begun.then(({ over }) => over),
    },
    started,
  };
}
