/** Servers and `_ping` of the Cloudtask dialect on a real center with real agents. */
import { afterEach, expect, setDefaultTimeout, test } from 'bun:test';
import { aCluster, type Cluster, until } from '../support/cluster.ts';

setDefaultTimeout(60_000);

let cluster: Cluster;
afterEach(() => cluster.close());

interface Server {
  key: string;
  name: string;
  alivestamp: number;
}
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const read = async (path: string): Promise<string> => (await fetch(`${cluster.url}/cloudtask/v2/${path}`)).text();
const servers = async (): Promise<Server[]> => JSON.parse(await read('runtimes/default/servers')).data.servers;
const keyOf = async (): Promise<string> => JSON.parse(await read('_ping')).key;

test('servers of a runtime are its real agents, and their keys and that of the center stay over restarts', async () => {
  cluster = await aCluster();
  await cluster.startCenter();
  cluster.startAgent('b');
  cluster.startAgent('a');
  await cluster.ready('a', 'b');
  expect((await read('runtimes/default/servers')).replaceAll(/"(key|alivestamp)":("[^"]+"|\d+)/g, '"$1":$1')).toBe(
    `{"content":"request successed.","data":{"servers":[${['a', 'b'].map(line).join()}]}}`,
  );
  const before = await servers();
  const center = await keyOf();
  for (const { key } of before) expect(key).toMatch(UUID);
  expect(center).toMatch(UUID);

  await cluster.killCenter();
  await cluster.startCenter();
  await cluster.ready('a', 'b');
  expect((await servers()).map(({ key, name }) => [key, name])).toEqual(before.map(({ key, name }) => [key, name]));
  expect(await keyOf()).toBe(center);

  await cluster.killHost('a');
  await until('the lost host is listed no more', async () => (await servers()).map(({ name }) => name).join() === 'b');
  cluster.startAgent('a');
  await cluster.ready('a');
  const [again] = await servers();
  expect(again?.key).toBe(before[0]?.key ?? '');
  expect(again?.alivestamp).toBeGreaterThan(before[0]?.alivestamp ?? 0);
});

const GO: Record<string, string> = { x64: 'amd64' };
const line = (name: string): string =>
  `{"key":key,"name":"${name}","ipaddr":"127.0.0.1","apiaddr":"","os":"${process.platform}","platform":"${GO[process.arch] ?? process.arch}","status":1,"alivestamp":alivestamp}`;
