/**
 * graphile-worker on a PostgreSQL of its own, with durability as it comes (`fsync`,
 * `synchronous_commit`): a temporary cluster that is removed afterwards.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import about from '../../package.json' with { type: 'json' };
import { until } from '../support/cluster.ts';

export interface Peer {
  name: string;
  /**
   * Jobs per second: each caller adds one, waits until it was worked off, adds the next (`closed`);
   * and from a queue that was filled before (`drained`).
   */
  round(jobs: number): Promise<{ closed: number; drained: number }>;
  stop(): Promise<void>;
}

/** Null, and a message, where there is no PostgreSQL. */
export async function startPeer({ callers }: { callers: number }): Promise<Peer | null> {
  const programs = postgresPrograms();
  if (!programs) {
    console.log('  no PostgreSQL is installed here (initdb, postgres): going on without the peer');
    return null;
  }
  const { Logger, makeWorkerUtils, run } = await import('graphile-worker');
  const database = await startPostgres(programs);
  try {
    const logger = new Logger(() => () => {});
    const utils = await makeWorkerUtils({ connectionString: database.url, logger });
    await utils.migrate();
    const finished = new Map<number, () => void>();
    const workers = (queue: number) =>
      run({
        connectionString: database.url,
        maxPoolSize: 20,
        concurrency: 16,
        noHandleSignals: true,
        logger,
        ...(queue > 0 ? { preset: { worker: { localQueue: { size: queue } } } } : {}),
        taskList: {
          noop: payload => {
            const { place } = payload as { place: number };
            finished.get(place)?.();
            finished.delete(place);
          },
        },
      });
    const whenFinished = (place: number) => new Promise<void>(resolve => finished.set(place, resolve));

    const closed = async (jobs: number) => {
      const runner = await workers(0);
      const began = performance.now();
      let next = 0;
      const caller = async () => {
        for (let place = next++; place < jobs; place = next++) {
          const over = whenFinished(place);
          await runner.addJob('noop', { place });
          await over;
        }
      };
      await Promise.all(Array.from({ length: callers }, caller));
      const rate = (jobs * 1000) / (performance.now() - began);
      await runner.stop();
      return rate;
    };
    const drained = async (jobs: number) => {
      const all = Array.from({ length: jobs }, (_, place) => whenFinished(place));
      for (let from = 0; from < jobs; from += 1_000) {
        await utils.addJobs(
          Array.from({ length: Math.min(1_000, jobs - from) }, (_, place) => ({ identifier: 'noop', payload: { place: from + place } })),
        );
      }
      const began = performance.now();
      const runner = await workers(500);
      await Promise.all(all);
      const rate = (jobs * 1000) / (performance.now() - began);
      await runner.stop();
      return rate;
    };

    await closed(callers * 2);
    return {
      name: `graphile-worker ${about.devDependencies['graphile-worker']}, ${programs.version}`,
      round: async jobs => ({ closed: await closed(jobs), drained: await drained(jobs) }),
      async stop() {
        await utils.release();
        await database.stop();
      },
    };
  } catch (problem) {
    await database.stop();
    throw problem;
  }
}

interface Programs {
  folder: string;
  version: string;
}

/** On the PATH, or where Debian keeps them. */
function postgresPrograms(): Programs | undefined {
  const debian = '/usr/lib/postgresql';
  const kept = existsSync(debian) ? readdirSync(debian).map(version => join(debian, version, 'bin')) : [];
  const folder = [...kept.reverse(), ...(process.env.PATH ?? '').split(delimiter)].find(
    each => existsSync(join(each, 'initdb')) && existsSync(join(each, 'postgres')),
  );
  if (folder === undefined) return undefined;
  return { folder, version: execFileSync(join(folder, 'postgres'), ['--version']).toString().trim() };
}

async function startPostgres({ folder }: Programs): Promise<{ url: string; stop(): Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-bench-pg-'));
  const data = join(directory, 'data');
  mkdirSync(data);
  // It refuses to run as root; Debian's package brings a user for it.
  const asOther = process.getuid?.() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'] : [];
  if (asOther.length > 0) {
    chmodSync(directory, 0o755);
    execFileSync('chown', ['postgres', data]);
  }
  const command = (program: string, args: string[]): [string, string[]] => {
    const [first = '', ...rest] = [...asOther, join(folder, program), ...args];
    return [first, rest];
  };
  execFileSync(...command('initdb', ['-D', data, '-A', 'trust', '-U', 'postgres', '--no-instructions']), {
    stdio: 'ignore',
    cwd: directory,
  });
  const port = await freePort();
  const settings = { port, listen_addresses: '127.0.0.1', unix_socket_directories: '' };
  const [program, args] = command('postgres', [
    '-D',
    data,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]);
  const server = spawn(program, args, { stdio: 'ignore', cwd: directory });
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const isReady = () => {
    if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}`);
    return isAccepting(folder, port);
  };
  await until('PostgreSQL serves', isReady);
  return {
    url,
    async stop() {
      await ended(server);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function isAccepting(folder: string, port: number): boolean {
  try {
    execFileSync(join(folder, 'pg_isready'), ['-q', '-h', '127.0.0.1', '-p', String(port)]);
    return true;
  } catch {
    return false;
  }
}

function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return Promise.resolve();
  return new Promise(resolve => {
    server.once('exit', () => resolve());
    // Fast shutdown, in its words.
    server.kill('SIGINT');
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}
