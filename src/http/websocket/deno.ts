/**
 * The listener of Deno. Its `close` accepts only 1000 and 3000 to 4999, as in a browser: other
 * codes are sent 2000 higher (1008 as 3008). Deno pings by itself, and reads a whole frame before
 * `connections` can refuse its size.
 */

import { PING_MS } from './connections.ts';
import type { Bind, Peer, SocketConnection } from './types.ts';

/** The used part of Deno, whose own types conflict with Bun's. */
interface DenoServing {
  serve(
    options: { hostname: string; port: number; onListen(): void },
    take: (request: Request, info: { remoteAddr: { hostname?: string } }) => Promise<Response>,
  ): { addr: { port: number }; shutdown(): Promise<void>; finished: Promise<void> };
  upgradeWebSocket(request: Request, options: { idleTimeout: number }): { socket: WebSocket; response: Response };
}

export const listenOnDeno: Bind = async ({ host, port }, { fetch, upgrade }, connections) => {
  const { Deno } = globalThis as unknown as { Deno: DenoServing };
  const open = new Set<WebSocket>();
  const server = Deno.serve({ hostname: host, port, onListen() {} }, async (request, info) => {
    const peer: Peer = { address: info.remoteAddr.hostname ?? '' };
    if (request.headers.get('upgrade')?.toLowerCase() === 'websocket') {
      const answer = await upgrade(request, peer);
      if (answer instanceof Response) return answer;
      if (answer) {
        const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: PING_MS / 1_000 });
        let connection: SocketConnection | undefined;
        socket.onopen = () => {
          open.add(socket);
          connection = connections.open(
            {
              send: text => socket.send(text),
              buffered: () => socket.bufferedAmount,
              close: (code, reason) => socket.close(code === 1000 || code >= 3000 ? code : code + 2000, reason),
              terminate: () => socket.close(),
            },
            answer,
          );
        };
        socket.onmessage = event => {
          if (typeof event.data === 'string') connection?.text(event.data);
          else connection?.binary();
        };
        // `close` follows each error; an error without a listener would end the process.
        socket.onerror = () => {};
        socket.onclose = event => {
          open.delete(socket);
          connection?.ended(event.code, event.reason);
        };
        return response;
      }
    }
    return fetch(request, peer);
  });
  return {
    port: server.addr.port,
    stop: () => server.shutdown(),
    cut: () => {
      for (const socket of open) socket.close();
      void server.shutdown();
    },
  };
};
