/** Imports point one way, and only named files use clock, random numbers, HTTP and SQL. */
import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

/**
 * Parts of the product, and what each may import besides itself. A path ending in `.ts` is one
 * file, anything else a folder.
 */
const MAY_IMPORT: Record<string, string[]> = {
  actors: [],
  'src/lib': [],
  'src/config': ['src/lib', 'src/protocol', 'actors/schedule'],
  'src/protocol': ['actors', 'src/lib'],
  'src/store': ['actors', 'src/lib', 'src/protocol'],
  'src/cluster': ['src/lib', 'src/store'],
  'src/runtime': ['actors', 'src/lib', 'src/protocol', 'src/store'],
  'src/feed': ['actors', 'src/lib', 'src/protocol', 'src/store'],
  'src/services': ['actors', 'src/lib', 'src/protocol', 'src/store', 'src/runtime', 'src/feed'],
  'src/security': ['actors', 'src/lib', 'src/protocol', 'src/store', 'src/runtime', 'src/feed'],
  'src/http': [
    ...['actors', 'src/lib', 'src/protocol', 'src/store', 'src/runtime', 'src/feed', 'src/services', 'src/security'],
    ...['src/config', 'package.json'],
  ],
  'src/api': [
    ...['actors', 'src/lib', 'src/protocol', 'src/store', 'src/runtime', 'src/feed', 'src/services', 'src/security', 'src/http'],
    ...['src/config', 'package.json'],
  ],
  'src/gateway': [
    ...['actors', 'src/lib', 'src/protocol', 'src/store', 'src/runtime', 'src/feed', 'src/services', 'src/security', 'src/http'],
    'src/config',
  ],
  'src/keeper': ['src/lib', 'src/protocol', 'actors/schedule'],
  'src/agent': ['src/lib', 'src/protocol', 'src/config', 'actors/schedule'],
  'src/console': ['src/lib', 'src/protocol/rest'],
  'src/cli': ['src/lib', 'src/protocol/rest', 'package.json'],
  'src/main.ts': [
    ...['actors', 'src/lib', 'src/protocol', 'src/store', 'src/runtime', 'src/feed', 'src/services', 'src/security', 'src/http'],
    ...['src/api', 'src/gateway', 'src/config', 'src/threads.ts'],
  ],
  'src/threads.ts': ['src/lib', 'src/store', 'src/cluster', 'src/runtime', 'src/config'],
};

/** Files that may do more than their folder, because they start other programs of the product. */
const EXCEPTIONS: Record<string, string[]> = {
  'src/cli/start.ts': ['src/main.ts', 'src/threads.ts', 'src/config'],
  'src/cli/verbs/backup.ts': ['src/store'],
  'src/cli/verbs/agent.ts': ['src/agent/main.ts', 'src/config/agent-settings.ts'],
  'src/cli/verbs/keeper.ts': ['src/keeper/main.ts'],
  // The composition root of a worker thread.
  'src/runtime/workers/worker.ts': ['src/cluster'],
};

/** Files through which time, chance and secrets come in. Everybody else takes a port. */
const TIME: string[] = ['src/lib/clock.ts', 'src/console'];
const CHANCE: string[] = [
  'src/lib/ids.ts',
  // A key pair, a salted password, a proof of identity: made where they are kept.
  'src/agent/host',
  'src/keeper/spawner.ts',
  'src/security/passwords.ts',
  'src/security/installation-key.ts',
  'src/console',
];

const files = ['actors', 'src'].flatMap(folder =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => `${folder}/${name}`),
);
const isIn = (path: string, part: string): boolean => path === part || path.startsWith(`${part}/`);
const textOf = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const codeOf = (file: string): string => textOf(file).replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/[^\n]*/g, '');
const importsOf = (file: string): string[] =>
  [...textOf(file).matchAll(/(?:\bfrom|\bimport\(|^import)\s*'([^']+)'/gm)].map(match => match[1] ?? '');
const partOf = (file: string): string =>
  Object.keys(MAY_IMPORT)
    .filter(part => isIn(file, part))
    .sort((a, b) => b.length - a.length)[0] ?? 'nowhere';

function reached(file: string): { file: string; to: string }[] {
  return importsOf(file)
    .filter(name => name.startsWith('.'))
    .map(name => ({ file, to: normalize(join(dirname(file), name)).replaceAll('\\', '/') }));
}

/** Files that lie on a cycle of imports, or between two cycles. */
function onCycles(): string[] {
  let left = files.map(file => ({ file, to: reached(file).map(each => each.to) }));
  for (;;) {
    const names = new Set(left.map(({ file }) => file));
    const imported = new Set(left.flatMap(({ to }) => to));
    const next = left.filter(({ file, to }) => imported.has(file) && to.some(name => names.has(name)));
    if (next.length === left.length) return [...names];
    left = next;
  }
}

describe('imports', () => {
  test('imports point one way', () => {
    const wrong = files.flatMap(reached).filter(({ file, to }) => {
      const part = partOf(file);
      const allowed = [part, ...(MAY_IMPORT[part] ?? []), ...(EXCEPTIONS[file] ?? [])];
      return !allowed.some(each => isIn(to, each));
    });
    expect(wrong.map(({ file, to }) => `${file} imports ${to}`)).toEqual([]);
  });

  test('imports of the machines name xstate and nothing else from outside', () => {
    const outside = files.filter(file => isIn(file, 'actors')).flatMap(file => importsOf(file).filter(name => !name.startsWith('.')));
    expect([...new Set(outside)]).toEqual(['xstate']);
  });

  test('imports of the schedules lead nowhere but to schedules, so that an agent may use them', () => {
    const wrong = files
      .filter(file => isIn(file, 'actors/schedule'))
      .flatMap(reached)
      .filter(({ to }) => !isIn(to, 'actors/schedule'));
    expect(wrong).toEqual([]);
  });

  test('imports of the modules that center and agent share lead into neither', () => {
    expect(reached('src/protocol/agent.ts')).toEqual([]);
  });

  test('imports form no cycle, type imports included', () => {
    expect(onCycles()).toEqual([]);
  });

  test('imports of the command line load no schema before a verb asks for it', () => {
    const eager = /^import (?!type\b)[^;]*?from '([^']*protocol\/rest\/[^']+)'/gm;
    const wrong = files.filter(file => isIn(file, 'src/cli')).filter(file => textOf(file).match(eager) !== null);
    expect(wrong).toEqual([]);
  });

  test('imports are covered by the table for every file', () => {
    expect(files.filter(file => partOf(file) === 'nowhere')).toEqual([]);
  });
});

describe('exported names', () => {
  test('exported names are declared by one file each', () => {
    const pattern = /^export (?:declare )?(?:async )?(?:const|let|function\*?|class|interface|type|enum) (\w+)/gm;
    const declared = files.flatMap(file => [...new Set([...textOf(file).matchAll(pattern)].map(match => match[1] ?? ''))]);
    expect(declared.length).toBeGreaterThan(1_000);
    expect(declared.filter((name, index) => declared.indexOf(name) !== index)).toEqual([]);
  });
});

describe('the world', () => {
  const uses = (words: RegExp, except: string[]) =>
    files.filter(file => !except.some(part => isIn(file, part)) && words.test(codeOf(file)));

  test('the clock is read in one file', () => {
    expect(uses(/\bDate\.now\b|\bnew Date\(\)|\bDate\(\)|\bperformance\s*\.|\bTemporal\b|\bset(?:Timeout|Interval)\b/, TIME)).toEqual([]);
  });

  test('random numbers are drawn in named files', () => {
    expect(uses(/\bMath\.random\b|\bgetRandomValues\b|\brandomUUID\b|\brandomBytes\b|\brandomInt\b|\bgenerateKeyPair/, CHANCE)).toEqual([]);
  });

  test('the machines use neither clock nor random numbers', () => {
    const actorsOnly = files.filter(file => isIn(file, 'actors'));
    const words = /\b(?:process|Bun|Deno|fetch|console|require|crypto|setImmediate|queueMicrotask|await|async)\b(?!['":])/;
    expect(actorsOnly.filter(file => words.test(codeOf(file).replace(/'[^'\n]*'|`[^`]*`|"[^"\n]*"/g, '')))).toEqual([]);
  });

  test('HTTP stays in the HTTP server, SQL and collections in the store', () => {
    const database = files.filter(file => importsOf(file).some(name => name.startsWith('@mikro-orm') || name === 'mongodb'));
    expect(database.filter(file => !isIn(file, 'src/store'))).toEqual([]);
    const http = files.filter(file => importsOf(file).some(name => name === 'hono' || name.startsWith('hono/')));
    expect(http.filter(file => !isIn(file, 'src/api') && !isIn(file, 'src/http'))).toEqual([]);
  });
});
