/**
 * Every kind of actor, its commands, and its timers that measure a span. Readers need no more: the
 * machines (`machines.ts`) load in the threads that run actors.
 */
import { appKind } from './app/kind.ts';
import { executionKind } from './execution/kind.ts';
import { hostKind } from './host/kind.ts';
import { jobKind } from './job/kind.ts';
import { noticeKind } from './notice/kind.ts';
import { poolKind } from './pool/kind.ts';
import { tableKind } from './table/kind.ts';

export const actors = {
  job: jobKind,
  execution: executionKind,
  app: appKind,
  host: hostKind,
  pool: poolKind,
  table: tableKind,
  notice: noticeKind,
} as const;

/** Commands of each kind: they may be refused. All other events report. */
export const COMMANDS: ReadonlySet<string> = new Set([
  'job.register',
  'job.update',
  'job.trigger',
  'job.retry',
  'job.enable',
  'job.disable',
  'job.deregister',
  'job.kill',
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
 * Event types of timers that measure a span and do not wait for an instant of the calendar. When
 * the wall clock is set back they move back with it; otherwise they would fire that much too late.
 * When it is set ahead they fire early: harmless for a retry, and a host checks it (`LATE_MS`).
 */
export const SPAN_TIMERS: ReadonlySet<string> = new Set([
  'host.graceExpired',
  'execution.retryDue',
  'execution.reserveAgain',
  'execution.startOverdue',
  'execution.answerOverdue',
  'job.claimAgain',
  'notice.due',
]);
