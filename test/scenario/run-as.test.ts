/** Jobs as users of the host: an agent that is root, real users, real processes. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { aTgz } from '../agent/archives.ts';
import { aCluster, type Cluster, until } from '../support/cluster.ts';

setDefaultTimeout(60_000);

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('not root: jobs as other users are not shown');
const idOf = (...args: string[]) =>
  Bun.spawnSync(['id', ...args])
    .stdout.toString()
    .trim();
/** Users that every Linux has. */
const [own, other] = ['daemon', 'bin'];

let cluster: Cluster;
beforeAll(async () => {
  if (!isRoot) return;
  cluster = await aCluster({ env: { TROUPE_FILE_URLS: 'on' } });
  // The path to the work directories, which the test opens for other users.
  for (let at = cluster.directory; at.startsWith(tmpdir()) && at !== '/'; at = dirname(at)) chmodSync(at, statSync(at).mode | 0o001);
  await cluster.startCenter();
  cluster.startAgent('a1', { env: { TROUPE_RUN_AS: own, TROUPE_RUN_AS_ALLOWED: other } });
  await cluster.ready('a1');
});
afterAll(async () => {
  if (isRoot) await cluster.close();
});

let jobs = 0;
async function run(job: Record<string, unknown>): Promise<{ outcome: string | null; reason: string | null; lines: string[] }> {
  const name = `job${jobs++}`;
  await cluster.call('POST', '/v1/jobs', { name, ...job });
  return again(name);
}
async function again(name: string) {
  const { execution } = await cluster.call<{ execution: string }>('POST', `/v1/jobs/${name}/trigger`);
  await until(`${execution} is done`, async () => (await cluster.execution(execution).catch(() => undefined))?.status === 'done');
  const path = `${cluster.url}/v1/executions/${encodeURIComponent(execution)}/logs?follow=true`;
  const wrote = await (await fetch(path, { headers: { accept: 'text/plain' } })).text();
  const { outcome, shards } = await cluster.execution(execution);
  return { outcome, reason: shards[0]?.reason ?? null, lines: wrote.trim().split('\n') };
}

describe.if(isRoot)('a host with --run-as', () => {
  test('a host with --run-as runs jobs as that user, with its groups, its home and a work directory of its own', async () => {
    const command = 'id -u; id -g; id -G; echo $HOME $USER $LOGNAME; echo ok > file && stat -c %U file; echo device > /dev/stdout';
    const { lines } = await run({ shell: true, command });
    const home = Bun.spawnSync(['getent', 'passwd', own]).stdout.toString().split(':')[5];
    expect(lines).toEqual([idOf('-u', own), idOf('-g', own), idOf('-G', own), `${home} ${own} ${own}`, own, 'device']);
  });

  test('a host with --run-as keeps its key, its journal, its keeper and the environment of its programs from them', async () => {
    const data = join(cluster.directory, 'a1');
    const secrets = ['identity.pem', 'journal.jsonl', 'agent.lock', 'keeper/journal', 'keeper/socket'].map(name => join(data, name));
    const pids = [cluster.agentPid('a1'), cluster.keeperPid('a1')].map(pid => `/proc/${pid}/environ`);
    const command = [...secrets, ...pids].map(path => `head -c 1 ${path} >/dev/null 2>&1 && echo read ${path}`).join('; ');
    const { lines } = await run({ shell: true, command: `${command}; ls ${data} ${data}/work ${data}/artifacts 2>/dev/null; echo end` });
    expect(lines).toEqual(['end']);
    for (const path of secrets.slice(0, 4)) expect([path, statSync(path).isFile()]).toEqual([path, true]);
  });

  test('a host with --run-as runs a job as another user where the job names one that it allows, and shows it', async () => {
    expect(await run({ command: 'id -un', runAs: other })).toMatchObject({ outcome: 'succeeded', lines: [other] });
    const refused = await run({ command: 'id -un', runAs: 'games' });
    expect(refused).toMatchObject({ outcome: 'failed', lines: [''] });
    expect(refused.reason).toBe(
      `runAs is "games", and this host runs jobs as ${own}, ${other} alone; name it in TROUPE_RUN_AS_ALLOWED of its agent`,
    );
    expect((await run({ command: 'id -un', runAs: 'root' })).outcome).toBe('failed');
    const { items } = await cluster.call<{ items: object[] }>('GET', '/v1/hosts');
    expect(items).toMatchObject([{ name: 'a1', runAs: own, runAsAllowed: [other] }]);
  });

  test('a host with --run-as gives each user the files of an app as its own, 0600 included', async () => {
    const file = join(cluster.directory, 'app.tgz');
    const script = '#!/bin/sh\ncat key; stat -c "%U %a" . key; echo more >> key; wc -l < key\n';
    const many = Array.from({ length: 50 }, (_, at) => ({ name: `many/${at}`, content: 'x' }));
    writeFileSync(
      file,
      await aTgz([{ name: 'go.sh', mode: 0o755, content: script }, { name: 'key', mode: 0o600, content: 'k\n' }, ...many]),
    );
    await cluster.call('POST', '/v1/apps', { name: 'app', url: pathToFileURL(file).href, command: './go.sh' });
    for (const user of [own, other]) {
      const wanted = { outcome: 'succeeded', reason: null, lines: ['k', `${user} 755`, `${user} 600`, '2'] };
      expect(await run({ app: 'app', runAs: user })).toEqual(wanted);
      expect(await again(`job${jobs - 1}`)).toEqual(wanted);
    }
  });

  test('a host with --run-as ends runs of other users', async () => {
    await cluster.call('POST', '/v1/jobs', { name: 'long', shell: true, command: 'trap "" TERM; sleep 300 & sleep 300', killGraceMs: 100 });
    const { execution } = await cluster.call<{ execution: string }>('POST', '/v1/jobs/long/trigger');
    const id = encodeURIComponent(execution);
    await until('it runs', async () => (await cluster.execution(execution).catch(() => undefined))?.shards[0]?.status === 'running');
    await cluster.call('POST', `/v1/executions/${id}/cancel`);
    await until('it is over', async () => (await cluster.execution(execution)).status === 'done');
    expect((await cluster.execution(execution)).outcome).toBe('cancelled');
  });
});
