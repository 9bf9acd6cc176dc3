/** An app host that a test scripts, and a host's own directory for apps. */
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ArtifactsParts, createArtifacts } from '../../src/agent/artifacts/artifacts.ts';
import type { PrepareScope } from '../../src/agent/ports.ts';
import { STRICT_RULES } from '../../src/lib/host-policy.ts';
import type { Artifact } from '../../src/protocol/agent.ts';
import { createManualClock } from '../support/manual-clock.ts';
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
