/**
 * A new policy of a job is one edit of its schema and one of its configuration: in a copy of the
 * sources a field is added to both, and it arrives in API, reference, command line and client.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dir, '..', '..');
const run = promisify(execFile);

/** Puts `line` before the line that has `mark`. Throws unless exactly one has it. */
function insertBefore(file: string, mark: string, line: string): void {
  const lines = readFileSync(file, 'utf8').split('\n');
  const indexes = lines.flatMap((text, index) => (text.includes(mark) ? [index] : []));
  if (indexes.length !== 1) throw new Error(`${file} has ${indexes.length} lines with ${mark}, but must have one`);
  writeFileSync(file, lines.toSpliced(indexes[0] ?? 0, 0, line).join('\n'));
}

/** What a program that uses the client may write once the field is there, and what not. */
const TYPES = `
import type { Client } from './src/cli/client.ts';
import type { BodyOf } from './src/protocol/rest/index.ts';

export const read = async (client: Client): Promise<number> =>
  (await client.call('GET /v1/jobs/:name', { params: { name: 'a' } })).coolDownMs;
export const right: BodyOf<'POST /v1/jobs'> = { name: 'a', coolDownMs: 5_000 };
export const patch: BodyOf<'PATCH /v1/jobs/:name'> = { coolDownMs: null };
// @ts-expect-error: a text is no number of milliseconds
export const wrong: BodyOf<'POST /v1/jobs'> = { name: 'a', coolDownMs: '5s' };
`;

describe('a policy that is added to the schema of a job', () => {
  let copy = '';
  let seen: Record<string, unknown> = {};

  beforeAll(async () => {
    copy = mkdtempSync(join(tmpdir(), 'job-policy-'));
    for (const part of ['actors', 'src', 'test', 'package.json', 'tsconfig.json'])
      cpSync(join(ROOT, part), join(copy, part), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    // The two edits.
    insertBefore(
      join(copy, 'src/protocol/rest/job.ts'),
      ' killGraceMs: field(',
      "    coolDownMs: field(span(), 'pause between two executions', { unit: 'ms', example: 5_000 }).default(2_000),",
    );
    insertBefore(join(copy, 'actors/job/types.ts'), ' killGraceMs: number;', '  coolDownMs: number;');
    const { stdout } = await run('bun', ['test/protocol/job-policy-probe.ts'], { cwd: copy });
    seen = JSON.parse(stdout);
  }, 60_000);
  afterAll(() => rmSync(copy, { recursive: true, force: true }));

  test('a policy that is added to the schema of a job is taken, kept, answered, changed and judged by the API', () => {
    const { created, read, stored, patched, reset, refused } = seen;
    expect({ created, read, stored, patched, reset }).toEqual({ created: 5_000, read: 5_000, stored: 5_000, patched: 7_000, reset: 2_000 });
    const message = 'coolDownMs is -1, but must be a whole number from 0 to 31622400000.';
    expect(refused).toEqual([400, { code: 'invalid', message, field: 'coolDownMs' }]);
  });

  test('a policy that is added to the schema of a job is in the reference with its description, unit, default and example', () => {
    const notes = { type: 'integer', description: 'pause between two executions', 'x-unit': 'ms', examples: [5_000] };
    expect(seen.request).toMatchObject({ ...notes, default: 2_000, minimum: 0 });
    expect(seen.answer).toMatchObject(notes);
    expect(seen.page).toBe(true);
  });

  test('a policy that is added to the schema of a job is a flag with its help, and a line of "jobs show"', () => {
    const { byFlag, updated, help, shown, completion } = seen;
    expect({ byFlag, updated, completion }).toEqual({ byFlag: 300_000, updated: 9_000, completion: true });
    expect(String(help).trim()).toMatch(/^--cool-down DURATION +pause between two executions \(default: 2s\)$/);
    expect(String(shown)).toMatch(/^coolDownMs +5m$/);
  });

  test('a policy that is added to the schema of a job is known to the types of the client', async () => {
    writeFileSync(join(copy, 'client-types.ts'), TYPES);
    const config = { extends: './tsconfig.json', include: ['client-types.ts'] };
    writeFileSync(join(copy, 'tsconfig.types.json'), JSON.stringify(config));
    const tsc = join(ROOT, 'node_modules/.bin/tsc');
    const { stdout } = await run(tsc, ['--noEmit', '-p', 'tsconfig.types.json'], { cwd: copy }).catch(
      (problem: { stdout: string }) => problem,
    );
    expect(stdout).toBe('');
  }, 60_000);
});
