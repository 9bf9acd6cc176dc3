/**
 * Runs of an earlier agent process. A start that the keeper does not have begins once a keeper is
 * connected and a center has welcomed this agent, and `resumeMs` later: the center may withdraw it.
 */
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Journal } from '../journal.ts';
import type { AgentSpans } from '../limits.ts';
import type { Artifacts, JobDirectories } from '../ports.ts';
import type { RunCleanup } from './cleanup.ts';
import type { LiveRun, LiveRuns } from './live-runs.ts';
import type { RunRecord } from './records.ts';

export interface Resumption {
  /**
   * Cleans up after ended runs, loses those of another boot and of the original of a copied data
   * directory; all others wait for the keeper.
   */
  resume(): void;
  welcomed(): void;
  /** `known`: the runs that the keeper has. */
  keeperConnected(known: ReadonlySet<string>): void;
  /** Begins or ends the resumed runs, as far as keeper and center allow it. Idempotent. */
  proceed(): void;
}

export function createResumption(parts: {
  clock: Clock;
  log: Log;
  spans: AgentSpans;
  bootId: string;
  dataDirId: string | undefined;
  journal: Journal;
  artifacts: Artifacts;
  jobDirectories: JobDirectories;
  cleanup: RunCleanup;
  live: LiveRuns;
  begin(key: string, live: LiveRun): void;
  finishUnstarted(key: string, record: RunRecord): Promise<void>;
  lose(key: string, reason: string): Promise<void>;
}): Resumption {
  const { clock, log, spans, bootId, dataDirId, journal, cleanup, live, lose } = parts;
  let isKeeperConnected = false;
  let isWelcomed = false;
  let mayBegin = false;

  const proceed = () => {
    if (!isKeeperConnected) return;
    for (const [key, one] of [...live]) {
      const record = journal.records.get(key);
      if (!record || one.phase !== 'resumed') continue;
      if (record.stop) void parts.finishUnstarted(key, record);
      else if (mayBegin) parts.begin(key, one);
    }
  };

  /** The keeper may have runs that the journal lost: they keep their directories, too. */
  const settleDirectories = (known: ReadonlySet<string>) => {
    parts.jobDirectories.settle(new Set([...live.keys(), ...known])).catch(problem => {
      log.warn('the removal of directories of jobs failed', { problem: String(problem) });
    });
  };

  /** Why this agent must not continue the run. */
  const lossOf = (record: RunRecord): string | undefined => {
    if (record.bootId !== bootId) return record.started ? 'the machine restarted while it ran' : 'the machine restarted before it began';
    // The keeper has a started run. One that has not started may begin at any moment on the host
    // with the original of the directory.
    const isCopied = record.dataDirId !== null && dataDirId !== undefined && record.dataDirId !== dataDirId;
    return isCopied && !record.started ? "its agent's data directory was copied before it began, and another agent may run it" : undefined;
  };

  return {
    proceed,
    resume() {
      for (const [key, record] of journal.records)
        if (record.endedAt === null && lossOf(record) === undefined) live.add(key, record, record.started ? 'started' : 'resumed');
      parts.artifacts.sweep([...live.keys()]).catch(problem => {
        log.warn('the removal of apps of earlier runs failed', { problem: String(problem) });
      });
      for (const [key, record] of journal.records) {
        const { execution } = record.run;
        if (record.endedAt !== null) {
          if (!record.closed) void cleanup.removeDirectories(key, live.hasExecution(execution) ? undefined : execution);
        } else {
          const reason = lossOf(record);
          if (reason !== undefined) void lose(key, reason);
        }
      }
    },
    welcomed() {
      if (isWelcomed) return;
      isWelcomed = true;
      const begin = () => {
        mayBegin = true;
        proceed();
      };
      if (spans.resumeMs === 0) begin();
      else clock.after(spans.resumeMs, begin);
    },
    keeperConnected(known) {
      for (const [key, record] of journal.records) {
        if (known.has(key)) continue;
        if (record.endedAt !== null) cleanup.close(key);
        else if (record.started) void lose(key, 'its keeper does not know it any more').then(() => cleanup.close(key));
      }
      if (!isKeeperConnected) settleDirectories(known);
      isKeeperConnected = true;
      proceed();
    },
  };
}
