/**
 * Cleanup after the end of a run: the keeper deletes it, its directories are deleted, its record is
 * closed.
 */
import type { Log } from '../../lib/log.ts';
import type { Journal } from '../journal.ts';
import type { KeeperClient } from '../keeper-client.ts';
import type { Artifacts, JobDirectories, WorkDirs } from '../ports.ts';

export interface RunCleanup {
  /** The center has all output of an ended run, or the agent has dropped it. Idempotent. */
  outputDone(key: string): void;
  removeFromKeeper(key: string): void;
  stopInKeeper(key: string, graceMs: number): void;
  /** `execution`: of its last run on this host. Never rejects. */
  removeDirectories(key: string, execution: string | undefined): Promise<void>;
  /** Only a repeated command needs the record from now on. Idempotent. */
  close(key: string): void;
}

export function createRunCleanup(parts: {
  log: Log;
  journal: Journal;
  keeperClient: KeeperClient;
  artifacts: Artifacts;
  jobDirectories: JobDirectories;
  workDirs: WorkDirs;
}): RunCleanup {
  const { log, journal, keeperClient } = parts;

  const logFailure = (key: string, what: string, work: Promise<unknown>): Promise<void> =>
    work.then(
      () => undefined,
      problem => log.warn(`${key}: ${what} failed`, { problem: String(problem) }),
    );
  const removeFromKeeper = (key: string) => {
    const removal = keeperClient.call(keeper => keeper.remove(key));
    void logFailure(key, 'the removal from the keeper', removal);
  };
  const close = (key: string) => {
    const record = journal.records.get(key);
    if (record && !record.closed) journal.note([{ run: key, set: { closed: true } }]);
  };

  return {
    removeFromKeeper,
    close,
    outputDone(key) {
      removeFromKeeper(key);
      close(key);
    },
    stopInKeeper(key, graceMs) {
      const stop = keeperClient.call(keeper => keeper.stop(key, graceMs));
      void logFailure(key, 'the stop in the keeper', stop);
    },
    async removeDirectories(key, execution) {
      await Promise.all([
        logFailure(key, 'the removal of its work directory', parts.workDirs.remove(key)),
        logFailure(key, 'the release of its app', parts.artifacts.release(key, execution)),
        logFailure(key, 'the release of the directory of its job', parts.jobDirectories.release(key)),
      ]);
    },
  };
}
