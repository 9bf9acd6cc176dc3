/** Sockets and HTTP at one address, with each server. */
import { afterEach, describe, expect, test } from 'bun:test';
import { WebSocket } from 'ws';
import { listen } from '../../src/http/websocket/index.ts';
import type { Listening, Socket, SocketHandlers } from '../../src/http/websocket/types.ts';
import { systemClock } from '../../src/lib/clock.ts';

/** Handlers that record; `until` resolves with the first match. */
function aRecorder(changes: Partial<SocketHandlers> = {}) {
  const seen: string[] = [];
  const waiting: { fits: string; resolve(): void }[] = [];
  const note = (what: string) => {
    seen.push(what);
    for (const one of waiting) if (what.startsWith(one.fits)) one.resolve();
  };
  const opened: Socket[] = [];
  const handlers: SocketHandlers = {
    frameMaxBytes: 1_000,
    bufferMaxBytes: 100_000,
    open: socket => {
      opened.push(socket);
      note('open');
    },
    frame: text => {
      note(`frame ${text}`);
      opened.at(-1)?.send(`echo ${text}`);
    },
    closed: code => note(`closed ${code}`),
    ...changes,
  };
  const until = (fits: string) =>
    new Promise<void>(resolve => {
      if (seen.some(what => what.startsWith(fits))) resolve();
      else waiting.push({ fits, resolve });
    });
  return { handlers, seen, until, opened };
}

const closing = (client: WebSocket) => new Promise<number>(resolve => client.once('close', resolve));
const opening = (client: WebSocket) => new Promise(resolve => client.once('open', resolve));
const answering = (client: WebSocket) => new Promise<string>(resolve => client.once('message', data => resolve(String(data))));

const listenings: Listening[] = [];
afterEach(async () => {
  for (const one of listenings.splice(0)) await one.stop(0);
});

for (const using of ['bun', 'ws'] as const) {
  const serve = async (handlers: SocketHandlers, changes: Partial<Parameters<typeof listen>[0]> = {}) => {
    const listening = await listen({
      addresses: [{ host: '127.0.0.1', port: 0 }],
      fetch: async (request, peer) => new Response(`${request.method} ${await request.text()} from ${peer.address}`),
      upgrade: request => {
        const { pathname } = new URL(request.url);
        if (pathname === '/refused') return new Response('no', { status: 403 });
        return pathname === '/socket' ? handlers : undefined;
      },
      clock: systemClock,
      using,
      ...changes,
    });
    listenings.push(listening);
    return { listening, at: `127.0.0.1:${listening.addresses[0]?.port}` };
  };

  describe(`listening with ${using}`, () => {
    test(`a WebSocket (${using}) carries frames sent together as the same frames in the same order, and later ones behind them`, async () => {
      const { handlers, until, opened } = aRecorder();
      const { at } = await serve(handlers);
      const client = new WebSocket(`ws://${at}/socket`);
      const frames: string[] = [];
      const last = new Promise<void>(resolve =>
        client.on('message', data => {
          frames.push(String(data));
          if (String(data) === 'last') resolve();
        }),
      );
      await until('open');
      const [socket] = opened;
      const sent = Array.from({ length: 300 }, (_, place) => `${place} ${'x'.repeat(200)}`);
      const work = () => sent.forEach(text => void socket?.send(text));
      if (socket?.together) socket.together(work);
      else work();
      socket?.send('last');
      await last;
      expect(frames).toEqual([...sent, 'last']);
      client.close();
      await until('closed');
    });

    test(`a server (${using}) answers HTTP and WebSockets at one address`, async () => {
      const { handlers, until } = aRecorder();
      const { at } = await serve(handlers);
      expect(await (await fetch(`http://${at}/x`, { method: 'POST', body: 'hello' })).text()).toBe('POST hello from 127.0.0.1');
      const client = new WebSocket(`ws://${at}/socket`);
      await opening(client);
      const echo = answering(client);
      client.send('one');
      expect(await echo).toBe('echo one');
      client.close(1000);
      await until('closed 1000');
    });

    test(`a server (${using}) lets the answer of \`upgrade\` refuse a handshake`, async () => {
      const { handlers, seen } = aRecorder();
      const { at } = await serve(handlers);
      const client = new WebSocket(`ws://${at}/refused`);
      await new Promise<void>(resolve => {
        client.on('error', () => resolve());
      });
      expect(seen).toEqual([]);
    });

    test(`a server (${using}) closes a socket whose frame is too large, and passes no frame on`, async () => {
      const { handlers, seen, until } = aRecorder();
      const { at } = await serve(handlers);
      const client = new WebSocket(`ws://${at}/socket`);
      await opening(client);
      const closed = closing(client);
      client.send('x'.repeat(1_001));
      expect(await closed).toBe(1009);
      await until('closed');
      expect(seen.some(what => what.startsWith('frame'))).toBe(false);
    });

    test(`a server (${using}) closes a socket that sends a binary frame`, async () => {
      const { handlers } = aRecorder();
      const { at } = await serve(handlers);
      const client = new WebSocket(`ws://${at}/socket`);
      await opening(client);
      const closed = closing(client);
      client.send(Buffer.from([1, 2, 3]));
      expect(await closed).toBe(1003);
    });

    test(`a server (${using}) stops by closing its sockets with 1001, and its stop is idempotent`, async () => {
      const { handlers, until } = aRecorder();
      const { listening, at } = await serve(handlers);
      const client = new WebSocket(`ws://${at}/socket`);
      await opening(client);
      await until('open');
      const closed = closing(client);
      await Promise.all([listening.stop(5_000), listening.stop(5_000)]);
      expect(await closed).toBe(1001);
      await until('closed 1001');
    });

    test(`a server (${using}) names the address that is taken, and leaves the others free`, async () => {
      const { handlers } = aRecorder();
      const { listening } = await serve(handlers);
      const taken = listening.addresses[0] ?? { host: '', port: 0 };
      const attempt = serve(handlers, { addresses: [{ host: '127.0.0.1', port: 0 }, taken] });
      await expect(attempt).rejects.toThrow(`cannot listen on 127.0.0.1:${taken.port}: the address is in use`);
    });
  });
}
