/** The listener of `node:http` with sockets of `ws`, for runtimes without their own. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { WebSocketServer } from 'ws';
import { FRAME_MAX_BYTES } from './connections.ts';
import type { Bind, Peer } from './types.ts';

export const listenWithWs: Bind = async ({ host, port }, { fetch, upgrade }, connections) => {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: FRAME_MAX_BYTES, perMessageDeflate: false, clientTracking: false });
  const server = createServer((incoming, outgoing) => {
    const request = requestOf(incoming);
    Promise.resolve(fetch(request, peerOf(incoming)))
      .then(response => answer(response, outgoing))
      // Headers may be sent already: only a cut shows the client that the response is incomplete.
      .catch(() => outgoing.destroy());
  });

  const shake = async (incoming: IncomingMessage, duplex: Duplex, head: Buffer) => {
    const peer = peerOf(incoming);
    const request = requestOf(incoming);
    const decided = (await upgrade(request, peer)) ?? (await fetch(request, peer));
    if (duplex.destroyed) return;
    if (decided instanceof Response) return refuse(decided, duplex);
    sockets.handleUpgrade(incoming, duplex, head, socket => {
      const connection = connections.open(
        {
          send: text => socket.send(text),
          buffered: () => socket.bufferedAmount,
          close: (code, reason) => socket.close(code, reason),
          terminate: () => socket.terminate(),
          ping: () => socket.ping(),
        },
        decided,
      );
      socket.on('message', (data, isBinary) => (isBinary ? connection.binary() : connection.text(String(data))));
      socket.on('ping', () => connection.alive());
      socket.on('pong', () => connection.alive());
      // `close` follows with the code, such as 1009 for a frame too large.
      socket.on('error', () => {});
      socket.on('close', (code, reason) => connection.ended(code, String(reason)));
    });
  };
  server.on('upgrade', (incoming, duplex, head) => {
    duplex.on('error', () => duplex.destroy());
    shake(incoming, duplex, head).catch(() => duplex.destroy());
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
    cut: () => server.closeAllConnections(),
  };
};

const peerOf = (incoming: IncomingMessage): Peer => ({ address: incoming.socket.remoteAddress ?? '' });

function requestOf(incoming: IncomingMessage): Request {
  const headers = new Headers();
  for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
    headers.append(incoming.rawHeaders[index] ?? '', incoming.rawHeaders[index + 1] ?? '');
  }
  const method = incoming.method ?? 'GET';
  const url = new URL(incoming.url ?? '/', `http://${incoming.headers.host ?? 'localhost'}`);
  if (method === 'GET' || method === 'HEAD') return new Request(url, { method, headers });
  const body = Readable.toWeb(incoming) as unknown as ReadableStream;
  // A streamed body needs `duplex`, which the types of `fetch` lack.
  return new Request(url, { method, headers, body, duplex: 'half' } as RequestInit);
}

async function answer(response: Response, outgoing: ServerResponse): Promise<void> {
  outgoing.writeHead(response.status, [...response.headers].flat());
  if (!response.body) return void outgoing.end();
  const reader = response.body.getReader();
  outgoing.on('close', () => void reader.cancel().catch(() => {}));
  outgoing.flushHeaders();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    if (!outgoing.write(piece.value)) await new Promise<void>(resolve => outgoing.once('drain', resolve).once('close', resolve));
  }
  outgoing.end();
}

async function refuse(response: Response, duplex: Duplex): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  const headers = [...response.headers].filter(([name]) => name !== 'content-length' && name !== 'connection');
  const headerLines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  duplex.end(
    Buffer.concat([
      Buffer.from(`HTTP/1.1 ${response.status} Refused\r\n${headerLines}connection: close\r\ncontent-length: ${body.length}\r\n\r\n`),
      body,
    ]),
  );
}
