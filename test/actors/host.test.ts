/** The host machine: sessions, grace, drain, retirement. */
import { describe, expect, test } from 'bun:test';
import { LATE_MS } from '../../actors/host/machine.ts';
import type { HostEvent } from '../../actors/types.ts';
import { anActor, sentTo } from '../support/actor.ts';
import { type Table, testTable } from '../support/table.ts';

const capabilities = {
  os: 'linux',
  arch: 'x64',
  cpus: 4,
  memoryMB: 1024,
  labels: {},
  agentVersion: '1',
  hostname: 'h1',
  treeKill: 'group',
  appIsolation: 'copy',
  runAs: { user: null, allowed: [] },
};
const connected = (session: string): HostEvent => ({
  type: 'host.connected',
  session,
  address: '10.0.0.1',
  capabilities,
  bootId: 'b',
  runs: [],
});
const gone = (session: string): HostEvent => ({ type: 'host.disconnected', session, reason: 'cut' });
/** Its socket closed without a closing frame. */
const tornDown = (session: string): HostEvent => ({ ...gone(session), disconnectKind: 'closed', silentMs: 0 }) as HostEvent;

const table: Table<'host'> = {
  address: 'host/h1',
  create: { type: 'host.enroll', id: 'h1', name: 'alpha', pool: 'default', publicKey: 'k', graceMs: 60_000 },
  reach: {
    joining: [],
    ready: [connected('s1')],
    draining: [connected('s1'), { type: 'host.drain' }],
    suspect: [connected('s1'), gone('s1')],
    lost: [connected('s1'), gone('s1'), { type: 'host.graceExpired' }],
    retired: [{ type: 'host.retire' }],
    deleted: [{ type: 'host.retire' }, { type: 'host.delete' }],
  },
  events: {
    enroll: { type: 'host.enroll', id: 'h1', name: 'alpha', pool: 'default', publicKey: 'k', graceMs: 60_000 },
    connected: connected('s2'),
    'disconnected s1': gone('s1'),
    'disconnected s0': gone('s0'),
    restartGrace: { type: 'host.restartGrace' },
    graceOver: { type: 'host.graceExpired' },
    drain: { type: 'host.drain' },
    resume: { type: 'host.resume' },
    retire: { type: 'host.retire' },
    delete: { type: 'host.delete' },
    attended: { type: 'host.agentLost', session: 's1' },
    'attended s0': { type: 'host.agentLost', session: 's0' },
    rejectedByPool: { type: 'host.rejectedByPool', session: 1, reason: 'full' },
    'rejectedByPool in an earlier session': { type: 'host.rejectedByPool', session: 0, reason: 'full' },
    missing: { type: 'actor.missing', to: 'pool/default', eventType: 'pool.hostReady' },
  },
  rows: {
    'deleted enroll': 'joining; ; host.enrolled',
    'draining delete': 'refused: is not retired; retire it first',
    'joining delete': 'refused: is not retired; retire it first',
    'lost delete': 'refused: is not retired; retire it first',
    'ready delete': 'refused: is not retired; retire it first',
    'suspect delete': 'refused: is not retired; retire it first',
    'retired delete': 'deleted; ; host.deleted',
    'draining connected': 'draining; tell pool/default pool.hostReady; host.draining',
    'draining disconnected s1': 'suspect; tell pool/default pool.hostDisconnected; host.suspect',
    'draining enroll': 'refused: is enrolled already',
    'draining missing': 'draining; closeSession h1; host.rejectedByPool',
    'draining rejectedByPool': 'draining; closeSession h1; host.rejectedByPool',
    'draining attended': 'draining',
    'ready missing': 'ready; closeSession h1; host.rejectedByPool',
    'ready rejectedByPool': 'ready; closeSession h1; host.rejectedByPool',
    'ready attended': 'ready',
    'suspect attended': 'suspect',
    'draining restartGrace': 'suspect; tell pool/default pool.hostDisconnected; host.suspect',
    'draining resume': 'ready; tell pool/default pool.hostOpen; host.ready',
    'draining retire': 'retired; tell pool/default pool.hostLost, tell pool/default pool.hostRemoved, closeSession h1; host.retired',
    'joining connected': 'ready; tell pool/default pool.hostReady; host.ready',
    'joining drain': 'joining',
    'joining enroll': 'refused: is enrolled already',
    'joining resume': 'joining',
    'joining retire': 'retired; tell pool/default pool.hostLost, tell pool/default pool.hostRemoved, closeSession h1; host.retired',
    'lost connected': 'ready; tell pool/default pool.hostReady; host.ready',
    'lost drain': 'lost',
    'lost enroll': 'refused: is enrolled already',
    'lost resume': 'lost',
    'lost retire': 'retired; tell pool/default pool.hostLost, tell pool/default pool.hostRemoved, closeSession h1; host.retired',
    'ready connected': 'ready; tell pool/default pool.hostReady; host.ready',
    'ready disconnected s1': 'suspect; tell pool/default pool.hostDisconnected; host.suspect',
    'ready drain': 'draining; tell pool/default pool.hostOpen; host.draining',
    'ready enroll': 'refused: is enrolled already',
    'ready restartGrace': 'suspect; tell pool/default pool.hostDisconnected; host.suspect',
    'ready retire': 'retired; tell pool/default pool.hostLost, tell pool/default pool.hostRemoved, closeSession h1; host.retired',
    'retired drain': 'refused: is retired',
    'retired enroll': 'refused: is enrolled already',
    'retired resume': 'refused: is retired',
    'retired retire': 'refused: is retired',
    'suspect connected': 'ready; tell pool/default pool.hostReady; host.ready',
    'suspect drain': 'suspect',
    'suspect enroll': 'refused: is enrolled already',
    'suspect graceOver': 'lost; tell pool/default pool.hostLost; host.lost',
    'suspect restartGrace': 'suspect',
    'suspect resume': 'suspect',
    'suspect retire': 'retired; tell pool/default pool.hostLost, tell pool/default pool.hostRemoved, closeSession h1; host.retired',
  },
};

describe('a host', () => {
  testTable(table);

  const aHost = () => {
    const host = anActor('host/h1', table.create);
    host.tell(connected('s1'));
    return host;
  };

  test('a host is lost when its grace has passed without a session', () => {
    const host = aHost();
    host.tell(gone('s1'));
    expect(host.timers).toEqual([{ id: 'grace', inMs: 60_000 }]);
    host.pass(59_999);
    expect(host.state).toBe('suspect');
    host.pass(1);
    expect(host.state).toBe('lost');
  });

  test('a host has a whole grace again after it came back in time', () => {
    const host = aHost();
    host.tell(gone('s1'));
    host.tell(connected('s2'));
    expect(host.timers).toEqual([]);
    host.pass(3_600_000);
    expect(host.state).toBe('ready');
  });

  test('a host restarts its grace when a center begins to serve', () => {
    const host = aHost();
    host.tell(gone('s1'));
    host.jump(50_000);
    host.tell({ type: 'host.restartGrace' });
    expect(host.timers).toEqual([{ id: 'grace', inMs: 60_000 }]);
  });

  test('a host goes on draining after a lost session', () => {
    const host = aHost();
    host.ask({ type: 'host.drain' });
    host.tell(gone('s1'));
    const back = host.tell(connected('s2'));
    expect(host.state).toBe('draining');
    expect(sentTo(back, 'pool/default')).toMatchObject([{ type: 'pool.hostReady', open: false, session: 2 }]);
  });

  test('a host comes back open when it was resumed without a session', () => {
    const host = aHost();
    host.ask({ type: 'host.drain' });
    host.tell(gone('s1'));
    host.ask({ type: 'host.resume' });
    expect(sentTo(host.tell(connected('s2')), 'pool/default')).toMatchObject([{ open: true }]);
    expect(host.state).toBe('ready');
  });

  test('a host reports its runs as lost before it leaves its pool', () => {
    const sent = sentTo(aHost().ask({ type: 'host.retire' }), 'pool/default').map(event => event.type);
    expect(sent).toEqual(['pool.hostLost', 'pool.hostRemoved']);
  });

  test('a host is lost after the short grace when its socket closed without a closing frame', () => {
    const host = aHost();
    host.tell({ ...connected('s2'), closedGraceMs: 3_000 } as HostEvent);
    host.tell(tornDown('s2'));
    expect(host.timers).toEqual([{ id: 'grace', inMs: 3_000 }]);
    const [lost] = sentTo(host.pass(3_000), 'pool/default');
    expect(lost).toMatchObject({ type: 'pool.hostLost', reason: 'host alpha did not come back within 3000 ms' });
  });

  test('a host keeps its whole grace when its keeper reports a lost agent, before or after the socket closes', () => {
    for (const order of ['before', 'after']) {
      const host = aHost();
      host.tell({ ...connected('s2'), closedGraceMs: 3_000 } as HostEvent);
      const attended: HostEvent = { type: 'host.agentLost', session: 's2' };
      if (order === 'before') host.tell(attended);
      host.tell(tornDown('s2'));
      if (order === 'after') {
        host.jump(1_000);
        host.tell({ ...attended, session: 's1' });
        expect(host.timers).toEqual([{ id: 'grace', inMs: 2_000 }]);
        host.tell(attended);
      }
      expect(host.timers).toEqual([{ id: 'grace', inMs: order === 'before' ? 60_000 : 59_000 }]);
    }
  });

  test('a host is lost its grace after its last frame, not after the center noticed the silence', () => {
    const host = aHost();
    host.tell({ ...gone('s1'), disconnectKind: 'away', silentMs: 15_000 } as HostEvent);
    expect(host.timers).toEqual([{ id: 'grace', inMs: 45_000 }]);
    host.tell(connected('s2'));
    host.tell({ ...gone('s2'), disconnectKind: 'away', silentMs: 90_000 } as HostEvent);
    host.pass(0);
    expect(host.state).toBe('lost');
  });

  test('a host is not lost when its grace timer fires late because the center hung or the clock jumped', () => {
    const host = aHost();
    host.tell(gone('s1'));
    host.pass(60_000 + LATE_MS + 1);
    expect([host.state, host.timers]).toEqual(['suspect', [{ id: 'grace', inMs: 60_000 }]]);
    host.pass(60_000 + LATE_MS);
    expect(host.state).toBe('lost');
  });

  test('a host answers with the number of its session, and not at all once it is retired', () => {
    const host = aHost();
    expect(host.tell(connected('s2')).answer).toEqual({ session: 2 });
    host.ask({ type: 'host.retire' });
    expect(host.tell(connected('s3')).answer).toBeUndefined();
  });

  test('a host keeps the reason of a rejection by its pool until it connects again', () => {
    for (const news of [table.events.rejectedByPool, table.events.missing] as HostEvent[]) {
      const host = aHost();
      const sent = host.tell(news);
      expect(sent.effects).toMatchObject([{ type: 'closeSession', params: { code: 'rejectedByPool' } }]);
      expect(host.context.rejectedByPool).toMatch(/^full$|pool default does not exist/);
      host.tell(connected('s2'));
      expect(host.context.rejectedByPool).toBeNull();
    }
  });
});
