/** Runs that have not ended, with the state that is in memory alone. */
import type { RunRecord } from './records.ts';

export interface LiveRun {
  abort: AbortController;
  /**
   * `resumed`: found in the journal, not yet known whether the keeper has it. `queued`: waits for
   * a semaphore.
   */
  phase: 'resumed' | 'queued' | 'preparing' | 'started';
  /** The keeper was asked to start it: it may have started. */
  isRequested: boolean;
}

export interface LiveRuns extends ReadonlyMap<string, LiveRun> {
  add(key: string, record: RunRecord, phase: LiveRun['phase']): LiveRun;
  /** Idempotent. */
  remove(key: string, record: RunRecord): void;
  /** Whether a run of this execution is live. */
  hasExecution(execution: string): boolean;
}

export function createLiveRuns(): LiveRuns {
  const runs = new Map<string, LiveRun>();
  const perExecution = new Map<string, number>();
  return Object.assign(runs, {
    add(key: string, { run }: RunRecord, phase: LiveRun['phase']): LiveRun {
      const live: LiveRun = { abort: new AbortController(), phase, isRequested: false };
      runs.set(key, live);
      perExecution.set(run.execution, (perExecution.get(run.execution) ?? 0) + 1);
      return live;
    },
    remove(key: string, { run }: RunRecord): void {
      if (!runs.delete(key)) return;
      const left = (perExecution.get(run.execution) ?? 1) - 1;
      if (left > 0) perExecution.set(run.execution, left);
      else perExecution.delete(run.execution);
    },
    hasExecution: (execution: string): boolean => perExecution.has(execution),
  });
}
