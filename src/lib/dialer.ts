/** WebSocket client connections as a port, and its implementation by `ws`. */
import { WebSocket } from 'ws';
import type { Clock } from './clock.ts';

/** One open socket. */
export interface Connection {
  /** Does nothing once the socket is closing. */
  send(frame: string): void;
  /** Bytes not yet handed to the network. */
  buffered(): number;
  close(code: number, reason: string): void;
}

export interface Dialer {
  /** Opens a socket. Calls `closed` exactly once, also when the socket never opened. */
  dial(
    url: string,
    on: { open(connection: Connection): void; frame(text: string): void; closed(code: number, reason: string): void },
  ): void;
}

/** A half-open peer never answers a close: the socket is then dropped. */
const CLOSE_MS = 2_000;

/**
 * A received frame of more than `frameMaxBytes` closes the socket. A parameter, because the keeper
 * must not import the schemas of the agents' protocol: they would take a fifth of its memory.
 */
export function createDialer(clock: Clock, frameMaxBytes: number): Dialer {
  return {
    dial(url, on) {
      let over = false;
      const closed = (code: number, reason: string) => {
        if (over) return;
        over = true;
        on.closed(code, reason);
      };
      let socket: WebSocket;
      try {
        socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: frameMaxBytes });
      } catch (problem) {
        clock.soon(() => closed(1006, String(problem)));
        return;
      }
      let problem = '';
      socket.on('error', error => {
        problem = error.message;
        // Not every implementation emits `close` after a failed opening.
        if (socket.readyState !== WebSocket.OPEN) clock.soon(() => closed(1006, problem));
      });
      socket.on('close', (code, reason) => closed(code, String(reason) || problem));
      socket.on('message', data => on.frame(String(data)));
      socket.on('open', () => {
        on.open({
          send(frame) {
            if (socket.readyState === WebSocket.OPEN) socket.send(frame);
          },
          buffered: () => socket.bufferedAmount,
          close(code, reason) {
            socket.close(code, reason.slice(0, 100));
            const disarm = clock.after(CLOSE_MS, () => socket.terminate());
            socket.once('close', disarm);
          },
        });
      });
    },
  };
}
