/**
 * A server of the MongoDB protocol for tests: `MONGO_URL`; else a `mongod` on the PATH; else, with
 * TROUPE_TEST_MONGO=download, what `mongodb-memory-server-core` fetches; else the PyPI package
 * `nx-27017`. Beside it `secantusdb` (WiredTiger), which shares no code with it and is slow. Where
 * none can be had its tests are skipped, loudly; under CI that is an error. The stand-ins have one
 * node: no majority, no rollback, no change of the primary can be seen with them.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { MikroORM } from '@mikro-orm/mongodb';
import { MetaEntity } from '../../src/store/entities.ts';
import { freePort, until } from './cluster.ts';

interface StandIn {
  /** Of PyPI. */
  name: string;
  version: string;
  program: string;
  /** Arguments, behind host and port. */
  where(directory: string, log: string): string[];
}

const NX: StandIn = {
  name: 'nx-27017',
  version: '0.8.1',
  program: 'nx-27017',
  where: (directory, log) => ['--data-dir', join(directory, 'data'), '--pid-file', join(directory, 'pid'), '--log-file', log],
};

const SECANTUS: StandIn = {
  name: 'secantusdb',
  version: '0.7.0b3',
  program: 'secantusd-py',
  // Without the last flag a killed server loses acknowledged writes.
  where: directory => ['--storage-path', join(directory, 'data'), '--log-level', 'ERROR', '--sync-on-commit'],
};

export interface MongoServer {
  /** What it is, for the reader of a test's output. */
  readonly kind: string;
  /** Is it ours to kill and to stop? */
  readonly isOurs: boolean;
  readonly host: string;
  readonly port: number;
  /** A database of this caller alone. */
  database(): MongoDatabase;
  /** kill -9. */
  kill(): Promise<void>;
  /** Again, on the same data, at the same port. */
  start(): Promise<void>;
  /** SIGSTOP: it neither answers nor goes away, until `resume`. */
  hang(): void;
  resume(): void;
  close(): Promise<void>;
}

export interface MongoDatabase {
  name: string;
  url: string;
  /** The same by another way: through a proxy. */
  urlAt(port: number): string;
  drop(): Promise<void>;
}

let shared: Promise<MongoServer | undefined> | undefined;
let second: Promise<MongoServer | undefined> | undefined;

/** One for the whole test process; undefined, with a message, when there is none. */
export function mongoServer(): Promise<MongoServer | undefined> {
  shared ??= orNone('MONGODB', aMongoServer());
  return shared;
}

/** That one and the second, for what must hold on any server: both, one, or none. */
export async function mongoServers(): Promise<MongoServer[]> {
  second ??= orNone('SECOND MONGODB', aStandIn(SECANTUS));
  return (await Promise.all([mongoServer(), second])).filter(server => server !== undefined);
}

const orNone = (what: string, server: Promise<MongoServer>): Promise<MongoServer | undefined> =>
  server.catch(error => {
    if (process.env.CI) throw error;
    console.warn(`\nNO ${what}: its tests are skipped. ${error instanceof Error ? error.message : error}\n`);
    return undefined;
  });

/** One of its own, to be hurt. Throws with the reason when none can be had. */
export async function aMongoServer(): Promise<MongoServer> {
  const given = process.env.MONGO_URL;
  return given ? aGivenServer(given) : aStandIn(NX);
}

/** A stand-in; in place of `NX` a real server where there is one. */
async function aStandIn(standIn: StandIn): Promise<MongoServer> {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-mongo-'));
  const port = await freePort();
  const own = await program(standIn, directory, port);
  let running = await run(directory, own.command);
  const server: MongoServer = {
    kind: own.kind,
    isOurs: true,
    host: '127.0.0.1',
    port,
    database: () => aDatabase(`mongodb://127.0.0.1:${port}/`),
    async kill() {
      const gone = once(running.guard, 'exit');
      running.guard.stdin?.write('now\n');
      await gone;
    },
    async start() {
      running = await run(directory, own.command);
      await until('the MongoDB server listens again', () => listens(port), 20_000);
    },
    hang: () => void process.kill(running.pid, 'SIGSTOP'),
    resume: () => void process.kill(running.pid, 'SIGCONT'),
    async close() {
      if (running.guard.exitCode === null) await server.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await until(`${own.kind} listens (see ${own.log})`, () => listens(port), 20_000);
  return server;
}

async function program(standIn: StandIn, directory: string, port: number): Promise<{ kind: string; command: string[]; log: string }> {
  const log = join(directory, 'server.log');
  const mongod = standIn !== NX ? undefined : process.env.TROUPE_TEST_MONGO === 'download' ? await downloaded() : Bun.which('mongod');
  if (mongod) {
    const data = join(directory, 'data');
    mkdirSync(data);
    return { kind: mongod, command: [mongod, '--dbpath', data, '--port', String(port), '--bind_ip', '127.0.0.1', '--logpath', log], log };
  }
  const { name, version } = standIn;
  const python = join(await environment(standIn), 'bin/python');
  return {
    kind: `${name} ${version}, a stand-in for MongoDB`,
    command: [python, join(python, '..', standIn.program), '--host', '127.0.0.1', '--port', String(port), ...standIn.where(directory, log)],
    log,
  };
}

async function downloaded(): Promise<string> {
  const name = 'mongodb-memory-server-core';
  const { MongoBinary } = await import(name).catch(cause => {
    throw new Error(`TROUPE_TEST_MONGO=download needs the package ${name}: npm install --no-save ${name}`, { cause });
  });
  return MongoBinary.getPath();
}

/** Made once and kept. Of two concurrent makers, the second finds the file of the first. */
async function environment({ name, version }: StandIn): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'troupe-test');
  const kept = join(cache, `${name}-${version}`);
  if (existsSync(kept)) return kept;
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, 'new-'));
  try {
    console.warn(`making ${kept}, once`);
    call('python3', '-m', 'venv', fresh);
    call(join(fresh, 'bin/python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `${name}==${version}`);
    if (!existsSync(kept)) renameSync(fresh, kept);
    return kept;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function call(command: string, ...args: string[]): void {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr.trim()}`);
}

/**
 * The server ends with us, however we end, and its directory goes with it: a watcher reads a pipe
 * that closes when we are gone. It is no child of ours, since a test runner kills those when a test
 * takes too long.
 */
async function run(directory: string, command: string[]): Promise<{ guard: ChildProcess; pid: number }> {
  const script = `
    directory=$1; shift; exec 3<&0
    "$@" >/dev/null 2>&1 & server=$!
    (if read _ <&3; then kill -9 $server; else kill -9 $server; rm -rf "$directory"; fi) >/dev/null 2>&1 &
    echo $server; wait $server; exit 0`;
  const guard = spawn('sh', ['-c', script, 'sh', directory, ...command], { stdio: ['pipe', 'pipe', 'ignore'] });
  const [line] = (await once(guard.stdout as NonNullable<typeof guard.stdout>, 'data')) as [Buffer];
  guard.unref();
  return { guard, pid: Number(String(line).trim()) };
}

function listens(port: number): Promise<boolean> {
  return new Promise(done => {
    const socket = connect(port, '127.0.0.1');
    const say = (answer: boolean) => {
      socket.destroy();
      done(answer);
    };
    socket.once('connect', () => say(true));
    socket.once('error', () => say(false));
  });
}

function aGivenServer(given: string): MongoServer {
  const { hostname, port } = new URL(given);
  const notOurs = () => {
    throw new Error('the server of MONGO_URL is not ours to stop');
  };
  return {
    kind: 'the server of MONGO_URL',
    isOurs: false,
    host: hostname,
    port: Number(port) || 27017,
    database: () => aDatabase(given),
    kill: async () => notOurs(),
    start: async () => notOurs(),
    hang: notOurs,
    resume: notOurs,
    close: async () => {},
  };
}

let databases = 0;

function aDatabase(server: string): MongoDatabase {
  databases += 1;
  const name = `troupe_test_${process.pid}_${databases}_${readFileSync('/proc/sys/kernel/random/uuid', 'utf8').slice(0, 8)}`;
  const at = (port?: number) => {
    const url = new URL(server);
    url.pathname = `/${name}`;
    if (port !== undefined) url.host = `127.0.0.1:${port}`;
    if (port !== undefined) url.searchParams.set('directConnection', 'true');
    return url.href;
  };
  return {
    name,
    url: at(),
    urlAt: at,
    async drop() {
      const orm = await MikroORM.init({ clientUrl: at(), dbName: name, entities: [MetaEntity], ensureIndexes: false });
      await orm.driver.getConnection().getDb().dropDatabase();
      await orm.close();
    },
  };
}
