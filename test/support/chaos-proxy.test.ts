/** The proxy that other tests trust to misbehave does so. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { aChaosProxy, type ChaosProxy } from './chaos-proxy.ts';
import { until } from './cluster.ts';

let echo: Server;
let proxy: ChaosProxy;
const clients: Socket[] = [];

beforeEach(async () => {
  echo = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {});
    socket.pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const bound = echo.address();
  if (!bound || typeof bound !== 'object') throw new Error('no port');
  proxy = await aChaosProxy({ target: { port: bound.port } });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await proxy.close();
  echo.close();
});

/** A client that records the received bytes and its end. */
function aClient() {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
  clients.push(socket);
  const received = { text: '', bytes: 0, ended: false, error: '' };
  const sum = createHash('sha256');
  socket.on('data', piece => {
    sum.update(piece);
    received.bytes += piece.length;
    if (received.bytes < 10_000) received.text += String(piece);
  });
  socket.on('end', () => {
    received.ended = true;
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    received.error = error.code ?? String(error);
  });
  return { socket, received, sum, sends: (text: string) => socket.write(text) };
}

const heardIt = (client: ReturnType<typeof aClient>, text: string) =>
  until(`"${text}" was heard, not "${client.received.text}"`, () => client.received.text === text, 5_000);

describe('the chaos proxy', () => {
  test('the chaos proxy passes bytes both ways, and the end of either side', async () => {
    const client = aClient();
    client.sends('hello');
    await heardIt(client, 'hello');
    client.socket.end('bye');
    await until('the end came back', () => client.received.ended, 5_000);
    expect(client.received.text).toBe('hellobye');
    await until('the line is forgotten', () => proxy.lines === 0, 5_000);
    expect(proxy.opened).toBe(1);
  });

  test('the chaos proxy keeps megabytes in order and whole, delayed or not', async () => {
    const payload = Buffer.alloc(4_000_000, 'a piece of the whole, ');
    payload.writeUInt32BE(7, 3_999_000);
    const client = aClient();
    proxy.treat('down', { do: 'delay', ms: 5 });
    client.socket.end(payload);
    await until('a part came', () => client.received.bytes > 100_000, 5_000);
    proxy.heal();
    await until('the end came', () => client.received.ended, 10_000);
    expect(client.received.bytes).toBe(payload.length);
    expect(client.sum.digest('hex')).toBe(createHash('sha256').update(payload).digest('hex'));
  });

  test('the chaos proxy holds bytes back in one direction and lets them through later', async () => {
    const client = aClient();
    client.sends('1');
    await heardIt(client, '1');
    proxy.treat('down', { do: 'hold' });
    client.sends('2');
    const other = aClient();
    other.sends('x');
    await until('both lines stand', () => proxy.lines === 2, 5_000);
    expect(client.received.text).toBe('1');
    proxy.heal();
    await heardIt(client, '12');
    await heardIt(other, 'x');
  });

  test('the chaos proxy delays every byte by what was asked', async () => {
    const client = aClient();
    proxy.treat('up', { do: 'delay', ms: 60 });
    const from = performance.now();
    client.sends('late');
    await heardIt(client, 'late');
    expect(performance.now() - from).toBeGreaterThanOrEqual(55);
  });

  test('the chaos proxy drops bytes without an error', async () => {
    const client = aClient();
    client.sends('1');
    await heardIt(client, '1');
    proxy.treat('down', { do: 'swallow' });
    client.sends('2');
    // The other direction still works, so the echo of 2 was on its way before anything is healed.
    await until('the echo came to the proxy', () => proxy.swallowed === 1, 5_000);
    proxy.heal();
    client.sends('3');
    await heardIt(client, '13');
    expect(client.received).toMatchObject({ ended: false, error: '' });
  });

  test.each(['reset', 'close', 'swallow'] as const)('the chaos proxy cuts a line after so many bytes: %s', async how => {
    const client = aClient();
    proxy.treat('down', { do: 'cut', afterBytes: 3, how });
    client.sends('12345');
    await heardIt(client, '123');
    if (how === 'reset') await until('it is reset', () => client.received.error === 'ECONNRESET', 5_000);
    else if (how === 'close') await until('it is closed', () => client.received.ended, 5_000);
    else expect(client.received).toMatchObject({ ended: false, error: '' });
  });

  test('the chaos proxy asks a judge about each piece', async () => {
    proxy.treat('up', { do: 'judge', judge: bytes => (bytes.includes('poison') ? 'reset' : bytes.includes('noise') ? 'swallow' : 'pass') });
    const [good, bad] = [aClient(), aClient()];
    good.sends('noise');
    await until('the noise came to the proxy', () => proxy.swallowed === 5, 5_000);
    good.sends('word');
    await heardIt(good, 'word');
    bad.sends('poison');
    await until('the bad one is reset', () => bad.received.error === 'ECONNRESET', 5_000);
    expect(good.received.error).toBe('');
  });

  test('the chaos proxy resets every line at once, and takes new ones', async () => {
    const before = [aClient(), aClient()];
    for (const client of before) client.sends('1');
    await Promise.all(before.map(client => heardIt(client, '1')));
    proxy.reset();
    await until('both are reset', () => before.every(client => client.received.error === 'ECONNRESET'), 5_000);
    const after = aClient();
    after.sends('2');
    await heardIt(after, '2');
  });

  test('the chaos proxy refuses new connections, or leaves them waiting', async () => {
    proxy.welcome('refuse');
    const refused = aClient();
    await until('it is refused', () => refused.received.error !== '', 5_000);
    proxy.welcome('hang');
    const hanging = aClient();
    hanging.sends('anybody?');
    await once(hanging.socket, 'connect');
    expect(proxy.opened).toBe(0);
    proxy.heal();
    await until('who hung is sent away', () => hanging.received.error !== '' || hanging.socket.destroyed, 5_000);
    const served = aClient();
    served.sends('1');
    await heardIt(served, '1');
  });

  test('the chaos proxy is at the same port for a target that comes back elsewhere', async () => {
    const second = createServer(socket => socket.end('second')).listen(0, '127.0.0.1');
    await once(second, 'listening');
    const ports = [(echo.address() as { port: number }).port, (second.address() as { port: number }).port];
    let at = 0;
    const moving = await aChaosProxy({ target: () => ({ port: ports[at] as number }) });
    at = 1;
    const socket = connect(moving.port, '127.0.0.1');
    clients.push(socket);
    const [piece] = await once(socket, 'data');
    expect(String(piece)).toBe('second');
    await moving.close();
    second.close();
  });
});
