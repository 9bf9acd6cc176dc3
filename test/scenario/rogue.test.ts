/**
 * A foreign server at the center's address: the agent runs nothing for it, keeps nothing of it, and
 * continues to serve its center.
 */
import { afterEach, expect, setDefaultTimeout, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WebSocketServer } from 'ws';
import { aCluster, type Cluster, until } from '../support/cluster.ts';

setDefaultTimeout(60_000);

let cluster: Cluster;
let rogue: WebSocketServer | undefined;
afterEach(async () => {
  rogue?.close();
  for (const client of rogue?.clients ?? []) client.terminate();
  await cluster.close();
});

/** Sends the frames of a center, without the key of the installation. */
function aRogue(port: number, mark: string) {
  const received: string[] = [];
  const fence = (partition: number) => ({ partition, epoch: 1_000_000, rev: 1 });
  const spec = { shell: true, env: {}, timeoutMs: 0, killGraceMs: 1, disconnect: 'continue', disconnectMs: 0 };
  rogue = new WebSocketServer({ port, host: '127.0.0.1' });
  rogue.on('connection', socket => {
    const say = (frame: object) => socket.send(JSON.stringify(frame));
    const command = () => {
      say({ type: 'welcome', host: 'h', heartbeatMs: 1_000 });
      for (let partition = 0; partition < 256; partition++) {
        const run = { execution: `rogue@${partition}`, item: 0, attempt: 1 };
        say({ type: 'start', key: `k${partition}`, fence: fence(partition), run, spec: { ...spec, command: `id >> ${mark}` } });
      }
      say({ type: 'refused', code: 'retired', message: 'away with you' });
    };
    say({ type: 'challenge', nonce: 'n', protocol: 1, epoch: 1_000_000, instanceId: 'rogue' });
    socket.on('message', data => {
      const { type } = JSON.parse(String(data)) as { type: string };
      received.push(type);
      if (type === 'prove') say({ type: 'proof', key: Buffer.alloc(32, 7).toString('base64url'), signature: 'x' });
      command();
    });
    command();
  });
  return { received, dials: () => received.filter(type => type === 'prove').length };
}

test('a rogue center makes an agent run nothing and remember nothing', async () => {
  cluster = await aCluster({ env: { TROUPE_HEARTBEAT_MS: '400' } });
  await cluster.startCenter();
  cluster.startAgent('a1');
  await cluster.ready('a1');
  const gate = join(cluster.directory, 'go');
  await cluster.call('POST', '/v1/jobs', { name: 'long', command: ['sh', '-c', `while [ ! -e ${gate} ]; do sleep 0.1; done`] });
  const { execution } = await cluster.call<{ execution: string }>('POST', '/v1/jobs/long/trigger');
  await until('it runs', async () => (await cluster.execution(execution)).shards[0]?.status === 'running');
  await cluster.stopCenter();

  const mark = join(cluster.directory, 'ran');
  const { received, dials } = aRogue(cluster.port, mark);
  await until('the agent has dialled it twice', () => dials() >= 2, 30_000);
  rogue?.close();
  for (const client of rogue?.clients ?? []) client.terminate();
  expect(existsSync(mark)).toBe(false);
  // Neither its token nor what it runs was shown.
  expect(new Set(received)).toEqual(new Set(['prove']));
  expect(readFileSync(join(cluster.directory, 'a1', 'journal.jsonl'), 'utf8')).not.toContain('1000000');

  await cluster.startCenter();
  await cluster.ready('a1');
  expect((await cluster.execution(execution)).shards[0]?.status).toBe('running');
  await Bun.write(gate, '');
  await until('it is done', async () => (await cluster.execution(execution)).status === 'done');
  expect((await cluster.execution(execution)).outcome).toBe('succeeded');
});
