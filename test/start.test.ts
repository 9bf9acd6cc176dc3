/** What a start loads: modules that few processes use load at their first use. */
import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
/** An import that is no type alone: `import x from '…'`, `import '…'`, `export … from '…'`. */
const STATIC = /^(?:import|export)\s+(?!type\b)(?:([^;'"]*?)\s+from\s+)?'([^']+)'/gm;

const isTypesAlone = (clause: string): boolean => /^\{(?:\s*type\s[^,}]*,?)*\s*\}$/.test(clause.trim());

/** Files of ours, and packages, that these programs load before their first line runs. */
function loadedBy(...programs: string[]): Set<string> {
  const loaded = new Set<string>();
  const left = [...programs];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (loaded.has(file)) continue;
    loaded.add(file);
    for (const [, clause = '', name = ''] of readFileSync(join(ROOT, file), 'utf8').matchAll(STATIC)) {
      if (isTypesAlone(clause)) continue;
      if (!name.startsWith('.')) loaded.add(name);
      else if (name.endsWith('.ts')) left.push(normalize(join(dirname(file), name)).replaceAll('\\', '/'));
    }
  }
  return loaded;
}

const CENTER = ['src/cli/main.ts', 'src/cli/verbs/center.ts', 'src/cli/start.ts', 'src/threads.ts', 'src/main.ts'];

describe('a verb of the command line', () => {
  test('a verb of the command line loads no schema, and no package that another verb needs', () => {
    const loaded = loadedBy('src/cli/main.ts', 'src/cli/run.ts', 'src/cli/verbs/index.ts');
    expect(loaded.has('src/cli/verbs/jobs.ts')).toBe(true);
    for (const name of ['zod', 'ws', 'ipaddr.js', 'node:crypto', 'src/main.ts']) expect([name, loaded.has(name)]).toEqual([name, false]);
  });
});

describe('a worker thread', () => {
  const loaded = loadedBy('src/runtime/workers/worker.ts');

  test('a worker thread loads the machines and the reads of the store', () => {
    for (const name of ['xstate', 'actors/machines.ts', 'src/store/sqlite/open-reads.ts'])
      expect([name, loaded.has(name)]).toEqual([name, true]);
  });

  test('a worker thread loads no schema, no ORM, no driver of MongoDB, nothing for the writer of the store alone', () => {
    for (const name of ['zod', 'hono', '@mikro-orm/core', 'mongodb', 'node:crypto', 'src/store/sqlite/open.ts', 'src/store/file-store.ts'])
      expect([name, loaded.has(name)]).toEqual([name, false]);
  });
});

describe('the start of a center', () => {
  const loaded = loadedBy(...CENTER);

  test('the start of a center loads what it serves', () => {
    for (const name of ['src/api/surfaces.ts', 'src/gateway/index.ts', 'hono', 'zod'])
      expect([name, loaded.has(name)]).toEqual([name, true]);
  });

  test('the start of a center on Bun loads no HTTP server of another runtime', () => {
    for (const name of ['node:http', 'ws']) expect([name, loaded.has(name)]).toEqual([name, false]);
  });

  test('the start of a center loads no machine in its main thread, no ORM, no driver of MongoDB, no mailer', () => {
    for (const name of ['xstate', '@mikro-orm/core', 'mongodb', 'nodemailer']) expect([name, loaded.has(name)]).toEqual([name, false]);
  });

  test('the start of a center loads of the dialects their rules alone', () => {
    const dialects = [...loaded].filter(file => /^src\/api\/(?:elasticjob|cloudtask)\//.test(file));
    expect(dialects.sort()).toEqual(['src/api/cloudtask/go-json.ts', 'src/api/cloudtask/rules.ts', 'src/api/elasticjob/rules.ts']);
  });

  test('the start of a center loads of /v1 no routes of resources, and no schema of a job', () => {
    const routes = [...loaded].filter(file => /^src\/api\/v1\/[^/]+$/.test(file));
    expect(routes.sort()).toEqual(['src/api/v1/logs.ts', 'src/api/v1/metrics.ts', 'src/api/v1/session.ts']);
    expect(loaded.has('src/protocol/rest/job.ts')).toBe(false);
  });
});
