/** An agent on a real socket, with each server. */
import { afterEach, describe, expect, test } from 'bun:test';
import { generateKeyPairSync, sign } from 'node:crypto';
import { WebSocket } from 'ws';
import { createUpgrades } from '../../src/http/upgrades.ts';
import { listen } from '../../src/http/websocket/index.ts';
import type { Listening } from '../../src/http/websocket/types.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { systemIds } from '../../src/lib/ids.ts';
import { verifyEd25519 } from '../../src/security/ed25519.ts';
import { until } from '../support/cluster.ts';
import { aHello, aHub, aRun } from './support.ts';

function anIdentity() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const publicText = publicKey.export({ format: 'jwk' }).x ?? '';
  return { publicKey: publicText, sign: (text: string) => sign(null, Buffer.from(text), privateKey).toString('base64url') };
}

/** A socket of the network whose frames can be waited for. */
function aClient(url: string) {
  const socket = new WebSocket(url);
  const frames: Record<string, unknown>[] = [];
  let arrived = () => {};
  socket.on('message', data => {
    frames.push(JSON.parse(String(data)));
    arrived();
  });
  const closed = new Promise<number>(resolve => socket.on('close', resolve));
  socket.on('error', () => {});
  const frame = async (type: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const found = frames.find(one => one.type === type);
      if (found) return found;
      await new Promise<void>(resolve => {
        arrived = resolve;
      });
    }
  };
  return { socket, frames, closed, frame, say: (what: unknown) => socket.send(JSON.stringify(what)) };
}

let listening: Listening | undefined;
afterEach(() => listening?.stop(0));

async function aCenter(using: 'bun' | 'ws') {
  const world = aHub({ clock: systemClock, ids: systemIds, verify: verifyEd25519 });
  listening = await listen({
    addresses: [{ host: '127.0.0.1', port: 0 }],
    fetch: () => new Response('not found', { status: 404 }),
    upgrade: createUpgrades({
      handlers: { '/v1/agents': (_, peer) => world.hub.accept(peer), '/v1/feed': () => new Response('', { status: 404 }) },
      config: { auth: 'off' },
    }),
    clock: systemClock,
    using,
  });
  return { ...world, url: `ws://127.0.0.1:${listening.addresses[0]?.port}/v1/agents` };
}

async function join(url: string, identity = anIdentity()) {
  const client = aClient(url);
  const { nonce } = await client.frame('challenge');
  const { publicKey } = identity;
  client.say(aHello(String(nonce), { publicKey, signature: identity.sign(`troupe-hello:${nonce}`) }));
  await client.frame('welcome');
  return client;
}

for (const using of ['bun', 'ws'] as const) {
  describe(`an agent on a real socket (${using})`, () => {
    test(`an agent on a real socket (${using}) signs with a real key, reports, and is sent its commands`, async () => {
      const { url, hub, delivered } = await aCenter(using);
      const client = await join(url);
      const host = String(delivered[0]?.event.id);
      client.say({ type: 'report', id: 9, run: aRun(), state: 'started', at: 5, pid: 1 });
      expect((await client.frame('reportsAcknowledged')).ids).toEqual([9]);
      const fence = { partition: 0, epoch: 1, rev: 1 };
      const sent = hub.send(host, { type: 'stop', key: 'k', fence, run: aRun(), as: 'cancelled', reason: '' });
      await client.frame('stop');
      client.say({ type: 'commandsAcknowledged', keys: ['k'] });
      await sent;
      hub.stop();
      expect(await client.closed).toBe(1001);
    });

    test(`an agent on a real socket (${using}) is refused with a signature of another key`, async () => {
      const { url, delivered } = await aCenter(using);
      const client = aClient(url);
      const { nonce } = await client.frame('challenge');
      const signature = anIdentity().sign(`troupe-hello:${nonce}`);
      client.say(aHello(String(nonce), { publicKey: anIdentity().publicKey, signature }));
      expect((await client.frame('refused')).code).toBe('signature');
      expect(await client.closed).toBe(1008);
      expect(delivered).toEqual([]);
    });

    test(`row 25: an agent on a real socket (${using}) loses its session by a frame beyond 256 KiB, and its host gets the event`, async () => {
      const { url, delivered, hub } = await aCenter(using);
      const client = await join(url);
      client.say({ type: 'output', text: 'x'.repeat(256 * 1024) });
      expect([1006, 1009]).toContain(await client.closed);
      await until('the session is over', () => hub.counts().sockets === 0 && delivered.length >= 3);
      expect(delivered.map(({ event }) => event.type)).toEqual(['host.enroll', 'host.connected', 'host.disconnected']);
      hub.stop();
    });
  });
}

test('a malformed key or signature fails the check without an error', () => {
  const { publicKey, sign: signed } = anIdentity();
  expect(verifyEd25519(publicKey, 'text', signed('text'))).toBe(true);
  expect(verifyEd25519(publicKey, 'other', signed('text'))).toBe(false);
  expect(verifyEd25519('no key', 'text', signed('text'))).toBe(false);
  expect(verifyEd25519(publicKey, 'text', 'none')).toBe(false);
});
