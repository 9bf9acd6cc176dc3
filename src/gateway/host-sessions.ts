/**
 * Which session speaks for which host: one at most, the newest. The host actor is told of each
 * beginning and each end, in that order, and a host counts as ready only after its `host.connected`
 * is committed.
 */
import type { DisconnectKind, GracePeriods } from '../../actors/host/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { Command, Hello } from '../protocol/agent.ts';
import { Busy, NoSuchActor } from '../runtime/errors.ts';
import { HostAway } from '../runtime/fleet.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type Commands, createCommands } from './command-queue.ts';
import { Unwelcome } from './identity.ts';
import { type HubLimits, type HubLog, retryDelay } from './limits.ts';
import { createClosings } from './mass-disconnect.ts';
import type { Session } from './session.ts';

/** A host counts as lost at most this long after its grace, ms: timers fire once a second. */
const LOST_BY_MS = 5_000;

interface Link {
  host: string;
  commands: Commands;
  session: Session | undefined;
  /** The process whose session it is. */
  life: string | undefined;
  /** The directory that process keeps its key in, as far as it says. */
  place: string | undefined;
  /** Directory of the agent that served last, until its host and all its runs are lost. */
  left: { place: string | undefined } | undefined;
  /** The session the actor may take for the present one. */
  told: Session | undefined;
  /** What the keeper of the present or last session would say. */
  word: string | undefined;
}

/** Why a host does not carry out a command. */
export type Undeliverable = { because: 'tooLarge' | 'unanswered' } | { because: 'unreadable' | 'failed'; message: string };

export interface Links {
  /**
   * Gives the host to this session; resolves once it is up, or was closed on the way. Throws
   * Unwelcome when a living agent has it.
   */
  connect(host: string, session: Session, hello: Hello): Promise<void>;
  /** This session is over. One that was replaced is nothing new. */
  leave(host: string, session: Session, reason: string, disconnectKind: DisconnectKind): void;
  /** A keeper says its word. False: it is nobody's. */
  attended(word: string): Promise<boolean>;
  send(host: string, command: Command): Promise<void>;
  settle(host: string, key: string): void;
  /** A command that this host has not acknowledged. */
  command(host: string, key: string): Command | undefined;
  /** Reports each command that a connected host has not acknowledged in time. */
  lookForUnanswered(stalledMs: number): void;
  session(host: string): Session | undefined;
  onReady(listener: (host: string) => void): void;
  /**
   * Sessions end from now on without a word to the actors: the next center restarts the grace for
   * all.
   */
  stop(): void;
}

export function createLinks(parts: {
  runtime: Pick<Runtime, 'tell'>;
  clock: Clock;
  limits: HubLimits;
  heartbeatMs: number;
  graces: GracePeriods;
  log: HubLog;
  /** The host does not take this command, or does not acknowledge it. */
  undeliverable(host: string, command: Command, why: Undeliverable): void;
}): Links {
  const { runtime, clock, limits, log } = parts;
  const links = new Map<string, Link>();
  const words = new Map<string, { host: string; session: string }>();
  const listeners: ((host: string) => void)[] = [];
  const closings = createClosings({ clock, withinMs: parts.graces.closedGraceMs });
  let up = 0;
  let isStopped = false;

  const linkOf = (host: string): Link => {
    const known = links.get(host);
    if (known) return known;
    const commands = createCommands(host, limits.commandsMax, clock);
    const link: Link = {
      host,
      commands,
      session: undefined,
      life: undefined,
      place: undefined,
      left: undefined,
      told: undefined,
      word: undefined,
    };
    links.set(host, link);
    return link;
  };

  const forgetIdle = (link: Link) => {
    if (!link.session && !link.left && link.told === undefined && links.get(link.host) === link) links.delete(link.host);
  };

  /**
   * Says that a session ended, again and again until it is committed or a newer session makes it
   * old news.
   */
  const tellGone = async (
    link: Link,
    session: Session,
    how: { reason: string; disconnectKind: DisconnectKind },
    failures = 0,
  ): Promise<void> => {
    if (isStopped || link.told !== session) return;
    // A close after a silence points to the network, and the grace includes the silence.
    const silentMs = Math.max(0, Math.round(clock.monotonic() - session.heard));
    const isSilent = silentMs > 2 * parts.heartbeatMs;
    const gone =
      how.disconnectKind === 'closed' && !isSilent
        ? ({ disconnectKind: 'closed', silentMs: 0 } as const)
        : ({ disconnectKind: 'away', silentMs } as const);
    try {
      await runtime.tell(`host/${link.host}`, { type: 'host.disconnected', session: session.id, reason: how.reason, ...gone });
    } catch (problem) {
      if (!(problem instanceof NoSuchActor)) {
        clock.after(retryDelay(limits, failures), () => void tellGone(link, session, how, failures + 1));
        return;
      }
    }
    if (link.told === session) link.told = undefined;
    forgetIdle(link);
  };

  /** Many at once: that is no host's end. */
  const restartGrace = (hosts: string[]) => {
    // One line for the many; those that close behind them come one by one.
    const level = hosts.length > 1 ? 'warn' : 'info';
    log(level, `the sockets of ${hosts.length} hosts closed at once, more than are left: their full grace begins`, {
      hosts: hosts.slice(0, 20),
    });
    for (const host of hosts) {
      runtime
        .tell(`host/${host}`, { type: 'host.restartGrace' })
        .catch(problem => log('warn', `host/${host} cannot restart its grace`, { problem }));
    }
  };

  /**
   * The older session ends before the newer one begins. Of two processes that are alive at once and
   * share a key the older one goes on: what it was told, and may begin at any moment, stands in the
   * journal that the newer one has a copy of. Where the older one does not answer it may wake: a
   * copy is refused all the same. Throws Unwelcome.
   */
  const fence = async (link: Link, session: Session, hello: Hello): Promise<void> => {
    const older = link.session;
    if (!older) return;
    const isSameAgent = hello.instanceId !== undefined && hello.instanceId === link.life;
    const mayBeTwo = hello.instanceId !== undefined && link.life !== undefined && !isSameAgent;
    const areTwo = mayBeTwo && (await older.answers(limits.answerMs));
    if (link.session !== older) return;
    if (areTwo || isOtherPlace(link.place, placeOf(hello))) {
      const fields = { security: true as const, host: link.host, older: older.peer.address, newer: session.peer.address };
      log('warn', `host/${link.host} is served by a living agent, another one with the same key is refused`, {
        ...fields,
        session: older.id,
      });
      throw new Unwelcome(
        'identityInUse',
        `another agent with the same key is alive at ${older.peer.address}; stop one of them, or give this one a data directory of its own`,
      );
    }
    link.session = undefined;
    up -= 1;
    if (!isSameAgent) {
      const fields = { security: true as const, host: link.host, older: older.peer.address, newer: session.peer.address };
      log('warn', `host/${link.host} has a newer session, the older one is closed`, { ...fields, session: older.id });
      log('warn', `host/${link.host} has a session that took the place of another`, { ...fields, session: session.id });
    }
    older.refuse('identityInUse', 'another agent with the same key connected after this one; only one may serve', 4003);
    link.commands.abandon('a newer session took its place');
  };

  /**
   * The agent of the last session may have taken what it was sent, and its keeper may run it,
   * whatever became of its process. The same directory knows; a copy of it does not, would be taken
   * to have got nothing, and be given it again. So it waits until the host is lost. Throws
   * Unwelcome.
   */
  const refuseCopy = (link: Link, hello: Hello) => {
    if (!isOtherPlace(link.left?.place, placeOf(hello))) return;
    throw new Unwelcome(
      'identityInUse',
      `an agent with the same key served from another data directory until a moment ago; a copy of it may serve ${parts.graces.graceMs} ms later`,
    );
  };

  const remember = (link: Link) => {
    const left = { place: link.place };
    link.left = left;
    // By then the host is lost, and all of its runs with it.
    clock.after(parts.graces.graceMs + LOST_BY_MS, () => {
      if (link.session || link.left !== left) return;
      link.left = undefined;
      forgetIdle(link);
    });
  };

  const occupy = (link: Link, session: Session, hello: Hello) => {
    if (!link.session) up += 1;
    closings.back(link.host);
    link.session = session;
    link.life = hello.instanceId;
    link.place = placeOf(hello);
    link.told = session;
    if (link.word !== undefined) words.delete(link.word);
    link.word = session.livenessToken;
    words.set(session.livenessToken, { host: link.host, session: session.id });
  };

  return {
    async connect(host, session, hello) {
      const link = linkOf(host);
      await fence(link, session, hello);
      refuseCopy(link, hello);
      if (!session.isOpen()) {
        if (!link.session && link.told)
          void tellGone(link, link.told, { reason: 'a newer session took its place, and ended', disconnectKind: 'away' });
        return;
      }
      occupy(link, session, hello);
      try {
        const answer = await runtime.tell(`host/${host}`, {
          type: 'host.connected',
          session: session.id,
          address: session.peer.address,
          capabilities: hello.capabilities,
          bootId: hello.bootId,
          runs: hello.runs.map(({ run }) => run),
          ...parts.graces,
        });
        if (answer === undefined) return session.refuse('retired', `host ${hello.name} was retired; its key never serves again`, 4003);
        session.number = (answer as { session: number }).session;
      } catch (problem) {
        const code = problem instanceof Busy ? 'busy' : 'unavailable';
        log('warn', `host/${host} cannot be connected now`, { session: session.id, problem });
        return session.refuse(code, 'the center cannot take this agent now; try again later', 1013);
      }
      if (link.session !== session || !session.isOpen()) return;
      session.welcome(host, parts.heartbeatMs);
      log('info', `host/${host} is connected`, { session: session.id, address: session.peer.address, runs: hello.runs.length });
      link.commands.connect(command => {
        if (!session.send(command)) parts.undeliverable(host, command, { because: 'tooLarge' });
      });
      for (const listener of listeners) listener(host);
    },

    leave(host, session, reason, disconnectKind) {
      const link = links.get(host);
      if (!link || link.session !== session) return;
      link.session = undefined;
      up -= 1;
      remember(link);
      link.commands.abandon(reason);
      clock.after(parts.graces.graceMs, () => void words.delete(session.livenessToken));
      if (link.told === session) void tellGone(link, session, { reason, disconnectKind });
      else forgetIdle(link);
      if (disconnectKind !== 'closed' || isStopped) return;
      const together = closings.add(host, up);
      if (together.length > 0) restartGrace(together);
    },

    async attended(word) {
      const said = words.get(word);
      if (!said) return false;
      await runtime.tell(`host/${said.host}`, { type: 'host.agentLost', session: said.session });
      return true;
    },

    send(host, command) {
      const link = links.get(host);
      // While `host.connected` is being committed commands are taken already: effects of that very
      // commit may come before the welcome.
      if (!link?.session) return Promise.reject(new HostAway(`host/${host} has no session`));
      return link.commands.send(command);
    },

    settle: (host, key) => links.get(host)?.commands.settle(key),
    command: (host, key) => links.get(host)?.commands.get(key),
    lookForUnanswered(stalledMs) {
      for (const { host, commands, session } of links.values()) {
        if (!session?.isUp()) continue;
        for (const command of commands.overdue(limits.commandAnswerMs, stalledMs))
          parts.undeliverable(host, command, { because: 'unanswered' });
      }
    },
    session: host => links.get(host)?.session,
    onReady: listener => void listeners.push(listener),
    stop() {
      isStopped = true;
    },
  };
}

/** Directories have their names until the machine starts anew. */
const placeOf = ({ dataDirId, bootId }: Hello): string | undefined => (dataDirId === undefined ? undefined : `${bootId} ${dataDirId}`);

/** Both are known, and the same machine has not started anew in between. */
const isOtherPlace = (one: string | undefined, other: string | undefined): boolean =>
  one !== undefined && other !== undefined && one !== other && one.split(' ')[0] === other.split(' ')[0];
