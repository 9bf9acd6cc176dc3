/**
 * The life of a run on its host.
 *
 *   (durable start) -> queued -> preparing -> with the keeper -> ended -> settled
 *                         \___________\_____________________________/
 *                           stopped, parked, could not be prepared
 *
 * What the keeper knows is the truth about processes, what the journal knows is what the center was
 * promised; after any crash the two are laid side by side and the rest follows. Each step may be
 * repeated.
 */
import { type Clock, pause } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { type Hello, type Run, runKey, type StartedReport } from '../../protocol/agent.ts';
import type { RunStatus, SpooledChunk } from '../../protocol/keeper.ts';
import type { Journal } from '../journal.ts';
import type { KeeperClient } from '../keeper-client.ts';
import type { AgentSpans } from '../limits.ts';
import type { Output, Spooled } from '../output.ts';
import { type Ending, endedReport, endingOf, stoppedAs } from './outcome.ts';
import { createPreparing, type Live } from './prepare.ts';
import { type Change, mustEnd, type RunRecord } from './records.ts';
import type { Reports } from './reports.ts';
import type { OrderParts } from './start-request.ts';

/** Grace for a process whose own is not known any more. */
const UNKNOWN_GRACE_MS = 10_000;
/** Confirmed runs: as many as fit into a hello beside those that have not ended. */
const CONFIRMED_MAX = 1_000;

export interface Runs {
  /**
   * After a restart: what ended is tidied, what belongs to an earlier life of the machine or to a
   * directory that this one was copied from is lost, the rest waits for the keeper.
   */
  resume(): void;
  /**
   * A center has welcomed this agent. What was ordered by an earlier life of it and never began
   * begins only after this, and a little later: its host may have been given up meanwhile, and then
   * the order to leave it alone comes first.
   */
  welcomed(): void;
  /** The start is durable. */
  begin(key: string): void;
  /** The stop is in the record. Stopping twice is fine. */
  stop(key: string): void;
  /** The keeper says how a run is. */
  heard(kept: RunStatus): void;
  /** A keeper was opened and these are all the runs it knows. */
  opened(kept: RunStatus[]): void;
  /** `pieces`: all there is to read. */
  news(key: string, pieces?: SpooledChunk[]): void;
  delivered(key: string): void;
  /** What this agent answers for. */
  list(): Hello['runs'];
  /** The runs that ended last, of those whose end a center has confirmed. */
  confirmed(): Run[];
  count(): number;
  /** The agent stops on purpose: no preparation that it breaks off here counts as a death. */
  breakOff(): void;
}

export interface RunsParts extends OrderParts {
  clock: Clock;
  log: Log;
  spans: AgentSpans;
  bootId: string;
  place: string | undefined;
  journal: Journal;
  keeperClient: KeeperClient;
  reports: Reports;
  output: Output;
  signal: AbortSignal;
  /** Whether the disk takes a file of some size now. Never rejects. */
  diskTakes(): Promise<boolean>;
}

const spooledOf = ({ lastSeq, stdoutBytes, stderrBytes, stdoutLeftOut, stderrLeftOut }: RunStatus, at: number): Spooled => ({
  lastSeq,
  bytes: stdoutBytes + stderrBytes - stdoutLeftOut - stderrLeftOut,
  at,
});

export function createRuns(parts: RunsParts): Runs {
  const { clock, log, journal, keeperClient, reports, output } = parts;
  const live = new Map<string, Live>();
  const liveOf = new Map<string, number>();

  const enter = (key: string, record: RunRecord, phase: Live['phase']): Live => {
    const entry: Live = { abort: new AbortController(), phase, handed: false };
    live.set(key, entry);
    liveOf.set(record.run.execution, (liveOf.get(record.run.execution) ?? 0) + 1);
    return entry;
  };

  const leave = (key: string, record: RunRecord) => {
    if (!live.delete(key)) return;
    const left = (liveOf.get(record.run.execution) ?? 1) - 1;
    if (left > 0) liveOf.set(record.run.execution, left);
    else liveOf.delete(record.run.execution);
  };

  /**
   * Does not return before the changes are on the disk, however long that takes; only the end of
   * the agent ends it earlier, and then nothing was told.
   */
  const durably = async (changes: Change[]): Promise<void> => {
    for (let left = changes; ; left = []) {
      try {
        return await journal.write(left, { reserve: true });
      } catch (problem) {
        log.error('the journal cannot be written, trying again', { problem: String(problem), inMs: parts.spans.journalRetryMs });
        await pause(clock, parts.spans.journalRetryMs, parts.signal);
        if (parts.signal.aborted) return new Promise(() => undefined);
      }
    }
  };

  const attempt = (what: string, doing: Promise<unknown>): Promise<void> =>
    doing.then(
      () => undefined,
      problem => log.warn(`${what} failed`, { problem: String(problem) }),
    );

  const tidy = (key: string, record: RunRecord): Promise<unknown> =>
    Promise.all([
      attempt(`${key}: removing its work directory`, parts.workDirs.remove(key)),
      attempt(
        `${key}: releasing its app`,
        parts.artifacts.release(key, liveOf.has(record.run.execution) ? undefined : record.run.execution),
      ),
    ]);

  const settle = (key: string) => {
    const record = journal.records.get(key);
    if (record && !record.settled) journal.note([{ run: key, set: { settled: true } }]);
  };

  const finish = async (key: string, ending: Ending, spool: Spooled | 'none' | 'unknown'): Promise<void> => {
    const record = journal.records.get(key);
    if (!record || record.endedAt !== null) return;
    const report = endedReport(journal.nextId(), record, ending);
    leave(key, record);
    // A busy host ends a thousand a second: what went well is for whoever looks closely.
    const say = ending.outcome === 'succeeded' ? log.debug : log.info;
    say(`${key}: ended, ${ending.outcome}`, { exitCode: ending.exitCode, signal: ending.signal, reason: report.reason });
    await durably([{ run: key, set: { endedAt: ending.at, spec: null, unreported: [...record.unreported, report] } }]);
    reports.add(report);
    await tidy(key, record);
    if (spool === 'none') settle(key);
    else if (spool !== 'unknown') output.ended(record.run, record.outputKept, spool);
  };

  const lose = (key: string, reason: string) => finish(key, { outcome: 'lost', at: Math.round(clock.now()), reason }, 'unknown');

  const started = async (kept: RunStatus, record: RunRecord): Promise<void> => {
    if (record.kept || record.endedAt !== null) return;
    const entry = live.get(kept.run);
    if (entry) entry.phase = 'kept';
    const at = Math.round(kept.startedAt ?? clock.now());
    const report: StartedReport = { type: 'report', id: journal.nextId(), run: record.run, state: 'started', at, pid: kept.pid ?? 0 };
    log.debug(`${kept.run}: started`, { pid: kept.pid });
    await durably([{ run: kept.run, set: { kept: true, startedAt: at, unreported: [...record.unreported, report] } }]);
    reports.add(report);
  };

  const stopKept = (key: string, graceMs: number) =>
    void attempt(
      `${key}: stopping it`,
      keeperClient.call(keeper => keeper.stop(key, graceMs)),
    );

  const forget = (key: string) =>
    void attempt(
      `${key}: forgetting it in the keeper`,
      keeperClient.call(keeper => keeper.remove(key)),
    );

  const heard = (kept: RunStatus) => {
    const key = kept.run;
    const record = journal.records.get(key);
    if (!record || record.settled) {
      // Without an owner: the journal was lost, or a crash left it behind a settled run.
      return kept.state === 'ended' ? forget(key) : kept.state === 'running' ? stopKept(key, UNKNOWN_GRACE_MS) : undefined;
    }
    if (kept.state !== 'ended') {
      if (record.endedAt === null) void started(kept, record);
      if (kept.state === 'running' && (mustEnd(record) || record.endedAt !== null))
        stopKept(key, record.spec?.killGraceMs ?? UNKNOWN_GRACE_MS);
      return;
    }
    if (record.endedAt !== null) return output.ended(record.run, record.outputKept, spooledOf(kept, record.endedAt));
    if (kept.cause !== 'startFailed' && kept.startedAt !== null) void started(kept, record);
    const ending = endingOf(kept, record, clock.now());
    void finish(key, ending, spooledOf(kept, ending.at));
  };

  let isKeeperOpen = false;
  let mayResume = false;
  let isWelcomed = false;
  /** Those of an earlier life that neither began nor were called off. */
  const beginResumed = () => {
    if (!isKeeperOpen) return;
    for (const [key, entry] of [...live]) {
      const record = journal.records.get(key);
      if (!record || entry.phase !== 'resumed') continue;
      if (record.stop) void finish(key, { ...stoppedAs(record), at: Math.round(clock.now()) }, 'none');
      else if (mayResume) begin(key, entry);
    }
  };

  /** Why this agent must not go on with what its journal says. */
  const notOurs = (record: RunRecord): string | undefined => {
    if (record.bootId !== parts.bootId) return record.kept ? 'the machine restarted while it ran' : 'the machine restarted before it began';
    // What has a process is known by the keeper that holds it. What has none may be begun at any
    // moment by whoever has the original.
    const isCopied = record.place !== null && parts.place !== undefined && record.place !== parts.place;
    return isCopied && !record.kept ? "its agent's data directory was copied before it began, and another agent may run it" : undefined;
  };

  const { begin } = createPreparing({ ...parts, finish: (key, ending) => finish(key, ending, 'none'), heard });

  return {
    heard,
    resume() {
      for (const [key, record] of journal.records) {
        if (record.endedAt !== null || notOurs(record) !== undefined) continue;
        enter(key, record, record.kept ? 'kept' : 'resumed');
      }
      void attempt('removing what runs of before left of their apps', parts.artifacts.sweep([...live.keys()]));
      for (const [key, record] of journal.records) {
        if (record.endedAt !== null) {
          if (!record.settled) void tidy(key, record);
        } else {
          const reason = notOurs(record);
          if (reason !== undefined) void lose(key, reason);
        }
      }
    },
    welcomed() {
      if (isWelcomed) return;
      isWelcomed = true;
      const go = () => {
        mayResume = true;
        beginResumed();
      };
      if (parts.spans.resumeMs === 0) go();
      else clock.after(parts.spans.resumeMs, go);
    },
    begin(key) {
      const record = journal.records.get(key);
      if (record && record.endedAt === null && !live.has(key)) begin(key, enter(key, record, 'queued'));
    },
    stop(key) {
      const record = journal.records.get(key);
      const entry = live.get(key);
      if (!record || !entry) return;
      entry.abort.abort();
      // It need not wait for its turn to learn that it is not wanted.
      if (entry.phase === 'queued') void finish(key, { ...stoppedAs(record), at: Math.round(clock.now()) }, 'none');
      if (entry.phase === 'resumed') beginResumed();
      if (record.kept && mustEnd(record)) stopKept(key, record.spec?.killGraceMs ?? UNKNOWN_GRACE_MS);
    },
    opened(kept) {
      const known = new Set(kept.map(one => one.run));
      for (const one of kept) {
        heard(one);
        const record = journal.records.get(one.run);
        if (record && one.state !== 'ended') output.news(record.run, record.outputKept);
      }
      for (const [key, record] of journal.records) {
        if (known.has(key)) continue;
        if (record.endedAt !== null) settle(key);
        else if (record.kept) void lose(key, 'its keeper does not know it any more').then(() => settle(key));
      }
      isKeeperOpen = true;
      beginResumed();
    },
    news(key, pieces) {
      const record = journal.records.get(key);
      if (record && !record.settled) output.news(record.run, record.outputKept, pieces);
    },
    delivered(key) {
      forget(key);
      settle(key);
    },
    list: () =>
      [...journal.records.values()].flatMap((record): Hello['runs'] => {
        // Also what has ended, as long as the center has not confirmed it: else it would take a run
        // for lost whose end is on its way.
        if (record.endedAt !== null) return record.unreported.length > 0 ? [{ run: record.run, state: 'ended' as const }] : [];
        if (!live.has(runKey(record.run))) return [];
        return [
          { run: record.run, state: mustEnd(record) ? ('ending' as const) : record.kept ? ('running' as const) : ('preparing' as const) },
        ];
      }),
    confirmed: () =>
      [...journal.records.values()]
        .filter(({ verdict, unreported }) => verdict !== null && unreported.length === 0)
        .slice(-CONFIRMED_MAX)
        .map(({ run }) => run),
    count: () => live.size,
    breakOff() {
      for (const [key, entry] of live) {
        const record = journal.records.get(key);
        entry.abort.abort();
        if (entry.phase === 'preparing' && record && record.preparations > 0) {
          journal.note([{ run: key, set: { preparations: record.preparations - 1 } }]);
        }
      }
    },
  };
}
