/** The single-file program contains every file that a thread starts with. */
import { expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

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
