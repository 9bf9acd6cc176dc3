/**
 * Listens for HTTP and WebSockets on the same ports: by the own servers of Bun and Deno, elsewhere
 * by `node:http` and the `ws` package.
 */
import type { Clock } from '../../lib/clock.ts';
import { createConnections } from './connections.ts';
import type { Bind, Bound, Listening, ListenParts, SocketConnections } from './types.ts';

/** Each loads the server of one runtime alone: `node:http` takes 20 ms of a start on Bun. */
const BINDERS: Record<'bun' | 'deno' | 'ws', () => Promise<Bind>> = {
  bun: async () => (await import('./bun.ts')).listenOnBun,
  deno: async () => (await import('./deno.ts')).listenOnDeno,
  ws: async () => (await import('./ws.ts')).listenWithWs,
};

/** Listens on all addresses or none. Throws an Error that names the address that failed. */
export async function listen(parts: ListenParts): Promise<Listening> {
  const connections = createConnections(parts.clock);
  const bind = await BINDERS[parts.using ?? thisRuntime()]();
  const bound: Bound[] = [];
  try {
    for (const at of parts.addresses) bound.push(await bindOne(bind, at, parts, connections));
  } catch (problem) {
    connections.stop();
    for (const one of bound) one.cut();
    throw problem;
  }
  let stopping: Promise<void> | undefined;
  return {
    addresses: parts.addresses.map(({ host }, index) => ({ host, port: bound[index]?.port ?? 0 })),
    stop: graceMs => {
      stopping ??= stop(bound, connections, parts.clock, graceMs);
      return stopping;
    },
  };
}

function thisRuntime(): 'bun' | 'deno' | 'ws' {
  if (typeof Bun !== 'undefined') return 'bun';
  return 'Deno' in globalThis ? 'deno' : 'ws';
}

async function bindOne(bind: Bind, at: { host: string; port: number }, parts: ListenParts, connections: SocketConnections): Promise<Bound> {
  try {
    return await bind(at, parts, connections);
  } catch (problem) {
    throw new Error(`cannot listen on ${at.host}:${at.port}: ${whyNot(problem)}`, { cause: problem });
  }
}

function whyNot(problem: unknown): string {
  const { code, name, message } = problem as { code?: string; name?: string; message?: string };
  if (code === 'EADDRINUSE' || name === 'AddrInUse')
    return 'the address is in use; stop the other program, or choose another address with --listen or TROUPE_LISTEN';
  if (code === 'EADDRNOTAVAIL' || name === 'AddrNotAvailable') return 'this machine does not have that address';
  if (code === 'EACCES' || name === 'PermissionDenied') return 'permission denied; ports below 1024 need privileges on most systems';
  return message ?? String(problem);
}

async function stop(bound: Bound[], connections: SocketConnections, clock: Clock, graceMs: number): Promise<void> {
  const answered = Promise.all(bound.map(one => one.stop()));
  connections.stop();
  let disarm = () => {};
  const late = new Promise<'late'>(resolve => {
    disarm = clock.after(graceMs, () => resolve('late'));
  });
  const first = await Promise.race([answered, late]);
  disarm();
  if (first === 'late') for (const one of bound) one.cut();
}
