/**
 * Reports of runs, from the agents to the executions. Those of one run are delivered in order;
 * those that wait together share one commit of the execution. Runs are delivered concurrently.
 * Only a committed report is acknowledged. A failed one is retried while its session is open; after
 * that the agent sends it again.
 */

import { createBatch } from '../lib/batch.ts';
import type { Clock } from '../lib/clock.ts';
import { createSemaphore } from '../lib/semaphore.ts';
import { keyOfRun, type Report } from '../protocol/agent.ts';
import { Busy, NoSuchActor, Unavailable } from '../runtime/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type HubLimits, type HubLog, retryDelay } from './limits.ts';
import type { AgentSession } from './session.ts';

interface Waiting {
  from: AgentSession;
  host: string;
  report: Report;
  failures: number;
}

export interface ReportIntake {
  /** False: this session has too many reports waiting. */
  take(from: AgentSession, host: string, report: Report): boolean;
}

interface ReportParts {
  runtime: Pick<Runtime, 'tell'>;
  clock: Clock;
  limits: HubLimits;
  log: HubLog;
}

export function createReportIntake(parts: ReportParts): ReportIntake {
  const { clock, limits } = parts;
  const queues = new Map<string, Waiting[]>();
  const waitingOf = new WeakMap<AgentSession, number>();
  const slots = createSemaphore(limits.reportsAtOnce);

  const count = (from: AgentSession, change: number) => {
    const waiting = (waitingOf.get(from) ?? 0) + change;
    waitingOf.set(from, waiting);
    return waiting;
  };

  /**
   * An agent sends start and end of a short run in one message: both are queued before delivery
   * begins.
   */
  const ready = createBatch<string>({
    schedule: queueMicrotask,
    send(keys) {
      for (const key of keys) deliverNext(key);
    },
  });
  const deliverNext = (key: string) => void slots.run(() => deliverQueue(key));

  const deliverQueue = async (key: string) => {
    const queue = queues.get(key) ?? [];
    const batch = [...queue];
    const retries = await Promise.all(batch.map(waiting => (waiting.from.isOpen() ? deliver(parts, waiting) : undefined)));
    const left = batch.filter((_, index) => retries[index] !== undefined);
    for (const { from } of batch) count(from, -1);
    for (const { from } of left) count(from, 1);
    queue.splice(0, batch.length, ...left);
    const retryMs = retries.find(ms => ms !== undefined);
    // Only the queue of this run waits for the retry.
    if (retryMs !== undefined) clock.after(retryMs, () => deliverNext(key));
    else if (queue.length > 0) deliverNext(key);
    else queues.delete(key);
  };

  return {
    take(from, host, report) {
      if (count(from, 1) > limits.reportsWaitingMax) {
        count(from, -1);
        return false;
      }
      const key = keyOfRun(report.run);
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

/** Delivers a report. Resolves with the ms until the next try; undefined: it is committed. */
async function deliver({ runtime, limits, log }: ReportParts, waiting: Waiting): Promise<number | undefined> {
  const { from, host, report } = waiting;
  const { execution } = report.run;
  try {
    await runtime.tell(`execution/${execution}`, eventOf(host, from.number, report));
  } catch (problem) {
    // Retention deleted the execution: the report has no receiver.
    if (!(problem instanceof NoSuchActor)) {
      const isExpected = problem instanceof Unavailable || problem instanceof Busy;
      if (!isExpected && waiting.failures === 0) {
        log('error', `execution/${execution} cannot commit a report, which is tried again`, { host, run: keyOfRun(report.run), problem });
      }
      return retryDelay(limits, waiting.failures++);
    }
  }
  from.reported(report.id);
  return undefined;
}

function eventOf(host: string, session: number, report: Report) {
  const { item, attempt } = report.run;
  if (report.state === 'started') {
    const { at: startedAt, pid, directory } = report;
    const started = { type: 'shard.started', item, attempt, host, startedAt, pid, session } as const;
    return directory === undefined ? started : { ...started, directory };
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
