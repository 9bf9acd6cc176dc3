/** An app host that a test scripts, and a host's own directory for apps. */
import { readdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type ArtifactsParts, createArtifacts } from '../../src/agent/artifacts/artifacts.ts';
import { createJobDirectories, type JobDirectoriesParts } from '../../src/agent/artifacts/job-directories.ts';
import type { PrepareScope } from '../../src/agent/ports.ts';
import { STRICT_RULES } from '../../src/lib/host-policy.ts';
import type { Artifact, JobDirectory } from '../../src/protocol/agent.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { hex } from '../support/store-contract/files.ts';
import { tempDir } from '../support/temp-dir.ts';

type Answer = string | Buffer | ((request: IncomingMessage, response: ServerResponse) => void);

export async function anAppHost() {
  const files: Record<string, Answer> = {};
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const answer = files[path];
    if (answer === undefined) response.writeHead(404).end();
    else if (typeof answer === 'function') answer(request, response);
    else response.end(answer);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    files,
    asked,
    port,
    url: (path: string) => `http://localhost:${port}${path}`,
    close: () =>
      new Promise<void>(resolve => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

export async function anArtifactCache(differs: Partial<ArtifactsParts> = {}) {
  const clock = createManualClock();
  const directory = differs.directory ?? tempDir('apps');
  const parts = { directory, allowHosts: undefined, clock, ...differs };
  const cache = {
    clock,
    directory,
    artifacts: createArtifacts(parts),
    /** The agent starts anew on the same directory. */
    reopen() {
      cache.artifacts = createArtifacts(parts);
    },
    prepare: (url: string, more: Partial<Artifact> & Partial<PrepareScope> = {}) => {
      const {
        execution = 'e1',
        run = `${execution}:0:1`,
        owner,
        signal = new AbortController().signal,
        rules = STRICT_RULES,
        center = () => undefined,
        ...artifact
      } = more;
      const scope = { run, execution, owner, rules, center, signal };
      return cache.artifacts.prepare({ app: 'app', url, cache: true, version: 1, ...artifact }, scope);
    },
    /** The only run of this execution is over. */
    release: (execution: string) => cache.artifacts.release(`${execution}:0:1`, execution),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
  return cache;
}

interface Wanted extends Partial<JobDirectory> {
  owner?: { uid: number; gid: number };
  signal?: AbortSignal;
  center?: PrepareScope['center'];
}

/** A host's own directory for the jobs, and a center that has their files. */
export async function aJobDirectoryHost(differs: Partial<JobDirectoriesParts> = {}) {
  const center = await anAppHost();
  const warnings: string[] = [];
  const parts: JobDirectoriesParts = {
    directory: tempDir('jobs'),
    clock: createManualClock(),
    log: { warn: sentence => void warnings.push(sentence) },
    bytesMax: 5 * 1024 ** 3,
    unusedMs: 30 * 86_400_000,
    ...differs,
    // The clock of a test may move faster than answers come.
    limits: { downloadMs: 1e12, idleMs: 1e12, ...differs.limits },
  };
  const contents = (job: string): Promise<string[]> => readdir(join(parts.directory, job)).catch(() => []);
  const world = {
    ...parts,
    clock: parts.clock as ReturnType<typeof createManualClock>,
    warnings,
    center,
    directories: createJobDirectories(parts),
    /** The agent starts anew on the same directory. */
    reopen() {
      world.directories = createJobDirectories(parts);
    },
    /** A file of the center, as a job names it. */
    upload(name: string, bytes: Buffer) {
      const sha256 = hex('sha256', bytes);
      center.files[`/v1/files/${sha256}`] = bytes;
      return { name, sha256, size: bytes.length };
    },
    prepare(run: string, { job = 'j1', file = null, asOf = 0, owner, signal = new AbortController().signal, ...more }: Wanted = {}) {
      const { center: where = () => ({ url: center.url('/v1/files/'), token: 't1' }) } = more;
      return world.directories.prepare({ job, file, asOf }, { run, owner, center: where, signal });
    },
    contents,
    /** Deletes the directories of a job, as by hand. */
    discard: (job: string) => rm(join(parts.directory, job), { recursive: true, force: true }),
    async remove() {
      await center.close();
      await rm(parts.directory, { recursive: true, force: true });
    },
  };
  return world;
}
