/** The gateway: handshake, sessions, copies of a key, retired hosts. */
import { describe, expect, test } from 'bun:test';
import { type Command, GOODBYE } from '../../src/protocol/agent.ts';
import { Unavailable } from '../../src/runtime/errors.ts';
import { HostAway } from '../../src/runtime/fleet.ts';
import { aHello, aHub, aKey, aRun, aSocket, capabilities } from './support.ts';

const aStop = (key: string): Command => ({
  type: 'stop',
  key,
  fence: { partition: 0, epoch: 1, rev: 1 },
  run: aRun(),
  as: 'cancelled',
  reason: 'because',
});
const types = (delivered: { event: { type: string } }[]) => delivered.map(({ event }) => event.type);

describe('the hello of an agent', () => {
  test('the welcome names the hosts that apps may come from', async () => {
    const { join } = aHub({ apps: { fileUrls: true, hosts: ['app-host'] } });
    expect((await join()).of('welcome')).toMatchObject([{ apps: { fileUrls: true, hosts: ['app-host'] } }]);
  });

  test('an agent has a hundred labels at most', async () => {
    const labels = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, place) => [`l${place}`, 'x']));
    const { join } = aHub();
    const refused = await join({ capabilities: { ...capabilities, labels: labels(101) } });
    expect(refused.of('refused')[0]).toMatchObject({ code: 'malformed', message: expect.stringContaining('at most 100 labels') });
    expect((await join({ capabilities: { ...capabilities, labels: labels(100) } })).of('welcome')).toHaveLength(1);
  });

  test('an agent joins a pool that names its servers only as one of them', async () => {
    const { join, pool, hub } = aHub();
    pool.servers = ['box-2'];
    expect((await join()).of('refused')[0]).toMatchObject({
      code: 'notInPool',
      message:
        'pool default takes only the servers it names, and none of box-1, box and 127.0.0.1 is one of them; add one to the servers of the pool',
    });
    pool.servers = ['box-1'];
    expect((await join()).of('welcome')).toHaveLength(1);
    hub.stop();
  });

  test.each(['BOX-1', 'Box', '10.0.0.7'])('an agent joins a pool that names it %s: names in any case, an address as IPv4', async server => {
    const { join, pool, delivered, tokens } = aHub();
    tokens.set('t', { pool: null });
    pool.servers = [server];
    expect((await join({ joinToken: 't' }, '::ffff:10.0.0.7')).of('welcome')).toHaveLength(1);
    expect(delivered[1]?.event).toMatchObject({ type: 'host.connected', address: '10.0.0.7' });
  });

  test('a host that the servers of its pool do not name any more is welcomed: it finishes what it runs', async () => {
    const { join, pool } = aHub();
    await join();
    pool.servers = ['box-2'];
    expect((await join({ runs: [{ run: aRun(), state: 'running' }] })).of('welcome')).toHaveLength(1);
  });

  test('an agent that names another pool than that of its host is refused, and reads what to do', async () => {
    const { join, delivered } = aHub();
    await join();
    const refused = await join({ pool: 'west' });
    expect(refused.of('refused')[0]).toMatchObject({
      code: 'wrongPool',
      message:
        'host box-1 belongs to pool default, but its agent names pool west; start it with --pool default, or with another --data directory and a join token to join pool west as a new host',
    });
    expect(refused.state.closed).toBe(1008);
    expect(types(delivered)).toEqual(['host.enroll', 'host.connected']);
    expect((await join({ pool: undefined })).of('welcome')).toHaveLength(1);
  });

  test('an agent is enrolled, published as a host, and only then welcomed', async () => {
    const { join, delivered, intercept, clock, dial } = aHub();
    let release = () => {};
    intercept.pass = async ({ event }) => {
      if (event.type === 'host.connected') await new Promise<void>(resolve => (release = resolve));
    };
    const socket = dial();
    socket.say(aHello(socket.of('challenge')[0]?.nonce ?? '', { runs: [{ run: aRun(), state: 'running' }] }));
    await clock.settle();
    expect(types(delivered)).toEqual(['host.enroll']);
    expect(socket.of('welcome')).toEqual([]);
    release();
    await clock.settle();
    const host = String(delivered[0]?.event.id);
    expect(delivered[1]).toMatchObject({ to: `host/${host}`, event: { type: 'host.connected', address: '127.0.0.1', runs: [aRun()] } });
    expect(socket.of('welcome')).toEqual([
      { type: 'welcome', host, heartbeatMs: 5_000, batching: true, livenessToken: expect.any(String), fileToken: expect.any(String) },
    ]);
    intercept.pass = async () => {};
    // The same key is the same host.
    await join();
    expect(types(delivered)).toEqual(['host.enroll', 'host.connected', 'host.connected']);
    expect(delivered[2]?.to).toBe(`host/${host}`);
  });

  test('an agent has a name of its own in its pool: the next one of a name gets a number, until the first is retired', async () => {
    const { join, delivered, hosts } = aHub();
    const names = () => delivered.filter(({ event }) => event.type === 'host.enroll').map(({ event }) => event.name);
    await Promise.all([1, 2, 3].map(key => join({ publicKey: aKey(key) })));
    expect(names()).toEqual(['box-1', 'box-1-2', 'box-1-3']);
    await join({ publicKey: aKey(4), name: 'box-1-4' });
    await join({ publicKey: aKey(5) });
    expect(names().slice(3)).toEqual(['box-1-4', 'box-1-5']);
    const [first] = hosts.values();
    if (first) first.status = 'retired';
    await join({ publicKey: aKey(6) });
    expect(names().at(-1)).toBe('box-1');
    const long = 'n'.repeat(100);
    for (const key of [7, 8]) await join({ publicKey: aKey(key), name: long });
    expect(names().slice(-2)).toEqual([long, `${'n'.repeat(98)}-2`]);
  });

  test('an agent gets a token for files with its welcome, which names its host until the session ends', async () => {
    const { join, hub } = aHub();
    const socket = await join();
    const { fileToken = '', host } = socket.of('welcome')[0] ?? {};
    expect(fileToken).toStartWith('troupe_agent_');
    expect(hub.hostOfToken(fileToken)).toBe(String(host));
    expect(hub.hostOfToken('troupe_agent_other')).toBeUndefined();
    socket.handlers.closed(1006, '');
    expect(hub.hostOfToken(fileToken)).toBeUndefined();
  });

  test('an agent whose host was retired and deleted is refused for good', async () => {
    const { join, hosts, store } = aHub();
    await join();
    const [record] = await store.credentials('agentKey');
    if (!record) throw new Error('no key was kept');
    await store.putCredential({ ...record, data: { ...record.data, retired: true } });
    hosts.clear();
    expect((await join()).of('refused')[0]?.code).toBe('retired');
    expect(hosts.size).toBe(0);
  });

  test('an agent needs a join token where authentication is on or the agent is elsewhere, and each is valid for its own terms', async () => {
    for (const [auth, address] of [
      ['on', '127.0.0.1'],
      ['off', '10.0.0.7'],
    ] as const) {
      const { join, delivered } = aHub({ auth });
      expect((await join({}, address)).of('refused')[0]?.code).toBe('unknownKey');
      expect((await join({ joinToken: 'wrong' }, address)).of('refused')[0]?.code).toBe('joinTokenInvalid');
      expect(delivered).toEqual([]);
      expect((await join({ joinToken: 'join-me' }, address)).of('welcome')).toHaveLength(1);
      expect((await join({ joinToken: 'join-me', publicKey: aKey(2) }, address)).of('refused')[0]?.code).toBe('joinTokenInvalid');
      expect((await join({}, address)).of('welcome')).toHaveLength(1);
    }
  });

  test('an agent that names no pool joins that of its token', async () => {
    const { join, delivered, tokens } = aHub({ auth: 'on' });
    tokens.set('for-default', { pool: 'default' });
    await join({ pool: undefined, joinToken: 'for-default' });
    expect(delivered[0]?.event).toMatchObject({ type: 'host.enroll', pool: 'default', name: 'box-1', graceMs: 60_000 });
  });

  test('an agent that names another pool than its token is refused, and its token stays valid', async () => {
    const { join, delivered, tokens } = aHub({ auth: 'on' });
    tokens.set('for-default', { pool: 'default' });
    expect((await join({ pool: 'west', joinToken: 'for-default' })).of('refused')[0]).toMatchObject({
      code: 'wrongPool',
      message:
        'the join token is for pool default, but the agent names pool west; start it with --pool default or without --pool, or make a token for pool west',
    });
    expect(delivered).toEqual([]);
    expect((await join({ joinToken: 'for-default' })).of('welcome')).toHaveLength(1);
  });

  test('a refused agent gets the reason and leaves no trace', async () => {
    const { join, delivered, dial, clock, logs } = aHub();
    const codes: (string | undefined)[] = [];
    const old = dial().of('challenge')[0]?.nonce ?? '';
    for (const changes of [
      { protocol: 99 },
      { name: '../etc' },
      { publicKey: 'short' },
      { publicKey: `${aKey(1).slice(0, -1)}F` },
      { signature: 'forged' },
      { signature: aHello(old).signature },
      { pool: 'nowhere' },
    ]) {
      const socket = await join(changes);
      codes.push(socket.of('refused')[0]?.code);
      expect(socket.state.closed).toBe(1008);
    }
    expect(codes).toEqual(['protocol', 'invalid', 'invalid', 'invalid', 'signature', 'signature', 'noPool']);
    const early = dial();
    early.say({ type: 'commandsAcknowledged', keys: [] });
    await clock.settle();
    expect(early.of('refused')[0]?.code).toBe('unexpected');
    expect(delivered).toEqual([]);
    expect(logs.filter(line => line.security)).toHaveLength(2);
  });

  test('one new key makes one host, even when two hellos of it come at once', async () => {
    const { delivered, dial, clock } = aHub();
    const [first, second] = [dial(), dial()];
    for (const socket of [first, second]) socket.say(aHello(socket.of('challenge')[0]?.nonce ?? ''));
    await clock.settle();
    expect(types(delivered)).toEqual(['host.enroll', 'host.connected', 'host.connected']);
    expect(first.of('refused')[0]?.code).toBe('identityInUse');
    expect(second.of('welcome')).toHaveLength(1);
  });

  test('an agent finishes an enrolment that broke off', async () => {
    const { join, delivered, intercept } = aHub();
    intercept.pass = async ({ event }) => {
      if (event.type === 'host.enroll') throw new Unavailable('the store is away');
    };
    expect((await join()).of('refused')[0]?.code).toBe('unavailable');
    intercept.pass = async () => {};
    expect((await join()).of('welcome')).toHaveLength(1);
    expect(types(delivered)).toEqual(['host.enroll', 'host.connected']);
  });

  test('an agent never serves again once its host is retired', async () => {
    const { join, hosts, delivered } = aHub();
    await join();
    for (const host of hosts.values()) host.status = 'retired';
    delivered.length = 0;
    expect((await join()).of('refused')[0]?.code).toBe('retired');
    expect(delivered).toEqual([]);
  });

  test('an agent without a hello in time is disconnected', async () => {
    const { dial, clock } = aHub();
    const socket = dial();
    await clock.advance(9_999);
    expect(socket.state.closed).toBeUndefined();
    await clock.advance(1);
    expect(socket.of('refused')[0]?.code).toBe('noHello');
    expect(socket.state.closed).toBe(1008);
  });
});

describe('row 29: two agents with one key', () => {
  test('two agents with one key and no instance ids: the newest serves, the older is closed, and both are on record', async () => {
    const { join, logs, delivered, hub, clock } = aHub();
    const older = await join();
    const host = String(delivered[0]?.event.id);
    const given = hub.send(host, aStop('k1')).catch((problem: unknown) => problem);
    const newer = await join({}, '127.0.0.2');
    expect(await given).toBeInstanceOf(HostAway);
    expect(older.of('refused')[0]?.code).toBe('identityInUse');
    expect(older.state.closed).toBe(4003);
    expect(logs.filter(line => line.security).map(line => line.session)).toEqual([
      delivered[1]?.event.session,
      delivered[2]?.event.session,
    ]);
    // The end of the older socket changes nothing.
    older.handlers.closed(4003, '');
    older.say({ type: 'report', id: 1, run: aRun(), state: 'started', at: 1, pid: 1 });
    await clock.settle();
    expect(types(delivered)).toEqual(['host.enroll', 'host.connected', 'host.connected']);
    expect(newer.state.closed).toBeUndefined();
    void hub.send(host, aStop('k2'));
    expect(newer.of('stop')).toHaveLength(1);
  });

  const aStart = (key: string): Command => ({
    type: 'start',
    key,
    fence: { partition: 0, epoch: 1, rev: 1 },
    run: aRun(),
    spec: { command: ['true'], shell: false, env: {}, timeoutMs: 0, killGraceMs: 0, disconnect: 'continue', disconnectMs: 0 },
  });
  /** Two processes with one key. The first one got a start and has not acknowledged it. */
  const two = async (answersPing: boolean, place = 'here') => {
    const cluster = aHub();
    const older = await cluster.join({ instanceId: 'one', dataDirId: 'here' });
    const given = cluster.hub.send(String(cluster.delivered[0]?.event.id), aStart('k1')).then(
      () => 'acknowledged',
      () => 'owed',
    );
    const joining = cluster.join({ instanceId: 'two', dataDirId: place });
    await cluster.clock.settle();
    if (answersPing) older.say({ type: 'pong', nonce: 'there?' });
    await cluster.clock.advance(1_000);
    const newer = await joining;
    return { ...cluster, older, newer, given };
  };

  test('two living agents with one key get no run twice: the first serves on, the second is refused and begins nothing', async () => {
    const { older, newer, given, delivered, logs, hub } = await two(true, 'a copy');
    expect(newer.of('refused')[0]?.code).toBe('identityInUse');
    expect(newer.of('welcome')).toEqual([]);
    expect([newer.state.closed, older.state.closed]).toEqual([1008, undefined]);
    expect(types(delivered)).toEqual(['host.enroll', 'host.connected']);
    expect(logs.filter(line => line.security)).toHaveLength(2);
    older.say({ type: 'commandsAcknowledged', keys: ['k1'] });
    expect(await given).toBe('acknowledged');
    void hub.send(String(delivered[0]?.event.id), aStop('k2'));
    expect([older.of('stop').length, newer.of('stop').length]).toEqual([1, 0]);
  });

  test('a copy of an agent waits until the host is lost, whether the original hangs or has died', async () => {
    const { older, newer, hub, delivered, join, clock } = await two(false, 'a copy');
    expect(newer.of('refused')[0]?.code).toBe('identityInUse');
    older.handlers.closed(1006, '');
    await clock.settle();
    expect((await join({ instanceId: 'three', dataDirId: 'a copy' })).of('refused')[0]?.code).toBe('identityInUse');
    await clock.advance(66_000);
    const late = await join({ instanceId: 'four', dataDirId: 'a copy' });
    expect(late.of('welcome')).toHaveLength(1);
    expect(hub.send(String(delivered[0]?.event.id), aStop('k2'))).toBeInstanceOf(Promise);
    expect(late.of('stop')).toHaveLength(1);
  });

  test('a second agent in the same directory serves at once when the first has died', async () => {
    const { older, join, clock } = await two(false, 'a copy');
    older.handlers.closed(1006, '');
    await clock.settle();
    expect((await join({ instanceId: 'three', dataDirId: 'here' })).of('welcome')).toHaveLength(1);
  });

  test('a restarted agent counts as one with its silent predecessor, and its pending start is sent', async () => {
    const { newer, given, delivered } = await two(false);
    expect(await given).toBe('owed');
    expect(types(delivered)).toEqual(['host.enroll', 'host.connected', 'host.connected']);
    expect(newer.of('welcome')).toHaveLength(1);
  });

  test('an agent that dials again before the center detects the dead socket counts as one', async () => {
    const { join, logs, delivered } = aHub();
    const older = await join({ instanceId: 'one' });
    await join({ instanceId: 'one' });
    expect(older.state.closed).toBe(4003);
    expect(types(delivered)).toEqual(['host.enroll', 'host.connected', 'host.connected']);
    expect(logs.filter(line => line.security)).toEqual([]);
  });
});

describe('a session that ends', () => {
  const gone = (delivered: { event: { type: string; [field: string]: unknown } }[]) =>
    delivered.flatMap(({ event }) => (event.type === 'host.disconnected' ? [[event.disconnectKind, event.silentMs]] : []));
  const ends: [string, number, string, string][] = [
    ['torn down', 1006, '', 'closed'],
    ['with a goodbye', 1000, GOODBYE, 'away'],
    ['because the agent heard nothing', 4000, 'silent', 'away'],
  ];
  test.each(ends)('a session that ends %s has the disconnect kind of that end', async (_, code, reason, disconnectKind) => {
    const { join, delivered, clock } = aHub();
    const socket = await join();
    socket.handlers.closed(code, reason);
    await clock.settle();
    expect(gone(delivered)).toEqual([[disconnectKind, 0]]);
  });

  test('a session that ends after a silence counts as a network failure, and its event has the silence', async () => {
    const { join, delivered, clock } = aHub();
    const socket = await join();
    await clock.advance(12_000);
    socket.handlers.closed(1006, '');
    await clock.settle();
    expect(gone(delivered)).toEqual([['away', 12_000]]);
  });

  test('sessions that end together with more than half of all count as a network failure: every host gets its full grace', async () => {
    const { join, delivered, clock } = aHub();
    const sockets = [];
    for (const number of [1, 2, 3]) sockets.push(await join({ publicKey: aKey(number), name: `box-${number}` }));
    const restarted = () => delivered.filter(({ event }) => event.type === 'host.restartGrace').map(({ to }) => to);
    sockets[0]?.handlers.closed(1006, '');
    await clock.settle();
    expect(restarted()).toEqual([]);
    sockets[1]?.handlers.closed(1006, '');
    await clock.settle();
    expect(restarted()).toHaveLength(2);
    sockets[2]?.handlers.closed(1006, '');
    await clock.settle();
    // Each once: a thousand hosts that leave together must not make half a million events.
    expect(new Set(restarted()).size).toBe(3);
    expect(restarted()).toHaveLength(3);
  });

  test('a session that ends again after the host was back is an absence of its own', async () => {
    const { join, delivered, clock } = aHub();
    const comes = (number: number) => join({ publicKey: aKey(number), name: `box-${number}` });
    const restarted = () => delivered.filter(({ event }) => event.type === 'host.restartGrace');
    const sockets = [await comes(1), await comes(2)];
    for (const socket of sockets) socket.handlers.closed(1006, '');
    await clock.settle();
    expect(restarted()).toHaveLength(2);
    const again = [await comes(1), await comes(2)];
    again[0]?.handlers.closed(1006, '');
    await clock.settle();
    expect(restarted()).toHaveLength(2);
    again[1]?.handlers.closed(1006, '');
    await clock.settle();
    expect(restarted()).toHaveLength(4);
  });

  test('a session that ends is followed by the report of its keeper, by a token that no other agent has', async () => {
    const { join, delivered, clock, hub } = aHub();
    const socket = await join();
    const livenessToken = socket.of('welcome')[0]?.livenessToken;
    socket.handlers.closed(1006, '');
    const say = async (said: unknown) => {
      const keeper = aSocket(hub.accept({ address: '127.0.0.1' }));
      keeper.say({ type: 'agentLost', livenessToken: said });
      await clock.settle();
      return keeper.state.closed;
    };
    expect(await say('guessed')).toBe(1008);
    expect(types(delivered)).not.toContain('host.agentLost');
    expect(await say(livenessToken)).toBe(1000);
    expect(delivered.at(-1)).toMatchObject({ event: { type: 'host.agentLost', session: delivered[1]?.event.session } });
    await clock.advance(60_000);
    expect(await say(livenessToken)).toBe(1008);
  });
});

describe('a host that was retired between its hello and its welcome', () => {
  test('an agent whose host was retired between its hello and its welcome is disconnected', async () => {
    const { join, intercept, hosts } = aHub();
    intercept.pass = async ({ event }) => {
      if (event.type === 'host.connected') for (const host of hosts.values()) host.status = 'retired';
    };
    const socket = await join();
    expect([socket.of('welcome'), socket.of('refused')[0]?.code, socket.state.closed]).toEqual([[], 'retired', 4003]);
  });
});

describe('a join token', () => {
  test('a join token is not spent on an agent that is refused for another reason', async () => {
    const { join, pool, tokens } = aHub({ auth: 'on' });
    pool.servers = ['box-2'];
    expect((await join({ joinToken: 'join-me' })).of('refused')[0]?.code).toBe('notInPool');
    expect((await join({ joinToken: 'join-me', pool: 'nowhere' })).of('refused')[0]?.code).toBe('noPool');
    expect(tokens.has('join-me')).toBe(true);
    pool.servers = [];
    expect((await join({ joinToken: 'join-me' })).of('welcome')).toHaveLength(1);
    expect(tokens.has('join-me')).toBe(false);
  });
});

describe('a command', () => {
  test('a command goes out in order and is done when the agent acknowledges it', async () => {
    const { join, hub, delivered, clock } = aHub();
    const socket = await join();
    const host = String(delivered[0]?.event.id);
    const done: string[] = [];
    for (const key of ['a', 'b', 'c']) void hub.send(host, aStop(key)).then(() => done.push(key));
    void hub.send(host, aStop('b')).then(() => done.push('b again'));
    expect(socket.of('stop').map(({ key }) => key)).toEqual(['a', 'b', 'c']);
    socket.say({ type: 'commandsAcknowledged', keys: ['b', 'unknown'] });
    socket.say({ type: 'rejected', key: 'a', run: aRun(), reason: 'lowerFence' });
    await clock.settle();
    expect(done).toEqual(['b', 'b again', 'a']);
  });

  test('a command comes back as HostAway when the session ends first', async () => {
    const { join, hub, delivered, clock } = aHub();
    await expect(hub.send('nobody', aStop('a'))).rejects.toBeInstanceOf(HostAway);
    const socket = await join();
    const waiting = hub.send(String(delivered[0]?.event.id), aStop('a'));
    socket.handlers.closed(1006, '');
    await expect(waiting).rejects.toBeInstanceOf(HostAway);
    await clock.settle();
    expect(delivered.at(-1)?.event).toMatchObject({ type: 'host.disconnected', session: delivered[1]?.event.session });
  });

  test('a command is Busy beyond the limit of unacknowledged ones', async () => {
    const { join, hub, delivered } = aHub({ limits: { commandsMax: 2 } });
    await join();
    const host = String(delivered[0]?.event.id);
    void hub.send(host, aStop('a'));
    void hub.send(host, aStop('b'));
    await expect(hub.send(host, aStop('c'))).rejects.toMatchObject({ code: 'busy' });
  });

  test('a command that is pending with the commit of `host.connected` waits for the welcome', async () => {
    const { hub, intercept, dial, clock, delivered } = aHub();
    const ready: string[] = [];
    hub.onReady(host => ready.push(host));
    intercept.pass = async ({ to, event }) => {
      if (event.type === 'host.connected') void hub.send(to.slice('host/'.length), aStop('early'));
    };
    const socket = dial();
    socket.say(aHello(socket.of('challenge')[0]?.nonce ?? ''));
    await clock.settle();
    expect(socket.frames.map(({ type }) => type)).toEqual(['challenge', 'welcome', 'stop']);
    expect(ready).toEqual([String(delivered[0]?.event.id)]);
  });

  test('commands end the session of an agent that does not read', async () => {
    const { join, hub, delivered } = aHub();
    const socket = await join();
    socket.state.accepts = 'dropped';
    await expect(hub.send(String(delivered[0]?.event.id), aStop('a'))).rejects.toBeInstanceOf(HostAway);
    expect(socket.state.closed).toBe(1013);
  });
});

describe('row 5: heartbeats', () => {
  test('heartbeats close a socket that was silent for three, and keep one that answers', async () => {
    const { join, clock, delivered, hub } = aHub();
    const silent = await join();
    const lively = await join({ publicKey: aKey(2), name: 'box-2' });
    for (let beats = 0; beats < 3; beats++) {
      await clock.advance(5_000);
      lively.say({ type: 'pong', nonce: lively.of('ping').at(-1)?.nonce ?? '' });
    }
    expect(silent.state.closed).toBe(4000);
    expect(lively.state.closed).toBeUndefined();
    expect(types(delivered).filter(type => type === 'host.disconnected')).toHaveLength(1);
    expect(hub.lastSeen(String(delivered[0]?.event.id))).toBeUndefined();
    expect(hub.lastSeen(String(delivered[2]?.event.id))).toBe(clock.now());
    lively.say({ type: 'ping', nonce: 'n' });
    expect(lively.of('pong')).toEqual([{ type: 'pong', nonce: 'n' }]);
  });

  test('heartbeats do not count time in which an agent waited for its welcome', async () => {
    const { join, clock, intercept } = aHub();
    let finish = () => {};
    intercept.pass = ({ event }) =>
      event.type === 'host.connected' ? new Promise<void>(resolve => (finish = resolve)) : Promise.resolve();
    const socket = await join();
    await clock.advance(14_000);
    finish();
    await clock.settle();
    expect(socket.of('welcome')).toHaveLength(1);
    await clock.advance(5_000);
    expect(socket.state.closed).toBeUndefined();
    await clock.advance(15_000);
    expect(socket.state.closed).toBe(4000);
  });

  test('row 31: heartbeats do not count time in which the center itself stood still', async () => {
    const base = aHub();
    let slept = 0;
    const clock = { ...base.clock, monotonic: () => base.clock.monotonic() + slept };
    const { join, logs } = aHub({ clock });
    const socket = await join();
    await base.clock.settle();
    await base.clock.advance(5_000);
    slept = 30_000;
    await base.clock.advance(5_000);
    expect(socket.state.closed).toBeUndefined();
    expect(logs.some(line => line.message.includes('stood still for 30000 ms'))).toBe(true);
    await base.clock.advance(5_000);
    expect(socket.state.closed).toBe(4000);
  });
});

describe('the beginning and the end of a center', () => {
  test('the start of a center gives every host that may have been cut off a new grace', async () => {
    const { hub, hosts, delivered } = aHub();
    for (const [id, status] of Object.entries({ a: 'ready', b: 'draining', c: 'suspect', d: 'lost', e: 'retired', f: 'joining' })) {
      hosts.set(`host/${id}`, { id, name: id, status });
    }
    await hub.restartGrace();
    expect(delivered).toEqual(['a', 'b', 'c'].map(id => ({ to: `host/${id}`, event: { type: 'host.restartGrace' } })));
  });

  test('the stop of a center leaves the report of lost sessions to the next center', async () => {
    const { hub, join, delivered, dial } = aHub();
    const socket = await join();
    const before = delivered.length;
    hub.stop();
    hub.stop();
    expect(socket.state.closed).toBe(1001);
    expect(delivered).toHaveLength(before);
    expect(dial().state.closed).toBe(1013);
  });
});

describe('an agent that has served higher epochs than this center', () => {
  test('an agent that has served higher epochs than this center is connected once they are raised, and the operator reads why', async () => {
    const delivered: string[] = [];
    const { join, epochs, delivered: events } = aHub({ onEarlierState: text => void delivered.push(text) });
    epochs.raiseEpochs = async known => {
      // Nothing may be sent to its host before.
      expect(events.some(({ event }) => event.type === 'host.connected')).toBe(false);
      expect(known).toEqual([[3, 10]]);
      return known.some(([, epoch]) => epoch > 5) ? 1_000_000 : 0;
    };
    expect((await join({ epochs: '3:9' })).of('welcome')).toHaveLength(1);
    expect(delivered).toMatchObject([expect.stringContaining('raised by 1000000')]);
  });

  test('an agent that has served higher epochs than this center is refused for now where this center may not raise them', async () => {
    const { join, epochs, delivered } = aHub();
    epochs.raiseEpochs = async () => Promise.reject(new Error('another center has taken over'));
    const socket = await join({ epochs: '3:9' });
    expect([socket.of('welcome'), socket.of('refused')[0]?.code]).toEqual([[], 'unavailable']);
    expect(delivered.some(({ event }) => event.type === 'host.connected')).toBe(false);
  });

  test('an agent that has served higher epochs than this center is refused where its epochs are malformed', async () => {
    const { join } = aHub();
    expect((await join({ epochs: '3:1e99' })).of('refused')[0]?.code).toBe('invalid');
  });
});

describe('a proof of the installation', () => {
  test('a proof of the installation is given once per session, over the nonces of both', async () => {
    const { dial } = aHub();
    const socket = dial();
    socket.say({ type: 'prove', nonce: 'mine' });
    const [challenge] = socket.of('challenge');
    const [proof] = socket.of('proof');
    expect(Buffer.from(proof?.signature ?? '', 'base64url').toString()).toContain(`troupe-center:mine:${challenge?.nonce}`.slice(0, 30));
    socket.say({ type: 'prove', nonce: 'again' });
    expect([socket.of('proof').length, socket.of('refused')[0]?.code]).toEqual([1, 'unexpected']);
  });
});
