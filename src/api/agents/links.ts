/**
 * Which session speaks for which host: one at most, the newest. The host actor is told of each beginning and each end, in that order, and a host counts
 * as ready only after its `host.connected` is committed.
 */
import type { Command, Hello } from '../../agent/protocol.ts';
import type { Clock } from '../../clock.ts';
import { Busy, NoSuchActor } from '../../runtime/errors.ts';
import { HostAway } from '../../runtime/fleet.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { type Commands, createCommands } from './commands.ts';
import { type HubLimits, type HubLog, retryDelay } from './limits.ts';
import type { Session } from './session.ts';

interface Link {
  host: string;
  commands: Commands;
  session: Session | undefined;
  /** The session the actor may take for the present one. */
  told: string | undefined;
}

export interface Links {
  /** Gives the host to this session; resolves once it is up, or was closed on the way. */
  connect(host: string, session: Session, hello: Hello): Promise<void>;
  /** This session is over. One that was replaced is nothing new. */
  leave(host: string, session: Session, reason: string): void;
  send(host: string, command: Command): Promise<void>;
  settle(host: string, key: string): void;
  session(host: string): Session | undefined;
  onReady(listener: (host: string) => void): void;
  /** Sessions end from now on without a word to the actors: the next center's reprieve says it for all. */
  stop(): void;
}

export function createLinks(parts: {
  runtime: Pick<Runtime, 'tell'>;
  clock: Clock;
  limits: HubLimits;
  heartbeatMs: number;
  log: HubLog;
}): Links {
  const { runtime, clock, limits, log } = parts;
  const links = new Map<string, Link>();
  const listeners: ((host: string) => void)[] = [];
  let isStopped = false;

  const linkOf = (host: string): Link => {
    const known = links.get(host);
    if (known) return known;
    const link: Link = { host, commands: createCommands(host, limits.commandsMax), session: undefined, told: undefined };
    links.set(host, link);
    return link;
  };

  const forgetIdle = (link: Link) => {
    if (!link.session && link.told === undefined && links.get(link.host) === link) links.delete(link.host);
  };

  /** Says that a session ended, again and again until it is committed or a newer session makes it old news. */
  const tellGone = async (link: Link, session: string, reason: string, failures = 0): Promise<void> => {
    if (isStopped || link.told !== session) return;
    try {
      await runtime.tell(`host/${link.host}`, { type: 'host.disconnected', session, reason });
    } catch (problem) {
      if (!(problem instanceof NoSuchActor)) {
        clock.after(retryDelay(limits, failures), () => void tellGone(link, session, reason, failures + 1));
        return;
      }
    }
    if (link.told === session) link.told = undefined;
    forgetIdle(link);
  };

  const replace = (link: Link, session: Session) => {
    const older = link.session;
    link.session = session;
    if (!older) return;
    link.commands.abandon('a newer session took its place');
    const fields = { security: true as const, host: link.host, older: older.peer.address, newer: session.peer.address };
    log('warn', `host/${link.host} has a newer session, the older one is closed`, { ...fields, session: older.id });
    log('warn', `host/${link.host} has a session that took the place of another`, { ...fields, session: session.id });
    older.refuse('identityInUse', 'another agent with the same key connected after this one; only one may serve', 4003);
  };

  return {
    async connect(host, session, hello) {
      const link = linkOf(host);
      replace(link, session);
      link.told = session.id;
      try {
        await runtime.tell(`host/${host}`, {
          type: 'host.connected',
          session: session.id,
          address: session.peer.address,
          capabilities: hello.capabilities,
          bootId: hello.bootId,
          runs: hello.runs.map(({ run }) => run),
        });
      } catch (problem) {
        const code = problem instanceof Busy ? 'busy' : 'unavailable';
        log('warn', `host/${host} cannot be connected now`, { session: session.id, problem });
        return session.refuse(code, 'the center cannot take this agent now; try again later', 1013);
      }
      if (link.session !== session || !session.isOpen()) return;
      session.welcome(host, parts.heartbeatMs);
      log('info', `host/${host} is connected`, { session: session.id, address: session.peer.address, runs: hello.runs.length });
      link.commands.connect(command => session.send(command));
      for (const listener of listeners) listener(host);
    },

    leave(host, session, reason) {
      const link = links.get(host);
      if (!link || link.session !== session) return;
      link.session = undefined;
      link.commands.abandon(reason);
      if (link.told === session.id) void tellGone(link, session.id, reason);
      else forgetIdle(link);
    },

    send(host, command) {
      const link = links.get(host);
      // While `host.connected` is being committed commands are taken already: effects of that very commit may come before the welcome.
      if (!link?.session) return Promise.reject(new HostAway(`host/${host} has no session`));
      return link.commands.send(command);
    },

    settle: (host, key) => links.get(host)?.commands.settle(key),
    session: host => links.get(host)?.session,
    onReady: listener => void listeners.push(listener),
    stop() {
      isStopped = true;
    },
  };
}
