/**
 * A new policy of a job is one edit of its schema and one of its configuration: in a copy of the
 * sources a field is added to both, and it arrives in API, reference, command line and client.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { aSourceCopy } from './source-copy.ts';

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
  let copy: ReturnType<typeof aSourceCopy>;
  let seen: Record<string, unknown> = {};

  beforeAll(async () => {
    copy = aSourceCopy('job-policy');
    // The two edits.
    copy.insertBefore(
      'src/protocol/rest/job.ts',
      ' killGraceMs: field(',
      "    coolDownMs: field(span(), 'pause between two executions', { unit: 'ms', example: 5_000 }).default(2_000),",
    );
    copy.insertBefore('actors/job/types.ts', ' killGraceMs: number;', '  coolDownMs: number;');
    seen = await copy.probe('test/protocol/job-policy-probe.ts');
  }, 60_000);
  afterAll(() => copy.remove());

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
    expect(await copy.typeErrors(TYPES)).toBe('');
  }, 60_000);
});
