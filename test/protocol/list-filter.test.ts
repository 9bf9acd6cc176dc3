/**
 * A new filter of a list is one edit of the schema of its query and one of what it selects: in a
 * copy of the sources two are added, and they arrive in API, reference, command line and client.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { aSourceCopy } from './source-copy.ts';

/** What a program that uses the client may write once the filter is there, and what not. */
const TYPES = `
import type { Client } from './src/cli/client.ts';
import type { QueryOf } from './src/protocol/rest/index.ts';

export const read = (client: Client) => client.list('GET /v1/jobs', { query: { overlap: 'queue', limit: 3 } });
export const right: QueryOf<'GET /v1/jobs'> = { overlap: 'queue,allow', changedAfter: '2026-11-22T08:00:00Z' };
// @ts-expect-error: a truth is no time
export const wrong: QueryOf<'GET /v1/jobs'> = { changedAfter: true };
// @ts-expect-error: no list has it
export const unknown: QueryOf<'GET /v1/jobs'> = { overlaps: 'queue' };
`;

describe('a filter that is added to the query of a list', () => {
  let copy: ReturnType<typeof aSourceCopy>;
  let seen: Record<string, unknown> = {};

  beforeAll(async () => {
    copy = aSourceCopy('list-filter');
    copy.insertBefore(
      'src/protocol/rest/job.ts',
      ' prefix: field(',
      `  overlap: field(choices(['skip', 'queue', 'allow', 'replace']), 'only those that do so').optional(),
  changedAfter: field(instant(), 'only those whose settings changed later').optional(),`,
    );
    copy.insertBefore('src/protocol/rest/job.ts', 'import { listOf,', "import { instant } from './fields.ts';");
    copy.insertBefore(
      'src/api/v1/jobs.ts',
      '      return pageOf(page, jobShape);',
      `      const { overlap = [] } = query;
      page.items = page.items.filter(({ context }) => overlap.length === 0 || overlap.includes(context.config.overlap));`,
    );
    seen = await copy.probe('test/protocol/list-filter-probe.ts');
  }, 60_000);
  afterAll(() => copy.remove());

  test('a filter that is added to the query of a list is parsed by the API, which selects by it and refuses a wrong value', () => {
    const message = 'overlap is "sometimes", but must be one or more of skip, queue, allow, replace, separated by commas.';
    expect(seen).toMatchObject({
      listed: ['patient'],
      refused: [400, { code: 'invalid', message, field: 'overlap' }],
      late: [400, 'changedAfter'],
    });
  });

  test('a filter that is added to the query of a list is a parameter of the reference, with its type, description and example', () => {
    expect(seen.reference).toEqual([
      {
        name: 'overlap',
        in: 'query',
        required: false,
        description: 'only those that do so',
        schema: { type: 'array', items: { type: 'string', enum: ['skip', 'queue', 'allow', 'replace'] } },
        style: 'form',
        explode: false,
      },
      {
        name: 'changedAfter',
        in: 'query',
        required: false,
        description: 'only those whose settings changed later',
        schema: { type: 'string', format: 'date-time', examples: ['2026-11-22T08:00:00Z'] },
      },
    ]);
  });

  test('a filter that is added to the query of a list is a flag with its values, its help and its completion, and reads an instant as people write it', () => {
    expect(seen.byFlag).toEqual(['patient']);
    expect(seen.queries).toEqual(['?overlap=queue&changedAfter=2026-11-22T06:30:00.000Z&limit=50']);
    expect(seen.wrong).toEqual([2, 'troupe: --overlap is "quueue", but must be some of skip, queue, allow, replace; did you mean queue?']);
    const [overlap = '', changedAfter = ''] = seen.help as string[];
    expect(overlap.trim()).toMatch(/^--overlap skip\|queue\|allow\|replace +only those that do so; several with commas between$/);
    expect(changedAfter.trim()).toMatch(/^--changed-after WHEN +only those whose settings changed later$/);
    expect(seen.completion).toEqual(['--overlap', '--changed-after', "found='skip queue allow replace'"]);
  });

  test('a filter that is added to the query of a list is known to the types of the client', async () => {
    expect(await copy.typeErrors(TYPES)).toBe('');
  }, 60_000);
});
