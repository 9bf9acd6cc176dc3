/** Imports point one way, and the world is touched in named files only. */
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
  'src/clock.ts': [],
  'src/ids.ts': [],
  'src/nearest.ts': [],
  'src/durations.ts': [],
  'src/app-hosts.ts': [],
  'src/command-words.ts': [],
  'src/visible.ts': [],
  'src/libc.ts': [],
  'src/private-file.ts': [],
  'src/process-secrets.ts': ['src/libc.ts'],
  'src/log.ts': ['src/clock.ts', 'src/visible.ts'],
  'src/config.ts': ['src/config-values.ts', 'src/durations.ts', 'src/nearest.ts'],
  'src/config-values.ts': ['src/config.ts', 'src/app-hosts.ts', 'actors/schedule.ts'],
  'src/store': ['actors', 'src/clock.ts', 'src/private-file.ts'],
  'src/feed': ['src/store', 'src/clock.ts'],
  'src/runtime': ['actors', 'src/store', 'src/feed', 'src/agent/protocol.ts', 'src/clock.ts', 'src/ids.ts'],
  'src/services': ['actors', 'src/store', 'src/runtime', 'src/clock.ts'],
  'src/api': [
    'actors',
    'src/store',
    'src/feed',
    'src/runtime',
    'src/agent/protocol.ts',
    'src/clock.ts',
    'src/ids.ts',
    'src/nearest.ts',
    'src/app-hosts.ts',
    'src/command-words.ts',
    'src/config.ts',
    'src/config-values.ts',
    'src/log.ts',
    'package.json',
  ],
  'src/agent': [
    'actors/schedule.ts',
    'src/clock.ts',
    'src/command-words.ts',
    'src/ids.ts',
    'src/log.ts',
    'src/libc.ts',
    'src/private-file.ts',
    'src/visible.ts',
    'src/nearest.ts',
    'src/app-hosts.ts',
    'src/config.ts',
  ],
  'src/console': [],
  'src/cli': [
    'src/visible.ts',
    'src/libc.ts',
    'src/process-secrets.ts',
    'src/clock.ts',
    'src/durations.ts',
    'src/ids.ts',
    'src/nearest.ts',
    'package.json',
  ],
  'src/main.ts': [
    'src/store',
    'src/feed',
    'src/runtime',
    'src/services',
    'src/api',
    'src/clock.ts',
    'src/ids.ts',
    'src/log.ts',
    'src/config.ts',
    'src/threads.ts',
  ],
  'src/threads.ts': ['src/store', 'src/runtime', 'src/clock.ts', 'src/ids.ts', 'src/config.ts', 'src/log.ts'],
};

/**
 * Single files that may do more than the part they lie in: they start other programs of the
 * product.
 */
const EXCEPTIONS: Record<string, string[]> = {
  'src/cli/start.ts': ['src/main.ts', 'src/threads.ts', 'src/config.ts', 'src/log.ts'],
  'src/cli/verbs/backup.ts': ['src/store'],
  'src/cli/verbs/agent.ts': ['src/agent/main.ts', 'src/agent/settings.ts'],
  'src/cli/verbs/keeper.ts': ['src/agent/keeper/main.ts'],
};

/** Files through which time, chance and secrets come in. Everybody else takes a port. */
const TIME: string[] = ['src/clock.ts', 'src/console'];
const CHANCE: string[] = [
  'src/ids.ts',
  // A key pair, a salted password, a proof of identity: made where they are kept.
  'src/agent/real',
  'src/agent/keeper/spawner.ts',
  'src/api/passwords.ts',
  'src/api/agents/installation-key.ts',
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

describe('imports', () => {
  test('point one way', () => {
    const wrong = files.flatMap(reached).filter(({ file, to }) => {
      const part = partOf(file);
      const allowed = [part, ...(MAY_IMPORT[part] ?? []), ...(EXCEPTIONS[file] ?? [])];
      return !allowed.some(each => isIn(to, each));
    });
    expect(wrong.map(({ file, to }) => `${file} imports ${to}`)).toEqual([]);
  });

  test('of the machines name xstate and nothing else from outside', () => {
    const outside = files.filter(file => isIn(file, 'actors')).flatMap(file => importsOf(file).filter(name => !name.startsWith('.')));
    expect([...new Set(outside)]).toEqual(['xstate']);
  });

  test('of the schedules lead nowhere but to schedules, so that an agent may use them', () => {
    const wrong = files
      .filter(file => file === 'actors/schedule.ts' || isIn(file, 'actors/schedule'))
      .flatMap(reached)
      .filter(({ to }) => !isIn(to, 'actors/schedule'));
    expect(wrong).toEqual([]);
  });

  test('of what center and agent share lead into neither', () => {
    expect(reached('src/agent/protocol.ts')).toEqual([]);
  });

  test('leave every file a place in the table', () => {
    expect(files.filter(file => partOf(file) === 'nowhere')).toEqual([]);
  });
});

describe('the world', () => {
  const uses = (words: RegExp, except: string[]) =>
    files.filter(file => !except.some(part => isIn(file, part)) && words.test(codeOf(file)));

  test('is asked for the time in one file', () => {
    expect(uses(/\bDate\.now\b|\bnew Date\(\)|\bDate\(\)|\bperformance\s*\.|\bTemporal\b|\bset(?:Timeout|Interval)\b/, TIME)).toEqual([]);
  });

  test('rolls its dice in named files', () => {
    expect(uses(/\bMath\.random\b|\bgetRandomValues\b|\brandomUUID\b|\brandomBytes\b|\brandomInt\b|\bgenerateKeyPair/, CHANCE)).toEqual([]);
  });

  test('is unknown to the machines', () => {
    const actorsOnly = files.filter(file => isIn(file, 'actors'));
    const words = /\b(?:process|Bun|Deno|fetch|console|require|crypto|setImmediate|queueMicrotask|await|async)\b(?!['":])/;
    expect(actorsOnly.filter(file => words.test(codeOf(file).replace(/'[^'\n]*'|`[^`]*`|"[^"\n]*"/g, '')))).toEqual([]);
  });

  test('speaks HTTP in the front door, SQL and collections in the store', () => {
    const database = files.filter(file => importsOf(file).some(name => name.startsWith('@mikro-orm') || name === 'mongodb'));
    expect(database.filter(file => !isIn(file, 'src/store'))).toEqual([]);
    const http = files.filter(file => importsOf(file).some(name => name === 'hono' || name.startsWith('hono/')));
    expect(http.filter(file => !isIn(file, 'src/api'))).toEqual([]);
  });
});
