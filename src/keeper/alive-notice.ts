/**
 * Notifies the center when the agent's connection breaks: the host and its runs are still alive.
 * Without the notice a center cannot tell a killed agent from a lost host.
 */
import type { Clock } from '../lib/clock.ts';
import type { Connection, Dialer } from '../lib/dialer.ts';
import type { AliveNotice } from '../protocol/keeper.ts';

/** Between attempts, ms, and how many: after them the host has come back or is lost. */
const RETRY_MS = 500;
const ATTEMPTS_MAX = 20;
/** Close codes of a center: notice accepted; liveness token unknown. Both end the attempts. */
const ACCEPTED = 1000;
const UNKNOWN_TOKEN = 1008;

export interface NoticeSender {
  /** `connection` identifies the agent. The newest registration replaces all earlier ones. */
  register(connection: object, notice: AliveNotice): void;
  /** Sends the connection's notice, unless a newer connection has registered one. */
  disconnected(connection: object): void;
}

export function createNoticeSender({ clock, dialer }: { clock: Clock; dialer: Dialer }): NoticeSender {
  let current: { connection: object; notice: AliveNotice } | undefined;

  function send(registered: { notice: AliveNotice }, attempt: number): void {
    // Another agent has connected since, and reports for itself.
    if (current !== registered || attempt > ATTEMPTS_MAX) return;
    const { center, livenessToken } = registered.notice;
    let socket: Connection | undefined;
    dialer.dial(center, {
      open(opened) {
        socket = opened;
      },
      frame(text) {
        // The token authenticates the keeper, so the challenge needs no signature.
        if (text.startsWith('{"type":"challenge"')) socket?.send(JSON.stringify({ type: 'agentLost', livenessToken }));
      },
      closed(code) {
        if (code !== ACCEPTED && code !== UNKNOWN_TOKEN) clock.after(RETRY_MS, () => send(registered, attempt + 1));
      },
    });
  }

  return {
    register(connection, notice) {
      current = { connection, notice };
    },
    disconnected(connection) {
      if (current?.connection === connection) send(current, 1);
    },
  };
}
