/**
 * Commands that one host has not acknowledged. Each is sent at once, in order. The end of the
 * session rejects them; their effects stay pending for the next session.
 */

import type { Clock } from '../lib/clock.ts';
import type { Command } from '../protocol/agent.ts';
import { Busy } from '../runtime/errors.ts';
import { HostAway } from '../runtime/fleet.ts';

interface Open {
  command: Command;
  /** Monotonic ms at which it was sent; undefined before the welcome. */
  sentAt: number | undefined;
  isOverdue: boolean;
  promise: Promise<void>;
  resolve(): void;
  reject(problem: Error): void;
}

export interface CommandQueue {
  /**
   * Resolves when `acknowledge` is called with its key. An open command is not sent again. Rejects
   * with Busy beyond the limit, with HostAway by `abandon`.
   */
  send(command: Command): Promise<void>;
  /** Sends open commands by `transmit`, and from now on each new one. */
  connect(transmit: (command: Command) => void): void;
  acknowledge(key: string): void;
  /** The open command of this key. */
  get(key: string): Command | undefined;
  /**
   * Open commands that were sent more than `ms` ago, each once. `stalledMs`: time since the last
   * call for which this process slept; it does not count.
   */
  overdue(ms: number, stalledMs: number): Command[];
  /** Rejects all open commands with HostAway. */
  abandon(reason: string): void;
}

export function createCommandQueue(host: string, max: number, clock: Pick<Clock, 'monotonic'>): CommandQueue {
  const open = new Map<string, Open>();
  let transmit: ((command: Command) => void) | undefined;
  const sendNow = (one: Open) => {
    if (!transmit) return;
    one.sentAt = clock.monotonic();
    transmit(one.command);
  };

  return {
    send(command) {
      const known = open.get(command.key);
      if (known) return known.promise;
      if (open.size >= max) return Promise.reject(new Busy(`host/${host} has not acknowledged ${max} commands; try again later`));
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const one: Open = { command, sentAt: undefined, isOverdue: false, promise, resolve, reject };
      open.set(command.key, one);
      sendNow(one);
      return promise;
    },
    connect(by) {
      transmit = by;
      for (const one of [...open.values()]) sendNow(one);
    },
    acknowledge(key) {
      const one = open.get(key);
      open.delete(key);
      one?.resolve();
    },
    get: key => open.get(key)?.command,
    overdue(ms, stalledMs) {
      const now = clock.monotonic();
      const found: Command[] = [];
      for (const one of open.values()) {
        if (one.sentAt === undefined) continue;
        one.sentAt += stalledMs;
        if (one.isOverdue || now - one.sentAt < ms) continue;
        one.isOverdue = true;
        found.push(one.command);
      }
      return found;
    },
    abandon(reason) {
      transmit = undefined;
      const gone = [...open.values()];
      open.clear();
      for (const one of gone) one.reject(new HostAway(`host/${host} is away: ${reason}`));
    },
  };
}
