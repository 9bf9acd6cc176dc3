/** The hub on a manual clock, with fake sockets, a scripted runtime and signing agents. */

import { type AgentHub, createAgentHub, type HubParts } from '../../src/gateway/index.ts';
import type { Socket, SocketHandlers } from '../../src/http/websocket/types.ts';
import type { Ids } from '../../src/lib/ids.ts';
import type { Capabilities, FromCenter, Hello, Run } from '../../src/protocol/agent.ts';
import type { View } from '../../src/runtime/document.ts';
import { NoSuchActor, Refused } from '../../src/runtime/errors.ts';
import type { TakenChunk } from '../../src/services/output/index.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { createManualClock } from '../support/manual-clock.ts';

type CenterFrame = ReturnType<typeof FromCenter.parse>;
interface Told {
  to: string;
  event: { type: string; [field: string]: unknown };
}

/** Ids that count: `id-1`, `id-2`. */
export function countingIds(): Ids {
  let drawn = 0;
  const next = () => `id-${++drawn}`;
  return { short: next, uuid: next, secret: next, fraction: () => 0.5 };
}

/**
 * Hosts by the two events that make them; `delivered` keeps every event. `intercept` may fail or
 * delay events.
 */
function aRuntime() {
  const delivered: Told[] = [];
  const hosts = new Map<string, { id: string; name: string; status: string }>();
  const intercept = { pass: async (_: Told): Promise<void> => {} };
  const pool = { servers: [] as string[] };
  const epochs = { raiseEpochs: async (_: [number, number][]): Promise<number> => 0 };
  let sessions = 0;
  return {
    pool,
    epochs,
    delivered,
    hosts,
    intercept,
    runtime: {
      async ask(to: string, event: Told['event']) {
        await intercept.pass({ to, event });
        delivered.push({ to, event });
        if (hosts.has(to)) throw new Refused(to, event.type, 'is enrolled already');
        hosts.set(to, { id: String(event.id), name: String(event.name), status: 'joining' });
        return undefined;
      },
      async tell(to: string, event: Told['event']) {
        await intercept.pass({ to, event });
        const host = hosts.get(to);
        if (to.startsWith('host/') && !host) throw new NoSuchActor(to);
        delivered.push({ to, event });
        if (host && (event.type === 'host.disconnected' || event.type === 'host.restartGrace')) host.status = 'suspect';
        if (!host || host.status === 'retired' || event.type !== 'host.connected') return undefined;
        host.status = 'ready';
        return { session: ++sessions };
      },
      raiseEpochs: async (known: [number, number][]) => epochs.raiseEpochs(known),
      epoch: () => 1,
    } as unknown as HubParts['runtime'],
    views: {
      async get(address: string) {
        const host = hosts.get(address);
        if (host) return { value: host.status, context: { id: host.id } } as unknown as View;
        if (address === 'pool/default') return { value: 'open', context: { config: { servers: pool.servers } } } as unknown as View;
        if (!address.startsWith('execution/')) return undefined;
        // Each run is on the first host, unless the name of its execution has another one.
        const at = address.startsWith('execution/elsewhere') ? 'another host' : [...hosts.values()][0]?.id;
        return {
          value: 'running',
          context: { shards: Array.from({ length: 10 }, () => ({ attempt: 1, host: at, past: [] })) },
        } as unknown as View;
      },
      async list(_kind: string, query: { status?: string[] }) {
        const fitting = [...hosts.values()].filter(host => query.status?.includes(host.status) ?? true);
        return {
          items: fitting.map(host => ({ value: host.status, context: { id: host.id, name: host.name } }) as unknown as View),
          next: null,
          unreadable: [],
        };
      },
    } as unknown as HubParts['views'],
  };
}

/** The socket as the hub sees it, and as its other end sees it. */
export function aSocket(handlers: SocketHandlers) {
  const frames: CenterFrame[] = [];
  const state: { closed: number | undefined; accepts: 'sent' | 'buffered' | 'dropped' } = { closed: undefined, accepts: 'sent' };
  const socket: Socket = {
    send(text) {
      if (state.accepts !== 'dropped') frames.push(JSON.parse(text) as CenterFrame);
      return state.accepts;
    },
    close(code) {
      state.closed ??= code;
    },
    buffered: () => 0,
  };
  handlers.open(socket);
  const of = <T extends CenterFrame['type']>(type: T) => frames.filter(frame => frame.type === type) as Extract<CenterFrame, { type: T }>[];
  return {
    frames,
    state,
    of,
    say: (frame: unknown) => handlers.frame(typeof frame === 'string' ? frame : JSON.stringify(frame)),
    handlers,
  };
}

export const aKey = (number: number): string => Buffer.alloc(32, number).toString('base64url');
const signature = (key: string, text: string) =>
  Buffer.from(`${key.slice(0, 8)} ${text}`)
    .toString('base64url')
    .slice(0, 120);

export const capabilities: Capabilities = {
  os: 'linux',
  arch: 'x64',
  cpus: 4,
  memoryMB: 8_000,
  labels: {},
  agentVersion: '0.1.0',
  hostname: 'box',
  treeKill: 'group',
  appIsolation: 'copy',
  runAs: { user: null, allowed: [] },
};

/** An explicit `undefined` leaves a field out. */
export function aHello(nonce: string, changes: Changes = {}): Hello {
  const publicKey = changes.publicKey ?? aKey(1);
  const hello: Hello = {
    type: 'hello',
    protocol: 1,
    name: 'box-1',
    pool: 'default',
    publicKey,
    signature: signature(publicKey, `troupe-hello:${nonce}`),
    bootId: 'boot-1',
    capabilities,
    epochs: '',
    runs: [],
    ...(changes as Partial<Hello>),
  };
  if ('pool' in changes && changes.pool === undefined) delete hello.pool;
  return hello;
}
type Changes = Omit<Partial<Hello>, 'pool'> & { pool?: string | undefined };

export const aRun = (changes: Partial<Run> = {}): Run => ({ execution: 'nightly@1', item: 0, attempt: 1, ...changes });

export function aHub(changes: Partial<HubParts> = {}) {
  const clock = createManualClock();
  const scripted = aRuntime();
  const store = createMemoryStore();
  const logs: { level: string; message: string; security?: true; [field: string]: unknown }[] = [];
  const kept: TakenChunk[] = [];
  const tokens = new Map<string, { pool: string | null }>([['join-me', { pool: null }]]);
  const hub: AgentHub = createAgentHub({
    runtime: scripted.runtime,
    views: scripted.views,
    store,
    output: { keep: async chunks => void kept.push(...chunks) },
    clock,
    ids: countingIds(),
    heartbeatMs: 5_000,
    hostGraceMs: 60_000,
    closedGraceMs: 3_000,
    verify: (key, text, given) => given === signature(key, text),
    readJoinToken: async token => tokens.get(token),
    spendJoinToken: async token => {
      const found = tokens.get(token);
      tokens.delete(token);
      return found;
    },
    installation: () => ({ publicKey: aKey(200), sign: text => signature(aKey(200), text) }),
    auth: 'off',
    onLog: (level, message, fields) => void logs.push({ level, message, ...fields }),
    ...changes,
  });
  const dial = (address = '127.0.0.1') => aSocket(hub.accept({ address }));
  /** An agent that sent its hello, with all consequences settled. */
  const join = async (changes: Changes = {}, address?: string) => {
    const socket = dial(address);
    socket.say(aHello(socket.of('challenge')[0]?.nonce ?? '', changes));
    await clock.settle();
    return socket;
  };
  return { hub, clock, store, logs, kept, tokens, dial, join, ...scripted };
}
