/**
 * Commands that a host does not carry out: too large for a frame, unreadable to its agent, or never
 * acknowledged. Their shards would wait for ever, so the execution receives their end instead. A
 * start that was rejected or not sent is failed. The outcome of all others is unknown: lost.
 */

import type { Clock } from '../lib/clock.ts';
import { CENTER_FRAME_MAX, type Command, keyOfRun } from '../protocol/agent.ts';
import { NoSuchActor } from '../runtime/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Undeliverable } from './host-sessions.ts';
import { type HubLimits, type HubLog, retryDelay } from './limits.ts';

export interface Undelivered {
  /**
   * Sends the shard's end to the execution until it is committed; then acknowledges the command.
   */
  take(host: string, command: Command, why: Undeliverable): void;
  stop(): void;
}

export function createUndelivered(parts: {
  runtime: Pick<Runtime, 'tell'>;
  clock: Clock;
  limits: HubLimits;
  log: HubLog;
  acknowledge(host: string, key: string): void;
}): Undelivered {
  const { runtime, clock, limits, log, acknowledge } = parts;
  const sending = new Set<string>();
  let isStopped = false;

  const send = async (host: string, command: Command, why: Undeliverable, failures = 0): Promise<void> => {
    if (isStopped) return;
    try {
      await runtime.tell(`execution/${command.run.execution}`, eventOf(host, command, why, limits, clock.now()));
    } catch (problem) {
      // A deleted execution has no waiting shard.
      if (!(problem instanceof NoSuchActor)) {
        clock.after(retryDelay(limits, failures), () => void send(host, command, why, failures + 1));
        return;
      }
    }
    sending.delete(command.key);
    acknowledge(host, command.key);
  };

  return {
    take(host, command, why) {
      log('error', `host/${host} does not carry out a ${command.type}: ${reasonOf(command, why, limits)}`, {
        key: command.key,
        run: keyOfRun(command.run),
      });
      // No shard waits for other stops. Unanswered ones stay pending until they are acknowledged.
      if (command.type === 'stop' && command.as !== 'cancelled') {
        if (why.because !== 'unanswered') acknowledge(host, command.key);
        return;
      }
      if (sending.has(command.key)) return;
      sending.add(command.key);
      void send(host, command, why);
    },
    stop() {
      isStopped = true;
    },
  };
}

function reasonOf({ type, key }: Command, why: Undeliverable, limits: HubLimits): string {
  const command = `the command to ${type === 'start' ? 'start' : 'end'} it`;
  switch (why.because) {
    case 'tooLarge':
      return `${command} is larger than a frame of ${CENTER_FRAME_MAX} bytes; shorten its command, environment or parameter`;
    case 'unreadable':
      return `its agent cannot read ${command} (${why.message}); update the agent`;
    case 'failed':
      return `its agent cannot carry out ${command}: ${why.message}`;
    case 'unanswered':
      return `its agent did not acknowledge ${command} within ${limits.commandAnswerMs / 1_000} s (${key})`;
  }
}

function eventOf(host: string, command: Command, why: Undeliverable, limits: HubLimits, at: number) {
  const { execution, item, attempt } = command.run;
  const reason = reasonOf(command, why, limits);
  if (why.because === 'unanswered') return { type: 'shard.unanswered' as const, host, runs: [{ execution, item, attempt }], reason };
  const outcome = command.type === 'start' ? ('failed' as const) : ('lost' as const);
  const nothing = { exitCode: null, signal: null, startedAt: null, output: null };
  return { type: 'shard.ended', item, attempt, host, outcome, finishedAt: at, reason, ...nothing } as const;
}
