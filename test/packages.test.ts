/** Dependencies: exact, the same in both lock files, each with a reason. */
import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import about from '../package.json' with { type: 'json' };

const read = (path: string): string => readFileSync(join(import.meta.dir, '..', path), 'utf8');
const all = { ...about.dependencies, ...about.devDependencies };

describe('packages', () => {
  test('packages have a reason each in src/README.md, and nothing else has', () => {
    const table = read('src/README.md').split('\n## What it is built on\n')[1] ?? '';
    const named = table
      .split('\n')
      .filter(line => line.startsWith('| `'))
      .flatMap(line => [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name));
    expect(named.sort()).toEqual(Object.keys(all).sort());
  });

  test('packages have exact versions', () => {
    expect(Object.values(all).filter(version => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  test('packages are the same in both lock files', () => {
    const npm = JSON.parse(read('package-lock.json')) as { packages: Record<string, Partial<typeof about>> };
    const { dependencies, devDependencies } = npm.packages[''] ?? {};
    expect([dependencies, devDependencies]).toEqual([about.dependencies, about.devDependencies]);
    const bun = read('bun.lock');
    expect(Object.entries(all).filter(([name, version]) => !bun.includes(`["${name}@${version}"`))).toEqual([]);
  });

  test('packages come from the registry of each user: no lock file names a host', () => {
    for (const lock of ['package-lock.json', 'bun.lock']) expect(read(lock)).not.toMatch(/"https?:\/\/[^"]*\.tgz/);
  });
});
