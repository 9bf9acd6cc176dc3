/** The single-file program has each file that a thread starts with; the compose file fits it. */
import { describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { readAgentConfig } from '../src/config/agent.ts';
import { readConfig } from '../src/config/center.ts';

const TOP = join(import.meta.dir, '..');
const read = (path: string): string => readFileSync(join(TOP, path), 'utf8');

test('the single-file program has an entry of its own name for each thread', () => {
  const list = /const threads = \[([\s\S]*?)\];/.exec(read('deploy/build.ts'))?.[1] ?? '';
  const entries = [...list.matchAll(/'([^']+)'/g)].map(([, path = '']) => path);
  const sources = readdirSync(join(TOP, 'src'), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'));
  const started = sources
    .map(name => join('src', name))
    .flatMap(path =>
      [...read(path).matchAll(/new URL\('(\.\/[\w-]+\.ts)', import\.meta\.url\)\.href/g)].map(([, to = '']) => join(dirname(path), to)),
    );
  expect(started.length).toBeGreaterThan(2);
  expect(entries.toSorted()).toEqual(started.toSorted());
  // The build names entries without their folders.
  expect(new Set(entries.map(path => basename(path))).size).toBe(entries.length);
});

/** What is read of it here; anchors and merges are resolved. */
interface Service {
  image: string;
  command?: string[];
  entrypoint?: string[];
  hostname?: string;
  environment?: Record<string, string>;
  depends_on?: string[] | Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  ports?: string[];
  volumes?: string[];
}

describe('the compose file', () => {
  const { services, volumes } = Bun.YAML.parse(read('deploy/compose.yaml')) as {
    services: Record<string, Service>;
    volumes: Record<string, null>;
  };
  const image = Object.fromEntries(
    [...(/ENV (.*)/.exec(read('deploy/Dockerfile'))?.[1]?.matchAll(/(\w+)=(\S+)/g) ?? [])].map(([, name, value]) => [name, value]),
  );
  const serviceOf = (name: string): Service => {
    const service = services[name];
    if (!service) throw new Error(`deploy/compose.yaml has no service ${name}`);
    return service;
  };
  /** As a container of it has them. */
  const environmentOf = ({ environment = {} }: Service) => ({
    ...image,
    ...Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, value.replace(/\$\{[^}]*\}/, 'a long password')])),
  });
  const centers = Object.entries(services).filter(([, { command }]) => command?.[0] === 'center');
  const agents = Object.entries(services).filter(([, { command }]) => command?.[0] === 'agent');

  test('the compose file has two centers on one database, each with settings that a center takes, and a standby', () => {
    const configs = centers.map(([, service]) => readConfig({ env: environmentOf(service), argv: service.command?.slice(1) ?? [] }));
    expect(configs.map(({ standby, dataDir }) => [standby, dataDir])).toEqual([
      [true, '/data'],
      [true, '/data'],
    ]);
    expect(new Set(configs.map(({ store }) => JSON.stringify(store))).size).toBe(1);
    const [{ store, listen }] = configs as [(typeof configs)[number]];
    const members = /^mongodb:\/\/([^/]+)\/\w+\?replicaSet=(\w+)$/.exec(store.kind === 'mongodb' ? store.url : '');
    for (const member of members?.[1]?.split(',') ?? ['none']) expect(serviceOf(member).command).toContain(members?.[2] ?? '');
    for (const [name, { ports, hostname, volumes: kept }] of centers) {
      expect(ports?.map(port => port.split(':').at(-1))).toEqual([String(listen[0]?.port)]);
      expect([hostname, kept]).toEqual([name, [`${name}:/data`]]);
    }
    expect(new Set(centers.flatMap(([, { ports }]) => ports)).size).toBe(centers.length);
  });

  test('the compose file has agents with flags that an agent takes, which know every center', () => {
    expect(agents.length).toBeGreaterThan(1);
    const host = { hostname: 'h', cpus: 1, memoryMB: 1 };
    const port = readConfig({ env: environmentOf(serviceOf(centers[0]?.[0] ?? '')), argv: ['--standby'] }).listen[0]?.port;
    for (const [name, service] of agents) {
      const args = service.command?.slice(1) ?? [];
      const token = args.indexOf('--token-file');
      expect(service.volumes).toContain(`join:${args[token + 1]?.replace('/token', '')}:ro`);
      const config = readAgentConfig({ args: args.toSpliced(token, 2), env: environmentOf(service), host });
      expect(config.name).toBe(name);
      expect(config.centers.map(url => new URL(url).host)).toEqual(centers.map(([center]) => `${center}:${port}`));
      expect(config.dataDir).toBe('/data');
    }
  });

  test('the compose file enrols with verbs and flags of the command line, at every center', () => {
    const { environment = {}, command = [], entrypoint } = serviceOf('enrol');
    expect(environment.TROUPE_URL?.split(',').map(url => new URL(url).hostname)).toEqual(centers.map(([name]) => name));
    expect(entrypoint?.[0]).toBe('sh');
    const calls = [...command.join('\n').matchAll(/troupe ([\w-]+)((?: --[\w-]+)*)/g)];
    expect(calls.map(([, verb]) => verb)).toEqual(['login', 'join-token', 'logout']);
    for (const [, verb = '', flags = ''] of calls) {
      const { status, stdout } = spawnSync(process.execPath, [join(TOP, 'src/cli/main.ts'), verb, '--help'], { encoding: 'utf8' });
      expect([verb, status]).toEqual([verb, 0]);
      for (const flag of flags.split(' ').filter(Boolean)) expect(stdout).toContain(flag);
    }
  });

  test('the compose file takes a center for healthy that serves, and one that is a standby', () => {
    const [kind, script = ''] = centers[0]?.[1].healthcheck?.test ?? [];
    expect(kind).toBe('CMD-SHELL');
    const isHealthy = (said: string) => {
      const inShell = script.replaceAll('$$', '$').replace('$(troupe ready 2>&1)', '$SAID');
      return spawnSync('sh', ['-c', inShell], { env: { ...process.env, SAID: said } }).status === 0;
    };
    expect(script).toContain('troupe ready');
    expect(
      ['ready', 'error: standby of center-1 (process 7)', 'error: the center at http://127.0.0.1:8899 cannot be reached', ''].map(
        isHealthy,
      ),
    ).toEqual([true, true, false, false]);
  });

  test('the compose file depends on services and volumes that it has, and waits for what they can become', () => {
    for (const [name, { depends_on: needs = {}, volumes: mounts = [] }] of Object.entries(services)) {
      for (const [needed, { condition }] of Array.isArray(needs)
        ? needs.map(each => [each, { condition: '' }] as const)
        : Object.entries(needs)) {
        const found = serviceOf(needed);
        if (condition === 'service_healthy') expect([needed, found.healthcheck?.test.length ?? 0]).not.toEqual([needed, 0]);
        if (condition === 'service_completed_successfully') expect([name, 'restart' in found]).toEqual([name, false]);
      }
      for (const mount of mounts) expect(Object.keys(volumes)).toContain(mount.split(':')[0] ?? '');
    }
  });
});
