/** Sockets to a center, by `ws`. */
import { WebSocket } from 'ws';
import type { Clock } from '../../lib/clock.ts';
import type { Dialer } from '../ports.ts';

/** A half-open peer never answers a close: then the socket is dropped. */
const CLOSE_MS = 2_000;

/**
 * `frameMaxBytes`: a larger frame of the center ends the socket. Given by the caller, because the
 * keeper does without the schemas of the protocol: they are a fifth of its memory.
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
        // Not every implementation says `close` after a failed opening.
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
