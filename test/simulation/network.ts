/**
 * Sockets between agents and the center, in memory: frames take time, arrive in order, and a socket
 * ends once for each side. Faults are done to it from outside. What may be reordered or repeated
 * are single commands, acknowledgements and reports; the handshake and the pieces of an output rely
 * on the order that a socket gives, and so do both programs.
 */

import type { Peer, Socket, SocketHandlers } from '../../src/http/websocket/types.ts';
import type { Connection, Dialer } from '../../src/lib/dialer.ts';
import type { SimulatedSystem } from './system.ts';
import type { Program } from './time.ts';

export type Direction = 'toAgent' | 'toCenter';

/**
 * Sees every frame as it leaves, and every one that arrives. `rewrite` is for programs that are
 * broken on purpose.
 */
export interface Watcher {
  /** A frame is about to leave: the number of this call, or 0 when its sender died before it. */
  sends(host: string, direction: Direction, text: string): number;
  sent(direction: Direction, call: number): void;
  arrives(host: string, direction: Direction, text: string): void;
  rewrite?(host: string, direction: Direction, text: string): string;
}

export interface Network {
  /** What is done to a host's socket is done to its agent's. */
  dialer(host: string, program: Program, as?: 'agent' | 'keeper'): Dialer;
  /** A center takes sockets from now on, until its life ends. */
  listen(center: Program, accept: (peer: Peer) => SocketHandlers): void;
  /** Both sides get the close of the socket; frames under way are lost. */
  cut(host: string): void;
  /** No side gets an event; for `ms` no frame passes, and the present socket never works again. */
  silence(host: string, ms: number): void;
  /** The next frame that way is lost, and the socket breaks on it. */
  dropNext(host: string, direction: Direction): void;
  /** The next `count` frames that way arrive twice. */
  repeatNext(host: string, direction: Direction, count: number): void;
  /**
   * The next frame that may be late arrives `ms` later than those behind it, if its socket is still
   * open.
   */
  holdNext(host: string, direction: Direction, ms: number): void;
  /** Frames that arrived earlier, also over earlier sockets, arrive again in any order. */
  replay(host: string, direction: Direction, count: number): void;
  /** Nothing is wrong any more, but with the sockets that are silent already. */
  heal(): void;
}

interface Pipe {
  host: string;
  agent: { program: Program; on: Parameters<Dialer['dial']>[1]; isOpen: boolean };
  center: { program: Program; on: SocketHandlers; isOpen: boolean };
  isSilent: boolean;
  /** Instant of the last arrival in that direction: a later frame arrives later. */
  lastAt: Record<Direction, number>;
}

interface Mischief {
  drop: Record<Direction, boolean>;
  repeat: Record<Direction, number>;
  hold: Record<Direction, number>;
}

/** Frames kept per host and direction for replays. */
const REMEMBERED = 60;
const LOOSE = /^\{"type":"(start|stop|commandsAcknowledged|rejected|report|reportsAcknowledged|outputAcknowledged)"/;

export function createNetwork(system: SimulatedSystem, watcher: Watcher): Network {
  const { time } = system;
  const random = system.random('network');
  const pipes = new Map<string, Pipe>();
  const silentUntil = new Map<string, number>();
  const mischiefs = new Map<string, Mischief>();
  const past = new Map<string, string[]>();
  let center: { program: Program; accept(peer: Peer): SocketHandlers } | undefined;

  const mischiefOf = (host: string): Mischief => {
    const known = mischiefs.get(host);
    if (known) return known;
    const fresh = { drop: both(false), repeat: both(0), hold: both(0) };
    mischiefs.set(host, fresh);
    return fresh;
  };

  const remember = (host: string, direction: Direction, text: string) => {
    if (!LOOSE.test(text)) return;
    const key = `${host} ${direction}`;
    const list = past.get(key) ?? [];
    past.set(key, list);
    if (list.push(text) > REMEMBERED) list.shift();
  };

  function arrive(pipe: Pipe, direction: Direction, text: string): void {
    const side = direction === 'toAgent' ? pipe.agent : pipe.center;
    if (!side.isOpen || !side.program.isAlive || pipe.isSilent) return;
    system.note(direction === 'toAgent' ? '  ~agent' : '  ~center', () => `${pipe.host} ${text}`);
    remember(pipe.host, direction, text);
    watcher.arrives(pipe.host, direction, text);
    side.on.frame(watcher.rewrite?.(pipe.host, direction, text) ?? text);
  }

  function send(pipe: Pipe, direction: Direction, text: string): void {
    const call = watcher.sends(pipe.host, direction, text);
    if (call === 0) return;
    system.note(direction === 'toAgent' ? 'center~' : 'agent~', () => `${pipe.host} ${pipe.isSilent ? '(nobody hears) ' : ''}${text}`);
    if (!pipe.isSilent) leave(pipe, direction, text);
    watcher.sent(direction, call);
  }

  function leave(pipe: Pipe, direction: Direction, text: string): void {
    const mischief = mischiefOf(pipe.host);
    if (mischief.drop[direction]) {
      mischief.drop[direction] = false;
      system.note('net', () => `${pipe.host}: lost on the way ${direction}: ${text}`);
      pipe.isSilent = true;
      time.after(random.between(1, 20), () => breakPipe(pipe));
      return;
    }
    const at = Math.max(pipe.lastAt[direction], time.elapsed + random.between(0.1, 1.5));
    if (mischief.hold[direction] > 0 && LOOSE.test(text)) {
      time.after(mischief.hold[direction], () => arrive(pipe, direction, text));
      system.note('net', () => `${pipe.host}: held back ${mischief.hold[direction]} ms ${direction}: ${text}`);
      mischief.hold[direction] = 0;
      return;
    }
    pipe.lastAt[direction] = at;
    time.after(at - time.elapsed, () => arrive(pipe, direction, text));
    if (mischief.repeat[direction] > 0 && LOOSE.test(text)) {
      mischief.repeat[direction] -= 1;
      time.after(at - time.elapsed + random.between(0, 50), () => arrive(pipe, direction, text));
    }
  }

  function endAgent(pipe: Pipe, code: number, reason: string): void {
    if (!pipe.agent.isOpen) return;
    pipe.agent.isOpen = false;
    if (pipes.get(pipe.host) === pipe) pipes.delete(pipe.host);
    if (pipe.agent.program.isAlive) pipe.agent.on.closed(code, reason);
  }

  function endCenter(pipe: Pipe, code: number, reason: string): void {
    if (!pipe.center.isOpen) return;
    pipe.center.isOpen = false;
    if (pipe.center.program.isAlive) pipe.center.on.closed(code, reason);
  }

  function breakPipe(pipe: Pipe): void {
    endAgent(pipe, 1006, 'broken');
    endCenter(pipe, 1006, 'broken');
  }

  function open(host: string, agent: Program, on: Pipe['agent']['on'], as: 'agent' | 'keeper'): void {
    const isShut = (silentUntil.get(host) ?? 0) > time.elapsed;
    // No server answers: the dialing side decides how to go on.
    if (isShut || !agent.isAlive) return;
    if (!center?.program.isAlive) return on.closed(1006, 'nobody listens');
    const handlers = center.accept({ address: `10.0.0.${host.slice(1)}` });
    const pipe: Pipe = {
      host,
      agent: { program: agent, on, isOpen: true },
      center: { program: center.program, on: handlers, isOpen: true },
      isSilent: false,
      lastAt: both(0),
    };
    if (as === 'agent') pipes.set(host, pipe);
    const connection: Connection = {
      send(text) {
        // Several frames in one message, a line each, fare like several messages.
        for (const line of text.split('\n')) if (agent.isAlive && pipe.agent.isOpen) send(pipe, 'toCenter', line);
      },
      buffered: () => 0,
      close(code, reason) {
        endAgent(pipe, code, reason);
        if (!pipe.isSilent) time.after(random.between(0.1, 1.5), () => endCenter(pipe, code, reason));
      },
    };
    const socket: Socket = {
      send(text) {
        if (!pipe.center.program.isAlive || !pipe.center.isOpen) return 'dropped';
        send(pipe, 'toAgent', text);
        return 'sent';
      },
      close(code, reason) {
        endCenter(pipe, code, reason);
        // Behind the frames that are under way: a refusal is read before the end.
        if (!pipe.isSilent) time.after(Math.max(0, pipe.lastAt.toAgent - time.elapsed) + 0.1, () => endAgent(pipe, code, reason));
      },
      buffered: () => 0,
    };
    // The kernel of a machine closes the socket of a program that dies; a machine without power
    // sends nothing.
    const dies = () => {
      if (!pipe.isSilent) time.after(random.between(0.1, 1.5), () => breakPipe(pipe));
    };
    agent.onEnd(dies);
    center.program.onEnd(dies);
    on.open(connection);
    handlers.open(socket);
  }

  return {
    dialer: (host, agent, as = 'agent') => ({
      dial(_url, on) {
        if (agent.isAlive) time.after(random.between(0.2, 3), () => open(host, agent, on, as));
      },
    }),
    listen(program, accept) {
      center = { program, accept };
    },
    cut(host) {
      const pipe = pipes.get(host);
      if (pipe) breakPipe(pipe);
    },
    silence(host, ms) {
      const pipe = pipes.get(host);
      if (pipe) pipe.isSilent = true;
      silentUntil.set(host, Math.max(silentUntil.get(host) ?? 0, time.elapsed + ms));
    },
    dropNext(host, direction) {
      mischiefOf(host).drop[direction] = true;
    },
    repeatNext(host, direction, count) {
      mischiefOf(host).repeat[direction] += count;
    },
    holdNext(host, direction, ms) {
      mischiefOf(host).hold[direction] = ms;
    },
    heal() {
      silentUntil.clear();
      mischiefs.clear();
    },
    replay(host, direction, count) {
      const pipe = pipes.get(host);
      const frames = random.shuffle(past.get(`${host} ${direction}`) ?? []).slice(0, count);
      for (const text of frames) if (pipe) time.after(random.between(0, 30), () => arrive(pipe, direction, text));
    },
  };
}

const both = <T>(value: T): Record<Direction, T> => ({ toAgent: value, toCenter: value });
