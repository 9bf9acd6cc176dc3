/**
 * Failure row 5: a link between agent and center of which one half, the other, or both are dead,
 * without an error of a socket. Real processes, and a proxy that drops bytes.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { aChaosProxy, type ChaosProxy } from '../support/chaos-proxy.ts';
import { aCluster, type Cluster, until } from '../support/cluster.ts';

setDefaultTimeout(90_000);

const HEARTBEAT_MS = 250;
/** Three missed heartbeats, detected at the next one; the rest is for a busy machine. */
const NOTICED_MS = 4 * HEARTBEAT_MS + 2_000;
/** Output of a process without a reader: several times the limit of one run. */
const FLOOD_BYTES = 20_000_000;

let cluster: Cluster;
let proxy: ChaosProxy;

const statusOf = async (name: string) =>
  (await cluster.call<{ items: { name: string; status: string }[] }>('GET', '/v1/hosts')).items.find(host => host.name === name)?.status;
const linesOf = (path: string): string[] => {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
};
/** Log lines of the agent about links that ended. */
const partings = () =>
  linesOf(join(cluster.directory, 'a1.log')).filter(line => /silent for \d+ ms|the link to the center closed/.test(line)).length;
const textOf = async (execution: string, shard: number) =>
  (
    await fetch(`${cluster.url}/v1/executions/${encodeURIComponent(execution)}/logs?shard=${shard}`, { headers: { accept: 'text/plain' } })
  ).text();

describe('row 5: a link that is half open', () => {
  beforeAll(async () => {
    cluster = await aCluster({ env: { TROUPE_HEARTBEAT_MS: String(HEARTBEAT_MS) } });
    proxy = await aChaosProxy({ target: { port: cluster.port } });
    await cluster.startCenter();
    cluster.startAgent('a1', { port: proxy.port });
    await cluster.ready('a1');
  });
  afterAll(async () => {
    await proxy?.close();
    await cluster?.close();
  });

  test.each([
    ['towards the center', 'up'],
    ['towards the agent', 'down'],
    ['both ways', 'both'],
  ] as const)(
    'a link that is half open %s is noticed at both ends, the runs go on, and all of it is known afterwards, once',
    async (_, direction) => {
      await cluster.ready('a1');
      const at = join(cluster.directory, direction);
      mkdirSync(at);
      // One run prints numbers until `go` exists; the other prints a line, and from `flood` on more
      // than is kept.
      const count = 'n=0; while [ ! -e "$0/go" ]; do n=$((n + 1)); echo line $n; sleep 0.02; done; echo $n > "$0/counted"';
      const flood = `echo begins; while [ ! -e "$0/flood" ]; do sleep 0.02; done; yes flooded | head -c ${FLOOD_BYTES}; echo; echo ends; echo > "$0/flooded"; exit 3`;
      const script = `echo $TROUPE_SHARD >> "$0/began"; if [ $TROUPE_SHARD = 0 ]; then ${count}; else ${flood}; fi`;
      await cluster.call('POST', '/v1/jobs', { name: direction, command: ['sh', '-c', script, at], shards: { total: 2 } });
      const { execution } = await cluster.call<{ execution: string }>('POST', `/v1/jobs/${direction}/trigger`);
      await until(
        'both have been heard',
        async () => /line 3/.test(await textOf(execution, 0)) && /begins/.test(await textOf(execution, 1)),
      );

      const before = partings();
      const since = performance.now();
      proxy.treat(direction, { do: 'swallow' });
      const noticed = { center: 0, agent: 0 };
      await until('both ends have noticed', async () => {
        const now = performance.now() - since;
        if (noticed.center === 0 && (await statusOf('a1')) === 'suspect') noticed.center = now;
        if (noticed.agent === 0 && partings() > before) noticed.agent = now;
        return noticed.center > 0 && noticed.agent > 0;
      });
      expect(noticed.center).toBeLessThan(NOTICED_MS);
      expect(noticed.agent).toBeLessThan(NOTICED_MS);
      expect(proxy.swallowed).toBeGreaterThan(0);

      await Bun.write(join(at, 'flood'), '');
      const counted = () => linesOf(join(at, 'counted'));
      const heldOf = (path: string): number =>
        readdirSync(path, { recursive: true, withFileTypes: true })
          .filter(entry => entry.isFile())
          .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
      await until('the flood is over', () => existsSync(join(at, 'flooded')));
      expect(heldOf(join(cluster.directory, 'a1'))).toBeLessThan(8_000_000);
      await Bun.write(join(at, 'go'), '');
      await until('the other has ended, too', () => counted().length === 1);

      proxy.heal();
      proxy.reset();
      await until('the execution is done', async () => (await cluster.execution(execution)).status === 'done');
      const { shards } = await cluster.execution(execution);
      expect(shards.map(({ attempt, exitCode }) => ({ attempt, exitCode }))).toEqual([
        { attempt: 1, exitCode: 0 },
        { attempt: 1, exitCode: 3 },
      ]);
      expect(linesOf(join(at, 'began')).toSorted()).toEqual(['0', '1']);
      const all = Array.from({ length: Number(counted()[0]) }, (_, n) => `line ${n + 1}\n`).join('');
      await until('all it said is there', async () => (await textOf(execution, 0)).length >= all.length);
      expect(await textOf(execution, 0)).toBe(all);
      await until('the end of the flood is there', async () => (await textOf(execution, 1)).endsWith('ends\n'));
      expect(await textOf(execution, 1)).toStartWith('begins\nflooded\n');
      const { items: history } = await cluster.call<{ items: { type: string; item?: number }[] }>(
        'GET',
        `/v1/history/execution/${encodeURIComponent(execution)}?limit=200`,
      );
      const words = history.map(({ type }) => type);
      expect(words.filter(type => type === 'execution.finished')).toHaveLength(1);
      expect(words.filter(type => /lost|retr/i.test(type))).toEqual([]);
    },
  );
});
