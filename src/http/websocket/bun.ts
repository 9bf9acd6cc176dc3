/** The listener of Bun: its own WebSockets beside `fetch` on one server. */

import { ANSWER_IDLE_SECONDS, BODY_MAX_BYTES, FRAME_MAX_BYTES, isStreamed } from './connections.ts';
import type { Bind, SocketConnection, SocketHandlers } from './types.ts';

interface Attached {
  handlers: SocketHandlers;
  connection: SocketConnection | undefined;
}

export const listenOnBun: Bind = async ({ host, port }, { fetch, upgrade, bodyMaxBytes = BODY_MAX_BYTES }, connections) => {
  const server = Bun.serve<Attached>({
    hostname: host,
    port,
    development: false,
    // With Bun's default a second center on the same port would receive half of the requests.
    reusePort: false,
    idleTimeout: ANSWER_IDLE_SECONDS,
    maxRequestBodySize: bodyMaxBytes,
    async fetch(request, server) {
      const peer = { address: server.requestIP(request)?.address ?? '' };
      if (request.headers.get('upgrade')?.toLowerCase() === 'websocket') {
        const answer = await upgrade(request, peer);
        if (answer instanceof Response) return answer;
        if (answer) {
          if (server.upgrade(request, { data: { handlers: answer, connection: undefined } })) return undefined;
          return new Response('this is not a WebSocket handshake\n', { status: 400 });
        }
      }
      const response = await fetch(request, peer);
      if (isStreamed(response)) server.timeout(request, 0);
      return response;
    },
    websocket: {
      maxPayloadLength: FRAME_MAX_BYTES,
      // `connections` limits the buffer of each socket, so Bun must not.
      backpressureLimit: 0,
      idleTimeout: 0,
      sendPings: false,
      perMessageDeflate: false,
      open(socket) {
        socket.data.connection = connections.open(
          {
            send: text => void socket.send(text, false),
            buffered: () => socket.getBufferedAmount(),
            together: work => void socket.cork(work),
            close: (code, reason) => socket.close(code, reason),
            terminate: () => socket.terminate(),
            ping: () => void socket.ping(),
          },
          socket.data.handlers,
        );
      },
      message(socket, message) {
        if (typeof message === 'string') socket.data.connection?.text(message);
        else socket.data.connection?.binary();
      },
      ping: socket => socket.data.connection?.alive(),
      pong: socket => socket.data.connection?.alive(),
      close: (socket, code, reason) => socket.data.connection?.ended(code, reason),
    },
  });
  return {
    port: server.port ?? port,
    stop: () => server.stop(),
    cut: () => void server.stop(true),
  };
};
