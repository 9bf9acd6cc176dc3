/** What the README says of the house is so. */
import { describe, expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import about from '../package.json' with { type: 'json' };

const top = join(import.meta.dir, '..');
const read = (path: string): string => readFileSync(join(top, path), 'utf8');
const readme = read('README.md');
const quoted = (text: string): string[] => [...text.matchAll(/`([^`\n]+)`/g)].map(([, word]) => word ?? '');
const all = { ...about.dependencies, ...about.devDependencies };
const section = (title: string): string => readme.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? '';

describe('the README', () => {
  test('names files and folders that are there', () => {
    const paths = quoted(readme).filter(word => /^(actors|src|test|deploy)\//.test(word));
    expect(paths.length).toBeGreaterThan(10);
    expect(paths.filter(path => !existsSync(join(top, path)))).toEqual([]);
  });

  test('has every folder of src/ on its map', () => {
    const folders = readdirSync(join(top, 'src'), { withFileTypes: true }).filter(entry => entry.isDirectory());
    const map = quoted(section('Map of the house'));
    expect(folders.map(({ name }) => `src/${name}/`).filter(path => !map.includes(path))).toEqual([]);
  });

  test('gives a reason for every dependency, and for nothing else', () => {
    const told = section('What it is built on')
      .split('\n')
      .filter(line => line.startsWith('| `'))
      .flatMap(line => quoted(line.split('|')[1] ?? ''));
    expect(told.sort()).toEqual(Object.keys(all).sort());
  });

  test('knows every setting of the center', () => {
    const settings = [...read('src/config/center.ts').matchAll(/^ {4}(TROUPE_[A-Z_]+):/gm)].map(([, name]) => name ?? '');
    expect(settings.length).toBeGreaterThan(10);
    const told = quoted(section('Settings of the center'));
    expect(settings.filter(name => !told.includes(name))).toEqual([]);
  });
});

describe('packages', () => {
  test('have exact versions', () => {
    expect(Object.values(all).filter(version => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });

  test('are the same in both lock files', () => {
    const npm = JSON.parse(read('package-lock.json')) as { packages: Record<string, Partial<typeof about>> };
    const { dependencies, devDependencies } = npm.packages[''] ?? {};
    expect([dependencies, devDependencies]).toEqual([about.dependencies, about.devDependencies]);
    const bun = read('bun.lock');
    expect(Object.entries(all).filter(([name, version]) => !bun.includes(`["${name}@${version}"`))).toEqual([]);
  });

  test('come from where each user looks for them: no lock file names a host', () => {
    for (const lock of ['package-lock.json', 'bun.lock']) expect(read(lock)).not.toMatch(/"https?:\/\/[^"]*\.tgz/);
  });
});
