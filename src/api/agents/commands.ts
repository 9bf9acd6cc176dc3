/** The commands one host has not acknowledged. They go out at once and in order; the end of the session gives them back to whoever owes them. */
import type { Command } from '../../agent/protocol.ts';
import { Busy } from '../../runtime/errors.ts';
import { HostAway } from '../../runtime/fleet.ts';

interface Open {
  command: Command;
  promise: Promise<void>;
  resolve(): void;
  reject(problem: Error): void;
}

export interface Commands {
  /** Resolves once `settle` names its key. One that is open already is not sent again. Rejects with Busy beyond the limit, HostAway by `abandon`. */
  send(command: Command): Promise<void>;
  /** From now on commands leave through `transmit`, those of before first. */
  connect(transmit: (command: Command) => void): void;
  settle(key: string): void;
  abandon(reason: string): void;
}

export function createCommands(host: string, max: number): Commands {
  const open = new Map<string, Open>();
  let transmit: ((command: Command) => void) | undefined;

  return {
    send(command) {
      const known = open.get(command.key);
      if (known) return known.promise;
      if (open.size >= max) return Promise.reject(new Busy(`host/${host} has ${max} commands it did not acknowledge`));
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      open.set(command.key, { command, promise, resolve, reject });
      transmit?.(command);
      return promise;
    },
    connect(by) {
      transmit = by;
      for (const one of [...open.values()]) by(one.command);
    },
    settle(key) {
      const one = open.get(key);
      open.delete(key);
      one?.resolve();
    },
    abandon(reason) {
      transmit = undefined;
      const gone = [...open.values()];
      open.clear();
      for (const one of gone) one.reject(new HostAway(`host/${host} is away: ${reason}`));
    },
  };
}
