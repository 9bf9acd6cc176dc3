/**
 * The agents as a port of the runtime: takes commands in order per host. Implemented by the
 * gateway, scripted in tests.
 */
import type { Command } from '../protocol/agent.ts';

/**
 * There is no session with that host, or it ended before the agent had journaled the command. It
 * stays pending and is sent again when the host is back.
 */
export class HostAway extends Error {
  readonly code = 'hostAway';
}

export interface Fleet {
  /**
   * Sends at once, in the order of the calls per host. Resolves once the agent has journaled (or
   * finally rejected) the command. Rejects with HostAway.
   */
  send(host: string, command: Command): Promise<void>;
  /** Called each time a host has a new session, after its `host.connected` was committed. */
  onReady(listener: (host: string) => void): void;
  /**
   * Closes the session of a host; `retired`: permanently, `rejectedByPool`: until it dials again.
   */
  closeSession(host: string, code: 'retired' | 'rejectedByPool', reason: string): void;
}
