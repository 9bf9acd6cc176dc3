/**
 * Many simulated agents in one process: they prove their keys as real ones do, send heartbeats, and
 * report each start at once as accepted, started and ended well. They run nothing, and write only
 * files that they are told to fetch. The process that started this one commands them, see
 * `fleet.ts`.
 */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { downloadFromCenter } from '../../src/agent/artifacts/center-file.ts';
import { fetchUnchecked } from '../../src/agent/artifacts/http.ts';
import { artifactLimits } from '../../src/agent/artifacts/limits.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { type FromAgent, type FromCenter, type Hello, helloText, keyOfRun, PROTOCOL, type Report } from '../../src/protocol/agent.ts';

export type AgentRequest =
  | { do: 'dial' }
  | { do: 'drop' }
  | { do: 'count' }
  | { do: 'starts' }
  | { do: 'fetch'; sha256: string; directory: string };
export type AgentReport =
  | { counted: { up: number; refused: Record<string, number> } }
  | { starts: { execution: string; arrived: number }[] }
  | { fetched: { bytes: number; ms: number } }
  | { failed: string }
  | { ready: true };

interface Key {
  name: string;
  pool: string;
  publicKey: string;
  privateKey: KeyObject;
}

const [url = '', prefix = '', count = '1', poolList = 'default'] = process.argv.slice(2);
const pools = poolList.split(',');
const agents = Array.from({ length: Number(count) }, (_, place) => anAgent(aKey(place)));
const starts: { execution: string; arrived: number }[] = [];
/** Reasons and number of ends of sockets that this process did not close. */
const refused: Record<string, number> = {};
/** As real ones do: dialled again after a while, not all at the same instant. */
const REDIAL_MS = 500;

process.on('message', (order: AgentRequest) => {
  switch (order.do) {
    case 'dial':
      for (const agent of agents) agent.dial();
      break;
    case 'drop':
      for (const agent of agents) agent.drop();
      break;
    case 'count':
      say({ counted: { up: agents.filter(agent => agent.isUp()).length, refused } });
      break;
    case 'starts':
      say({ starts: starts.splice(0) });
      break;
    case 'fetch':
      fetchAll(order).then(
        fetched => say({ fetched }),
        problem => say({ failed: String(problem) }),
      );
      break;
  }
});
process.on('disconnect', () => process.exit(0));
say({ ready: true });

/** All of them at once, with the code of agents: to the disk, digest checked. */
async function fetchAll({ sha256, directory }: { sha256: string; directory: string }): Promise<{ bytes: number; ms: number }> {
  const began = performance.now();
  const files = agents.map((_, place) => join(directory, `${prefix}${place}`));
  const got = await Promise.all(
    agents.map((agent, place) => {
      const center = () => {
        const token = agent.fileToken();
        return token === undefined ? undefined : { url: `${url.replace(/^ws/, 'http')}/v1/files/`, token };
      };
      const by = { clock: systemClock, limits: artifactLimits, center, fetchFromCenter: fetchUnchecked };
      return downloadFromCenter(by, sha256, files[place] ?? '', { what: 'the file', signal: new AbortController().signal });
    }),
  );
  const ms = performance.now() - began;
  await Promise.all(files.map(file => rm(file)));
  return { bytes: got.reduce((sum, { bytes }) => sum + bytes, 0), ms };
}

function ended(what: string): void {
  refused[what] = (refused[what] ?? 0) + 1;
}

function say(word: AgentReport): void {
  process.send?.(word);
}

function aKey(place: number): Key {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    name: `${prefix}${place}`,
    pool: pools[place % pools.length] ?? 'default',
    publicKey: publicKey.export({ format: 'jwk' }).x ?? '',
    privateKey,
  };
}

function anAgent(key: Key) {
  let socket: WebSocket | undefined;
  let up = false;
  let fileToken: string | undefined;
  let reports = 0;
  /** What the center has not confirmed. */
  const unreported = new Map<number, Report>();
  const outgoing: string[] = [];

  const send = (frame: FromAgent) => {
    outgoing.push(JSON.stringify(frame));
    if (outgoing.length === 1) setImmediate(flush);
  };
  const flush = () => {
    const frames = outgoing.splice(0);
    // Some hundred bytes each; a message may have 256 KiB.
    if (socket?.readyState === WebSocket.OPEN)
      for (let from = 0; from < frames.length; from += 200) socket.send(frames.slice(from, from + 200).join('\n'));
  };
  const report = (said: Report) => {
    unreported.set(said.id, said);
    send(said);
  };

  const take = (frame: FromCenter, arrived: number) => {
    switch (frame.type) {
      case 'challenge':
        return socket?.send(JSON.stringify(hello(key, frame.nonce, [...unreported.values()])));
      case 'welcome':
        up = true;
        fileToken = frame.fileToken;
        for (const said of unreported.values()) send(said);
        return;
      case 'refused':
        ended(`refused: ${frame.code}`);
        return;
      case 'start': {
        const at = Date.now();
        starts.push({ execution: frame.run.execution, arrived });
        send({ type: 'commandsAcknowledged', keys: [frame.key] });
        report({ type: 'report', id: ++reports, run: frame.run, state: 'started', at, pid: 1 });
        report({ type: 'report', id: ++reports, run: frame.run, state: 'ended', outcome: 'succeeded', exitCode: 0, startedAt: at, at });
        return;
      }
      case 'stop':
        return send({ type: 'commandsAcknowledged', keys: [frame.key] });
      case 'reportsAcknowledged':
        for (const id of frame.ids) unreported.delete(id);
        return;
      case 'ping':
        return send({ type: 'pong', nonce: frame.nonce });
    }
  };

  const dial = () => {
    // One that has dialled again by itself already has no need of a second socket: its center would
    // take that for another agent with its key.
    if (socket && socket.readyState <= WebSocket.OPEN) return;
    const dialled = new WebSocket(`${url}/v1/agents`);
    socket = dialled;
    dialled.onmessage = message => {
      if (socket === dialled) take(JSON.parse(String(message.data)) as FromCenter, Date.now());
    };
    dialled.onclose = ({ code }) => {
      if (socket !== dialled) return;
      up = false;
      ended(`closed: ${code}`);
      setTimeout(
        () => {
          if (socket === dialled) dial();
        },
        REDIAL_MS * (1 + Math.random()),
      );
    };
    dialled.onerror = () => {};
  };

  return {
    isUp: () => up,
    /** Of the last session. */
    fileToken: () => fileToken,
    dial,
    drop() {
      up = false;
      const old = socket;
      socket = undefined;
      // Bun's own, beside what browsers have: the peer sees the socket end without a closing.
      (old as (WebSocket & { terminate(): void }) | undefined)?.terminate();
    },
  };
}

function hello({ name, pool, publicKey, privateKey }: Key, nonce: string, unreported: Report[]): Hello {
  const runs = new Map(unreported.map(({ run }) => [keyOfRun(run), { run, state: 'ended' as const }]));
  return {
    type: 'hello',
    protocol: PROTOCOL,
    name,
    pool,
    publicKey,
    signature: sign(null, Buffer.from(helloText(nonce)), privateKey).toString('base64url'),
    bootId: 'paper',
    capabilities: {
      os: 'linux',
      arch: 'x64',
      cpus: 1_000,
      memoryMB: 1_000_000,
      labels: {},
      agentVersion: '0.1.0',
      hostname: name,
      treeKill: 'group',
      appIsolation: 'copy',
      runAs: { user: null, allowed: [] },
    },
    epochs: '',
    runs: [...runs.values()],
  };
}
