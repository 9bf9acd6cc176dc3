/** The feed over HTTP: WebSocket, browsers, server-sent events. */
import { afterEach, describe, expect, test } from 'bun:test';
import { WebSocket } from 'ws';
import { createFeedApi } from '../../src/api/feed/index.ts';
import { createFeed } from '../../src/feed/feed.ts';
import { createUpgrades } from '../../src/http/upgrades.ts';
import { listen } from '../../src/http/websocket/index.ts';
import type { Listening, Socket, SocketHandlers } from '../../src/http/websocket/types.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { anApi } from './support.ts';

/** A api whose runtime publishes into a feed. */
async function aFeedApi(env: Record<string, string> = {}) {
  const api = await anApi({ env });
  const feed = createFeed({ store: api.store, clock: api.clock });
  api.runtime.onFacts(facts => feed.publish(facts));
  const feedApi = createFeedApi({ feed, auth: api.auth, config: api.center.config, clock: api.clock, ids: api.ids });
  const withRoutes = await anApi({ env, extra: feedApi.routes, store: api.store });
  const upgrade = (query = '', headers: Record<string, string> = {}) =>
    feedApi.upgrade(new Request(`http://127.0.0.1:8899/v1/feed${query}`, { headers: { host: '127.0.0.1:8899', ...headers } }));
  const pool = (name: string) =>
    api.ask(`pool/${name}`, { type: 'pool.create', config: { name, timeZone: null, servers: [], description: '' } });
  return { ...api, app: withRoutes.app, call: withRoutes.call, feed, feedApi, upgrade, pool };
}

function aSocket(answer: SocketHandlers | Response) {
  if (answer instanceof Response) throw new Error(`refused with ${answer.status}`);
  const frames: Record<string, unknown>[] = [];
  const seen: { closed: { code: number; reason: string } | undefined; waiting: number } = { closed: undefined, waiting: 0 };
  const socket: Socket = {
    send(text) {
      frames.push(JSON.parse(text));
      return 'sent';
    },
    close(code, reason) {
      seen.closed ??= { code, reason };
    },
    buffered: () => seen.waiting,
  };
  answer.open(socket);
  return {
    frames,
    seen,
    say: (frame: unknown) => answer.frame(typeof frame === 'string' ? frame : JSON.stringify(frame)),
    handlers: answer,
  };
}

const login = async (world: Awaited<ReturnType<typeof aFeedApi>>) => {
  const { token } = await world.auth.login('root', 'a-long-password', '127.0.0.1');
  return { token, headers: { authorization: `Bearer ${token}` } };
};
const WITH_PASSWORD = { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: 'a-long-password' };

describe('the feed as a WebSocket', () => {
  test('the feed as a WebSocket sends each fact in the frame that programs rely on', async () => {
    const world = await aFeedApi();
    const socket = aSocket(await world.upgrade());
    await world.settled();
    await world.pool('east');
    const fact = world.facts.find(({ address }) => address === 'pool/east') ?? (await world.store.facts({})).facts.at(-1);
    expect(socket.frames).toEqual([
      {
        cursor: fact?.cursor,
        at: new Date(fact?.at ?? 0).toISOString(),
        address: 'pool/east',
        rev: fact?.rev,
        type: fact?.type,
        data: fact?.data,
      },
    ]);
  });

  test('the feed as a WebSocket resumes behind a cursor and keeps to its filter', async () => {
    const world = await aFeedApi();
    await world.pool('east');
    const cursor = await world.store.headCursor();
    await world.pool('west');
    const all = aSocket(await world.upgrade(`?after=${cursor}`));
    const none = aSocket(await world.upgrade(`?after=${cursor}&kinds=job,host.ready`));
    await world.settled();
    expect(all.frames.map(({ address }) => address)).toEqual(['pool/west']);
    expect(none.frames).toEqual([]);
  });

  test('the feed as a WebSocket begins with a notice where the facts behind its cursor are no longer kept', async () => {
    const world = await aFeedApi();
    const cursor = await world.store.headCursor();
    for (const name of ['east', 'west', 'south']) await world.pool(name);
    await world.store.deleteFacts({ before: 0, keep: 1, limit: 100 });
    const [kept] = (await world.store.facts({})).facts;
    const socket = aSocket(await world.upgrade(`?after=${cursor}`));
    await world.settled();
    const notice = { type: 'feed.truncated', data: { from: kept?.cursor, at: new Date(kept?.at ?? 0).toISOString() } };
    expect(socket.frames[0]).toEqual(notice);
    expect(socket.frames.slice(1)).toMatchObject([{ cursor: kept?.cursor, address: 'pool/south' }]);
  });

  test('the feed as a WebSocket refuses a kind that does not exist, and a repeated one', async () => {
    const world = await aFeedApi();
    const refused = async (query: string) => {
      const answer = await world.upgrade(query);
      return answer instanceof Response ? [answer.status, (await answer.json()).error] : 'taken';
    };
    const rule = 'but must have kinds of actors (job, execution, app, host, pool, table, notice) or types of facts such as job.fired.';
    const about = (message: string, field = 'kinds') => [400, { code: 'invalid', message, field }];
    expect(await refused('?kinds=host,jbo')).toEqual(about(`kinds has "jbo" (did you mean job?), ${rule}`));
    expect(await refused('?kinds=everything')).toEqual(about(`kinds has "everything", ${rule}`));
    expect(await refused('?job=a&job=b')).toEqual(about('job is repeated ("a", "b"), but must be given once.', 'job'));
    expect(await refused('?kinds=job,shard.ended')).toBe('taken');
  });

  test('the feed as a WebSocket refuses a malformed query or token before the handshake', async () => {
    const world = await aFeedApi(WITH_PASSWORD);
    const { headers } = await login(world);
    const status = async (query: string, given: Record<string, string>) => {
      const answer = await world.upgrade(query, given);
      return answer instanceof Response ? answer.status : 101;
    };
    expect(await status('?colour=red', headers)).toBe(400);
    expect(await status('', { authorization: 'Bearer troupe_wrong' })).toBe(401);
    expect(await status('', { ...headers, origin: 'https://elsewhere.example' })).toBe(403);
    expect(await status('', { ...headers, origin: 'http://127.0.0.1:8899' })).toBe(101);
    expect(await status('', headers)).toBe(101);
  });

  test('the feed as a WebSocket closes with 1008 for a malformed cursor', async () => {
    const world = await aFeedApi();
    const socket = aSocket(await world.upgrade('?after=nonsense'));
    await world.settled();
    expect(socket.seen.closed).toMatchObject({ code: 1008 });
  });

  test('row 26: the feed as a WebSocket closes with 4008 and the last cursor when the watcher cannot keep up', async () => {
    const world = await aFeedApi();
    const socket = aSocket(await world.upgrade());
    await world.settled();
    await world.pool('east');
    socket.seen.waiting = 1024 * 1024;
    await world.pool('west');
    await world.clock.advance(31_000);
    expect(socket.seen.closed).toEqual({ code: 4008, reason: String(socket.frames[0]?.cursor) });
  });

  test('the feed as a WebSocket ignores frames of watchers', async () => {
    const world = await aFeedApi();
    const socket = aSocket(await world.upgrade());
    socket.say({ type: 'hello' });
    expect(socket.seen.closed).toMatchObject({ code: 1008 });
  });

  test('the feed as a WebSocket ends when the login ends', async () => {
    const world = await aFeedApi(WITH_PASSWORD);
    const { token, headers } = await login(world);
    const socket = aSocket(await world.upgrade('', headers));
    await world.clock.advance(31_000);
    expect(socket.seen.closed).toBeUndefined();
    await world.auth.logout(token);
    await world.clock.advance(31_000);
    expect(socket.seen.closed).toMatchObject({ code: 4001 });
    expect(world.feed.watchers()).toBe(0);
  });
});

describe('a browser, which cannot send a header', () => {
  test('a browser shows a ticket in its first frame, once', async () => {
    const world = await aFeedApi(WITH_PASSWORD);
    const { headers } = await login(world);
    const origin = { origin: 'http://127.0.0.1:8899' };
    const { status, body } = await world.call('POST', '/v1/feed/tickets', undefined, headers);
    expect(status).toBe(201);
    const { ticket } = body as { ticket: string };
    const socket = aSocket(await world.upgrade('', origin));
    await world.settled();
    await world.pool('east');
    expect(socket.frames).toEqual([]);
    socket.say({ type: 'ticket', ticket });
    await world.settled();
    await world.pool('west');
    expect(socket.frames).toHaveLength(1);
    const again = aSocket(await world.upgrade('', origin));
    again.say({ type: 'ticket', ticket });
    await world.settled();
    expect(again.seen.closed).toMatchObject({ code: 1008 });
  });

  test('a browser gets no ticket without a login, and has ten seconds to show it', async () => {
    const world = await aFeedApi(WITH_PASSWORD);
    expect((await world.call('POST', '/v1/feed/tickets')).status).toBe(401);
    const socket = aSocket(await world.upgrade());
    await world.clock.advance(10_000);
    expect(socket.seen.closed).toMatchObject({ code: 1008 });
    expect(world.feed.watchers()).toBe(0);
  });
});

describe('the feed as server-sent events', () => {
  const read = async (response: Response, until: (text: string) => boolean) => {
    const reader = response.body?.getReader();
    let text = '';
    while (reader && !until(text)) {
      const { value, done } = await reader.read();
      if (done) break;
      text += new TextDecoder().decode(value);
    }
    return { text, cancel: () => reader?.cancel() };
  };

  test('the feed as server-sent events has cursors as ids, resumes by Last-Event-ID, and stops watching when the client goes', async () => {
    const world = await aFeedApi();
    await world.pool('east');
    const cursor = await world.store.headCursor();
    await world.pool('west');
    const response = await world.app.request('/v1/feed', { headers: { accept: 'text/event-stream', 'last-event-id': cursor } });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const { text, cancel } = await read(response, all => all.includes('data:'));
    const [id, data] = text.split('\n').filter(line => /^(id|data):/.test(line));
    expect(JSON.parse(data?.slice('data: '.length) ?? '')).toMatchObject({ address: 'pool/west', cursor: id?.slice('id: '.length) });
    expect(world.feed.watchers()).toBe(1);
    await cancel();
    expect(world.feed.watchers()).toBe(0);
  });

  test('the feed as server-sent events begins with a notice, without an id, where older facts are no longer kept', async () => {
    const world = await aFeedApi();
    const cursor = await world.store.headCursor();
    for (const name of ['east', 'west', 'south']) await world.pool(name);
    await world.store.deleteFacts({ before: 0, keep: 1, limit: 100 });
    const response = await world.app.request(`/v1/feed?after=${cursor}`, { headers: { accept: 'text/event-stream' } });
    const { text, cancel } = await read(response, all => all.includes('pool/south'));
    const lines = text.split('\n').filter(line => /^(id|data):/.test(line));
    expect(lines[0]).toStartWith('data: {"type":"feed.truncated","data":{"from":');
    expect(lines[1]).toStartWith('id: ');
    expect(lines).toHaveLength(3);
    await cancel();
  });

  test('the feed as server-sent events needs a token, a cursor of ours, and the right Accept', async () => {
    const world = await aFeedApi(WITH_PASSWORD);
    const { headers } = await login(world);
    const accept = { accept: 'text/event-stream' };
    expect((await world.app.request('/v1/feed', { headers: accept })).status).toBe(401);
    expect((await world.app.request('/v1/feed', { headers })).status).toBe(400);
    expect((await world.app.request('/v1/feed?after=nonsense', { headers: { ...headers, ...accept } })).status).toBe(400);
  });

  test('the feed as server-sent events ends with a comment when the feed stops', async () => {
    const world = await aFeedApi();
    const response = await world.app.request('/v1/feed', { headers: { accept: 'text/event-stream' } });
    world.feed.stop();
    expect(await response.text()).toContain('event: feed.cut\ndata: {"why":"stopping"');
  });
});

describe('over a real socket', () => {
  let listening: Listening | undefined;
  afterEach(() => listening?.stop(0));

  test('the feed arrives over a real socket, and a browser may not dial as an agent', async () => {
    const world = await aFeedApi();
    listening = await listen({
      addresses: [{ host: '127.0.0.1', port: 0 }],
      fetch: (request, peer) => world.app.fetch(request, peer),
      upgrade: createUpgrades({
        handlers: {
          '/v1/agents': () => {
            throw new Error('not asked for');
          },
          '/v1/feed': request => world.feedApi.upgrade(request),
        },
        config: { auth: 'off' },
      }),
      clock: systemClock,
    });
    const at = `ws://127.0.0.1:${listening.addresses[0]?.port}`;
    const after = await world.store.headCursor();
    await world.pool('east');
    const client = new WebSocket(`${at}/v1/feed?after=${after}`);
    const frame = await new Promise<string>(resolve => client.once('message', data => resolve(String(data))));
    expect(JSON.parse(frame)).toMatchObject({ address: 'pool/east' });
    const browser = new WebSocket(`${at}/v1/agents`, { headers: { origin: 'http://127.0.0.1' } });
    await new Promise<void>(resolve => {
      browser.on('error', () => resolve());
    });
    client.close();
  });
});
