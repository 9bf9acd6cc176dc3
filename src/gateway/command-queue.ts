/**
 * The commands one host has not acknowledged. They go out at once and in order; the end of the
 * session gives them back to whoever owes them.
 */

import type { Clock } from '../lib/clock.ts';
import type { Command } from '../protocol/agent.ts';
import { Busy } from '../runtime/errors.ts';
import { HostAway } from '../runtime/fleet.ts';

interface Open {
  command: Command;
  /** Monotonic ms at which it left; undefined while it waits for the welcome. */
  sentAt: number | undefined;
  isOverdue: boolean;
  promise: Promise<void>;
  resolve(): void;
  reject(problem: Error): void;
}

export interface CommandQueue {
  /**
   * Resolves once `acknowledge` names its key. One that is open already is not sent again. Rejects
   * with Busy beyond the limit, HostAway by `abandon`.
   */
  send(command: Command): Promise<void>;
  /** From now on commands leave through `transmit`, those of before first. */
  connect(transmit: (command: Command) => void): void;
  acknowledge(key: string): void;
  /** The open command of this key. */
  get(key: string): Command | undefined;
  /**
   * Commands that left longer than `ms` ago and are open, each once. `stalledMs`: time in which
   * this process could not have received an answer.
   */
  overdue(ms: number, stalledMs: number): Command[];
  abandon(reason: string): void;
}

export function createCommandQueue(host: string, max: number, clock: Pick<Clock, 'monotonic'>): CommandQueue {
  const open = new Map<string, Open>();
  let transmit: ((command: Command) => void) | undefined;
  const leave = (one: Open) => {
    if (!transmit) return;
    one.sentAt = clock.monotonic();
    transmit(one.command);
  };

  return {
    send(command) {
      const known = open.get(command.key);
      if (known) return known.promise;
      if (open.size >= max) return Promise.reject(new Busy(`host/${host} has ${max} commands it did not acknowledge`));
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const one: Open = { command, sentAt: undefined, isOverdue: false, promise, resolve, reject };
      open.set(command.key, one);
      leave(one);
      return promise;
    },
    connect(by) {
      transmit = by;
      for (const one of [...open.values()]) leave(one);
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
