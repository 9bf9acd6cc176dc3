/** How a run ended, in the words of the original. */
import type { ExecutionContext } from '../../../actors/execution/types.ts';

/** Go's names of the signals that end a process. */
const SIGNALS: Readonly<Record<string, string>> = {
  SIGHUP: 'hangup',
  SIGINT: 'interrupt',
  SIGQUIT: 'quit',
  SIGILL: 'illegal instruction',
  SIGTRAP: 'trace/breakpoint trap',
  SIGABRT: 'aborted',
  SIGBUS: 'bus error',
  SIGFPE: 'floating point exception',
  SIGKILL: 'killed',
  SIGUSR1: 'user defined signal 1',
  SIGSEGV: 'segmentation fault',
  SIGUSR2: 'user defined signal 2',
  SIGPIPE: 'broken pipe',
  SIGALRM: 'alarm clock',
  SIGTERM: 'terminated',
  SIGSTKFLT: 'stack fault',
  SIGXCPU: 'CPU time limit exceeded',
  SIGXFSZ: 'file size limit exceeded',
  SIGVTALRM: 'virtual timer expired',
  SIGPROF: 'profiling timer expired',
  SIGIO: 'I/O possible',
  SIGPWR: 'power failure',
  SIGSYS: 'bad system call',
};

const EXCEPTION = 'job execute exception:';
const TIMED_OUT = 'the job has been executed for too long and has exceeded the timeout threshold.';

/**
 * `outcome`: of the execution; null: it has not ended. `execution`: undefined where it is not kept
 * any more.
 */
export function execErr(outcome: string | null, execution: Pick<ExecutionContext, 'shards' | 'reason'> | undefined): string {
  if (outcome === 'timedOut') return TIMED_OUT;
  if (outcome !== 'failed' && outcome !== 'lost') return '';
  const shard = execution?.shards.find(each => each.outcome === outcome);
  if (outcome === 'failed' && shard?.signal) return `${EXCEPTION}signal: ${SIGNALS[shard.signal] ?? shard.signal}`;
  if (outcome === 'failed' && shard?.exitCode) return `${EXCEPTION}exit status ${shard.exitCode}`;
  return execution?.reason ?? shard?.reason ?? `the execution ${outcome === 'lost' ? 'was lost' : 'failed'}`;
}
