/**
 * The runs of this host.
 *
 *   (durable start) -> queued -> preparing -> started -> ended -> closed
 *                         \___________\____________________/
 *                           stopped, parked, preparation failed
 *
 * The keeper knows the processes, the journal knows the promises to the center. After a crash of
 * either, `resume` and `keeperConnected` compare the two. Every step may be repeated.
 */
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { type Hello, keyOfRun, type Run } from '../../protocol/agent.ts';
import type { RunStatus, SpooledChunk } from '../../protocol/keeper.ts';
import type { Journal } from '../journal.ts';
import type { KeeperClient } from '../keeper-client.ts';
import type { AgentSpans } from '../limits.ts';
import type { RunCleanup } from './cleanup.ts';
import { createLiveRuns } from './live-runs.ts';
import { stopOutcome, verdictOf } from './outcome.ts';
import type { OutputSender, SpooledOutput } from './output.ts';
import { createPreparation } from './prepare.ts';
import { mustEnd, type RunRecord } from './records.ts';
import type { Reports } from './reports.ts';
import { createResumption } from './resumption.ts';
import type { StartRequestParts } from './start-request.ts';
import { createTransitions, type Transitions } from './transitions.ts';

/** Grace of a process whose own is not known, ms. */
const UNKNOWN_GRACE_MS = 10_000;
/** Acknowledged ends in a hello: as many as fit beside the live runs. */
const ACKNOWLEDGED_MAX = 1_000;

export interface Runs {
  /** After a restart of the agent. Once. */
  resume(): void;
  /**
   * A center has welcomed this agent. Starts of an earlier process begin only after this, and a
   * little later: a withdrawal of the center then comes first. Idempotent.
   */
  welcomed(): void;
  /** The start is durable. */
  begin(key: string): void;
  /** The stop is in the record. Idempotent. */
  stop(key: string): void;
  /** Ends the run from this host. */
  end(key: string, as: 'disconnected' | 'superseded', reason: string): void;
  /** A keeper is connected and has these runs alone. */
  keeperConnected(statuses: RunStatus[]): void;
  statusChanged(status: RunStatus): void;
  /** `chunks`: all new output. */
  outputWritten(key: string, chunks?: SpooledChunk[]): void;
  /** The runs that this agent is responsible for. */
  list(): Hello['runs'];
  /** The last ended runs whose end a center has acknowledged. */
  acknowledgedEnds(): Run[];
  /** The number of live runs. */
  count(): number;
  /** The agent stops on purpose: its unfinished preparations do not count as crashes. */
  breakOff(): void;
}

export interface RunsParts extends StartRequestParts {
  clock: Clock;
  log: Log;
  spans: AgentSpans;
  bootId: string;
  dataDirId: string | undefined;
  journal: Journal;
  keeperClient: KeeperClient;
  reports: Reports;
  output: OutputSender;
  cleanup: RunCleanup;
  signal: AbortSignal;
  /** Whether the disk takes a file of some size now. Never rejects. */
  diskTakes(): Promise<boolean>;
}

const graceOf = (record: RunRecord): number => record.spec?.killGraceMs ?? UNKNOWN_GRACE_MS;
const spooledOutput = (status: RunStatus, at: number): SpooledOutput => ({
  lastSeq: status.lastSeq,
  bytes: status.stdoutBytes + status.stderrBytes - status.stdoutLeftOut - status.stderrLeftOut,
  at,
});

export function createRuns(parts: RunsParts): Runs {
  const { clock, journal, log, output, cleanup } = parts;
  const live = createLiveRuns();
  const { started, finish, lose } = createTransitions({ ...parts, live });
  const finishUnstarted = (key: string, record: RunRecord) => finish(key, { ...stopOutcome(record), at: Math.round(clock.now()) }, 'none');

  const statusChanged = createStatusReceiver(parts, { started, finish });

  const preparation = createPreparation({
    ...parts,
    finish: (key, verdict) => finish(key, verdict, 'none'),
    onStatus: statusChanged,
  });
  const resumption = createResumption({ ...parts, live, begin: preparation.begin, finishUnstarted, lose });

  const stop = (key: string) => {
    const record = journal.records.get(key);
    const one = live.get(key);
    if (!record || !one) return;
    one.abort.abort();
    // A queued run need not wait for its semaphore to end.
    if (one.phase === 'queued') void finishUnstarted(key, record);
    if (one.phase === 'resumed') resumption.proceed();
    if (record.started && mustEnd(record)) cleanup.stopInKeeper(key, graceOf(record));
  };

  return {
    resume: resumption.resume,
    welcomed: resumption.welcomed,
    statusChanged,
    stop,
    begin(key) {
      const record = journal.records.get(key);
      if (record && record.endedAt === null && !live.has(key)) preparation.begin(key, live.add(key, record, 'queued'));
    },
    end(key, as, reason) {
      log.warn(`${key}: stopped, ${reason}`);
      // A failed write costs nothing: the keeper's status ends the run in the same way.
      void journal
        .write([{ run: key, set: { stop: { as, reason } } }], { reserve: true })
        .catch(() => undefined)
        .then(() => stop(key));
    },
    keeperConnected(statuses) {
      for (const status of statuses) {
        statusChanged(status);
        const record = journal.records.get(status.run);
        if (record && status.state !== 'ended') output.written(record.run, record.outputAcknowledged);
      }
      resumption.keeperConnected(new Set(statuses.map(({ run }) => run)));
    },
    outputWritten(key, chunks) {
      const record = journal.records.get(key);
      if (record && !record.closed) output.written(record.run, record.outputAcknowledged, chunks);
    },
    list: () => [...journal.records.values()].flatMap(record => listed(record, live.has(keyOfRun(record.run)))),
    acknowledgedEnds: () =>
      [...journal.records.values()]
        .filter(({ verdict, unreported }) => verdict !== null && unreported.length === 0)
        .slice(-ACKNOWLEDGED_MAX)
        .map(({ run }) => run),
    count: () => live.size,
    breakOff() {
      for (const [key, one] of live) {
        const record = journal.records.get(key);
        one.abort.abort();
        if (one.phase === 'preparing' && record && record.preparations > 0)
          journal.note([{ run: key, set: { preparations: record.preparations - 1 } }]);
      }
    },
  };
}

/** Brings the record of a run up to the keeper's status of it. Idempotent. */
function createStatusReceiver(
  { clock, journal, cleanup, output }: Pick<RunsParts, 'clock' | 'journal' | 'cleanup' | 'output'>,
  { started, finish }: Pick<Transitions, 'started' | 'finish'>,
): (status: RunStatus) => void {
  return status => {
    const key = status.run;
    const record = journal.records.get(key);
    if (!record || record.closed) {
      // Unknown: the journal was lost, or a crash left the run behind a closed record.
      if (status.state === 'ended') {
        cleanup.removeFromKeeper(key);
        void cleanup.removeDirectories(key, undefined);
      } else if (status.state === 'running') cleanup.stopInKeeper(key, UNKNOWN_GRACE_MS);
      return;
    }
    if (status.state !== 'ended') {
      if (record.endedAt === null) void started(status, record);
      if (status.state === 'running' && (mustEnd(record) || record.endedAt !== null)) cleanup.stopInKeeper(key, graceOf(record));
      return;
    }
    if (record.endedAt !== null) return output.ended(record.run, record.outputAcknowledged, spooledOutput(status, record.endedAt));
    if (status.cause !== 'startFailed' && status.startedAt !== null) void started(status, record);
    const verdict = verdictOf(status, record, clock.now());
    void finish(key, verdict, spooledOutput(status, verdict.at));
  };
}

/**
 * With an ended run until the center has acknowledged its end: the center would count it as lost
 * while the report is in transit.
 */
function listed(record: RunRecord, isLive: boolean): Hello['runs'] {
  const { run, endedAt, unreported, started } = record;
  if (endedAt !== null) return unreported.length > 0 ? [{ run, state: 'ended' }] : [];
  if (!isLive) return [];
  return [{ run, state: mustEnd(record) ? 'ending' : started ? 'running' : 'preparing' }];
}
