/**
 * A real cluster: center and agents as processes of their own, on real sockets and a real store, to
 * be killed and started again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { tempDir } from './temp-dir.ts';

const ROOT = resolve(import.meta.dir, '../..');

export interface Shard {
  item: number;
  attempt: number;
  status: string;
  outcome: string | null;
  exitCode: number | null;
  hostName: string | null;
  reason: string | null;
}
export interface Execution {
  id: string;
  status: string;
  outcome: string | null;
  dueAt: string | null;
  reason: string | null;
  shards: Shard[];
}

export interface Cluster {
  directory: string;
  /** Of the center that is asked: the last that was started to serve, or was found to. */
  readonly url: string;
  /** Addresses of all centers, by number. */
  urls: readonly string[];
  /** Resolves once it serves. `nth`: which center, from 0 (the default). */
  startCenter(nth?: number): Promise<void>;
  /** Beside a serving center: resolves once it reports that it is a standby. */
  startStandby(nth: number): Promise<void>;
  /** Resolves with the number of the center that serves once one does; that one is asked then. */
  findCenter(): Promise<number>;
  /** kill -9. Resolves once the process is gone. */
  killCenter(nth?: number): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stopCenter(nth?: number): Promise<number | null>;
  /** `port`: of something that stands between the agent and the center. */
  startAgent(name: string, offer?: { cpus?: number; memoryMB?: number; port?: number; env?: Record<string, string> }): void;
  readonly port: number;
  killAgent(name: string): Promise<void>;
  /** kill -9 of the agent's keeper. */
  killKeeper(name: string): void;
  /**
   * kill -9 of everything a host runs at once: agent, keeper and processes, as if it were switched
   * off. Resolves once it is gone.
   */
  killHost(name: string): Promise<void>;
  /** The agent stands still and its socket stays open; or goes on. */
  freezeAgent(name: string, how: 'SIGSTOP' | 'SIGCONT'): void;
  readonly centerPid: number;
  agentPid(name: string): number;
  keeperPid(name: string): number | undefined;
  /** JSON in, JSON out; throws with the answer's text when it is no success. */
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** All items of a list, page after page. */
  all<T>(path: string): Promise<T[]>;
  execution(id: string): Promise<Execution>;
  /** Resolves when every host by these names is ready. */
  ready(...names: string[]): Promise<void>;
  /** Ends everything, keepers and processes included. */
  close(): Promise<void>;
}

/** Resolves once the fact holds; asks every few milliseconds, and gives up loudly. */
export async function until(what: string, fact: () => Promise<boolean> | boolean, ms = 60_000): Promise<void> {
  const end = performance.now() + ms;
  for (;;) {
    if (await fact()) return;
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain until ${what}`);
    await new Promise(done => setTimeout(done, 10));
  }
}

export async function aCluster({
  env = {},
  cpus = 16,
  memoryMB = 100_000,
  centers: count = 1,
  program = () => [process.execPath],
}: {
  env?: Record<string, string>;
  cpus?: number;
  memoryMB?: number;
  /** How many centers there may be; agents know all of them. Default 1. */
  centers?: number;
  /** The runtime of each part's sources, with its flags. Default: Bun. */
  program?(part: 'center' | 'agent', directory: string): string[];
} = {}): Promise<Cluster> {
  const directory = tempDir('cluster');
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  const urls = ports.map(port => `http://127.0.0.1:${port}`);
  const database = env.TROUPE_STORE === undefined ? await databaseForAll() : undefined;
  const agents = new Map<string, ChildProcess>();
  const centers = new Map<number, ChildProcess>();
  /** The number of the center that is asked. */
  let asked = 0;

  const run = (part: 'center' | 'agent', args: string[], more: Record<string, string>, name: string) => {
    const [first = '', ...flags] = program(part, directory);
    return spawn(first, [...flags, join(ROOT, 'src/cli/main.ts'), part, ...args], {
      env: { ...ownEnvironment(), TROUPE_LOG: 'info', ...more },
      stdio: ['ignore', logFile(directory, name), logFile(directory, name)],
    });
  };

  const runCenter = (nth: number): ChildProcess => {
    const name = nth === 0 ? 'center' : `center-${nth}`;
    const own = {
      TROUPE_AUTH: 'off',
      TROUPE_LISTEN: `127.0.0.1:${ports[nth]}`,
      TROUPE_DATA: join(directory, name),
      ...(database && { TROUPE_STORE: database.url }),
      ...env,
    };
    const started = run('center', [], own, name);
    centers.set(nth, started);
    return started;
  };
  const hasEnded = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null;

  const cluster: Cluster = {
    directory,
    urls,
    get url() {
      return urls[asked] ?? '';
    },
    get port() {
      return ports[asked] ?? 0;
    },
    get centerPid() {
      return centers.get(asked)?.pid ?? 0;
    },
    agentPid: name => agents.get(name)?.pid ?? 0,
    keeperPid: name => keeperOf(join(directory, name)),
    async startCenter(nth = 0) {
      const started = runCenter(nth);
      asked = nth;
      await until('the center serves', async () => {
        if (hasEnded(started)) throw new Error('the center ended before it served');
        return serves(urls[nth]);
      });
    },
    async startStandby(nth) {
      const started = runCenter(nth);
      await until(`center ${nth} is a standby`, async () => {
        if (hasEnded(started)) throw new Error('the standby ended');
        const answer = await fetch(`${urls[nth]}/v1/ready`).catch(() => null);
        return answer !== null && (await answer.text()).includes('standby of ');
      });
    },
    async findCenter() {
      await until('a center serves', async () => {
        const all = await Promise.all(urls.map(serves));
        if (all.includes(true)) asked = all.indexOf(true);
        return all.includes(true);
      });
      return asked;
    },
    killCenter: (nth = asked) => end(centers.get(nth) ?? null, 'SIGKILL').then(() => {}),
    stopCenter: (nth = asked) => end(centers.get(nth) ?? null, 'SIGTERM'),
    startAgent(name, offer = {}) {
      const all = (offer.port === undefined ? ports : [offer.port]).map(each => `ws://127.0.0.1:${each}`).join(',');
      const args = ['--center', all, '--name', name, '--data', join(directory, name)];
      args.push('--cpus', String(offer.cpus ?? cpus), '--memory', String(offer.memoryMB ?? memoryMB));
      agents.set(name, run('agent', args, offer.env ?? {}, name));
    },
    async killAgent(name) {
      await end(agents.get(name) ?? null, 'SIGKILL');
    },
    killKeeper(name) {
      const pid = keeperOf(join(directory, name));
      if (pid === undefined) throw new Error(`agent ${name} has no keeper`);
      process.kill(pid, 'SIGKILL');
    },
    async killHost(name) {
      const agent = agents.get(name) ?? null;
      const keeper = keeperOf(join(directory, name));
      if (!agent?.pid || keeper === undefined) throw new Error(`there is no whole host ${name}`);
      // None of them sees the others die.
      for (const pid of [agent.pid, keeper]) process.kill(pid, 'SIGSTOP');
      for (const pid of [...descendantsOf(keeper), keeper]) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
      await end(agent, 'SIGKILL');
    },
    freezeAgent(name, how) {
      const { pid } = agents.get(name) ?? {};
      if (pid === undefined) throw new Error(`there is no agent ${name}`);
      process.kill(pid, how);
    },
    async call<T>(method: string, path: string, body?: unknown) {
      const answer = await fetch(`${cluster.url}${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    },
    async all<T>(path: string) {
      const items: T[] = [];
      let cursor: string | null = null;
      do {
        const more: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
        const page: { items: T[]; next: string | null } = await cluster.call(
          'GET',
          `${path}${path.includes('?') ? '&' : '?'}limit=200${more}`,
        );
        items.push(...page.items);
        cursor = page.next;
      } while (cursor);
      return items;
    },
    execution: id => cluster.call('GET', `/v1/executions/${encodeURIComponent(id)}`),
    async ready(...names) {
      await until(`${names.join(', ')} ready`, async () => {
        const { items } = await cluster.call<{ items: { name: string; status: string }[] }>('GET', '/v1/hosts');
        return names.every(name => items.some(host => host.name === name && host.status === 'ready'));
      });
    },
    async close() {
      await Promise.all([...centers.values(), ...agents.values()].map(one => end(one, 'SIGKILL')));
      for (const name of agents.keys()) {
        const pid = keeperOf(join(directory, name));
        if (pid === undefined) continue;
        // After SIGTERM it ends its runs, and no process of the cluster is left.
        process.kill(pid, 'SIGTERM');
        await until('the keeper is gone', () => !isAlive(pid));
      }
      await database?.drop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return cluster;
}

const serves = async (url: string | undefined): Promise<boolean> => (await fetch(`${url}/v1/ready`).catch(() => null))?.ok ?? false;

/** Without what is for the tests alone: a center complains of variables that it does not know. */
const ownEnvironment = () => Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TROUPE_TEST_')));

/**
 * TROUPE_TEST_STORE=mongodb puts each cluster without a store of its own on a MongoDB server: each
 * scenario there is, on the other store.
 */
async function databaseForAll(): Promise<{ url: string; drop(): Promise<void> } | undefined> {
  if (process.env.TROUPE_TEST_STORE !== 'mongodb') return undefined;
  const { mongoServer } = await import('./mongo.ts');
  const server = await mongoServer();
  if (!server) throw new Error('TROUPE_TEST_STORE=mongodb, and there is no MongoDB');
  return server.database();
}

/** The output of a process is appended here; a failing test keeps the file. */
const logFile = (directory: string, name: string): number => openSync(join(directory, `${name}.log`), 'a');

function end(child: ChildProcess | null, signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child?.exitCode ?? null);
  return new Promise(done => {
    child.once('exit', code => done(code));
    child.kill(signal);
  });
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Keepers serve a data directory and outlive their agents on purpose. */
function keeperOf(data: string): number | undefined {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || !existsSync(`/proc/${name}/cmdline`)) continue;
    let words: string[];
    try {
      words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
    } catch {
      continue; // it ended while we looked
    }
    if (words.includes('keeper') && words.includes(data)) return Number(name);
  }
  return undefined;
}

/** Children, and theirs. */
function descendantsOf(ancestor: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // It ended while we looked.
    }
  }
  const below = (pid: number): number[] => (children.get(pid) ?? []).flatMap(child => [child, ...below(child)]);
  return below(ancestor);
}

export function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address && typeof address === 'object' ? done(address.port) : fail(new Error('no port'))));
    });
  });
}
