/** Every kind of actor with its machine; all other types of the runtime are derived from here. */
import * as app from './app/machine.ts';
import * as execution from './execution/machine.ts';
import * as host from './host/machine.ts';
import * as job from './job/machine.ts';
import * as pool from './pool/machine.ts';

export const actors = { job, execution, app, host, pool } as const;

export type { Address, Effect, Events, Kind, RunName, Stamp } from './vocabulary.ts';
export { runKey } from './vocabulary.ts';

export interface Contexts {
  job: job.JobContext;
  execution: execution.ExecutionContext;
  app: app.AppContext;
  host: host.HostContext;
  pool: pool.PoolContext;
}

/** Commands of each kind: they ask, and may be refused. Everything else is news. */
export const COMMANDS: ReadonlySet<string> = new Set([
  'job.register',
  'job.update',
  'job.trigger',
  'job.retry',
  'job.enable',
  'job.disable',
  'job.deregister',
  'execution.cancel',
  'app.publish',
  'app.modify',
  'app.enable',
  'app.disable',
  'app.delete',
  'host.enroll',
  'host.drain',
  'host.resume',
  'host.retire',
  'host.delete',
  'pool.create',
  'pool.modify',
  'pool.delete',
]);

/**
 * Timers that measure a span rather than wait for an instant of the calendar, by the event they
 * bring. They move back with a wall clock that is set back, or they would come as much too late.
 * Set ahead it brings them early, which retries may be, and which hosts judge by themselves
 * (`LATE_MS`).
 */
export const SPANS: ReadonlySet<string> = new Set([
  'host.graceOver',
  'execution.retryDue',
  'execution.askAgain',
  'execution.startOverdue',
  'execution.answerOverdue',
]);
