/**
 * News of runs, from the agents to the executions. Those of one run are told in order, and those
 * that wait together in one breath, so that one commit of the execution takes them; different runs
 * side by side. Only what is committed is acknowledged; what could not be is tried again as long as
 * its session lives, and after that the agent brings it again.
 */

import { createBatch } from '../lib/batch.ts';
import type { Clock } from '../lib/clock.ts';
import { createSemaphore } from '../lib/semaphore.ts';
import { type Report, runKey } from '../protocol/agent.ts';
import { Busy, NoSuchActor, Unavailable } from '../runtime/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type HubLimits, type HubLog, retryDelay } from './limits.ts';
import type { Session } from './session.ts';

interface Waiting {
  from: Session;
  host: string;
  report: Report;
  failures: number;
}

export interface ReportIntake {
  /** False: this session has too many reports waiting. */
  take(from: Session, host: string, report: Report): boolean;
}

export function createReportIntake(parts: { runtime: Pick<Runtime, 'tell'>; clock: Clock; limits: HubLimits; log: HubLog }): ReportIntake {
  const { runtime, clock, limits, log } = parts;
  const queues = new Map<string, Waiting[]>();
  const waitingOf = new WeakMap<Session, number>();
  const slots = createSemaphore(limits.reportsAtOnce);

  const count = (from: Session, change: number) => {
    const waiting = (waitingOf.get(from) ?? 0) + change;
    waitingOf.set(from, waiting);
    return waiting;
  };

  /**
   * An agent says in one message that a short run began and ended: both are here before the first
   * of them is told.
   */
  const ready = createBatch<string>({
    schedule: queueMicrotask,
    send(keys) {
      for (const key of keys) tell(key);
    },
  });
  const tell = (key: string) => void slots.run(() => tellAll(key));

  const tellAll = async (key: string) => {
    const queue = queues.get(key) ?? [];
    const told = [...queue];
    const retries = await Promise.all(told.map(waiting => (waiting.from.isOpen() ? tellOnce(waiting) : undefined)));
    const left = told.filter((_, place) => retries[place] !== undefined);
    for (const { from } of told) count(from, -1);
    for (const { from } of left) count(from, 1);
    queue.splice(0, told.length, ...left);
    const retryMs = retries.find(ms => ms !== undefined);
    if (retryMs !== undefined) {
      // Nothing is held meanwhile but this run's own line.
      clock.after(retryMs, () => tell(key));
    } else if (queue.length > 0) tell(key);
    else queues.delete(key);
  };

  /** When to try again; undefined when it is settled. */
  const tellOnce = async (waiting: Waiting): Promise<number | undefined> => {
    const { from, host, report } = waiting;
    try {
      await runtime.tell(`execution/${report.run.execution}`, newsOf(host, from.number, report));
    } catch (problem) {
      // Retention removed the execution: nobody wants to know any more.
      if (!(problem instanceof NoSuchActor)) {
        const expected = problem instanceof Unavailable || problem instanceof Busy;
        if (!expected && waiting.failures === 0) {
          log('error', `execution/${report.run.execution} does not take a report, it is tried again`, {
            host,
            run: runKey(report.run),
            problem,
          });
        }
        return retryDelay(limits, waiting.failures++);
      }
    }
    from.reported(report.id);
    return undefined;
  };

  return {
    take(from, host, report) {
      if (count(from, 1) > limits.reportsWaitingMax) {
        count(from, -1);
        return false;
      }
      const key = runKey(report.run);
      const queue = queues.get(key);
      const waiting = { from, host, report, failures: 0 };
      if (queue) queue.push(waiting);
      else {
        queues.set(key, [waiting]);
        ready.add(key);
      }
      return true;
    },
  };
}

function newsOf(host: string, session: number, report: Report) {
  const { item, attempt } = report.run;
  if (report.state === 'started') {
    return { type: 'shard.started', item, attempt, host, startedAt: report.at, pid: report.pid, session } as const;
  }
  return {
    type: 'shard.ended',
    item,
    attempt,
    host,
    outcome: report.outcome,
    exitCode: report.exitCode ?? null,
    signal: report.signal ?? null,
    startedAt: report.startedAt ?? null,
    finishedAt: report.at,
    reason: report.reason ?? null,
    output: report.output ?? null,
    ...(report.leftRunning === undefined ? {} : { leftRunning: report.leftRunning }),
    ...(report.parked ? { parked: true } : {}),
    ...(report.hostFault === undefined ? {} : { hostFault: report.hostFault }),
  } as const;
}
