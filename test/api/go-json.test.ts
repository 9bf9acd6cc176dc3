/** Bodies of the Cloudtask dialect, read as encoding/json of Go reads them. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { z } from 'zod';
import { goJson, readGoBody } from '../../src/api/cloudtask/go-json.ts';
import { BODY_MAX } from '../../src/http/body.ts';
import { Problem } from '../../src/http/errors.ts';

const Rule = z.object({ id: z.string().default(''), day: z.int(), other: z.unknown() });
const Body = z
  .object({
    jobid: z.string(),
    timestamp: z.union([z.int(), z.bigint()]).optional(),
    env: z.array(z.string()).default([]),
    schedule: z.array(Rule).optional(),
    misfire: z.union([z.enum(['skip', 'once']), z.object({ policy: z.string(), limit: z.int() })]).default('skip'),
  })
  .refine(() => true);

const refusalOf = (text: string): string => {
  try {
    goJson(text, Body);
  } catch (error) {
    if (error instanceof Problem) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'taken';
};

describe('a body in the words of Go', () => {
  const taken: [what: string, text: string, value: unknown][] = [
    ['with names in other case', '{"JOBID":"a","Env":["x"]}', { jobid: 'a', env: ['x'] }],
    [
      'with names in other case inside lists and choices',
      '{"Schedule":[{"ID":"1","Day":2}],"MisFire":{"Policy":"all","LIMIT":3}}',
      {
        schedule: [{ id: '1', day: 2 }],
        misfire: { policy: 'all', limit: 3 },
      },
    ],
    ['with two names that differ in case only has the last one', '{"jobid":"a","JobId":"b"}', { jobid: 'b' }],
    ['with a repeated name has the last one, whatever stands between', '{"jobid":"a","JobId":"b","jobid":"c"}', { jobid: 'c' }],
    ['with null has no such field', '{"jobid":null,"env":null,"schedule":[{"id":null,"day":1}]}', { schedule: [{ day: 1 }] }],
    ['with null behind a value keeps the value', '{"jobid":"a","JOBID":null}', { jobid: 'a' }],
    [
      'with unknown fields loses them at every level',
      '{"_id":{"$oid":"1"},"jobid":"a","schedule":[{"day":1,"x":[{}]}]}',
      {
        jobid: 'a',
        schedule: [{ day: 1 }],
      },
    ],
    ['with text behind the first value is the first value', '{"jobid":"a"}{"jobid":"b"} and so on ]]]', { jobid: 'a' }],
    ['with text of endless depth behind the first value is the first value', `{}${'['.repeat(100)}`, {}],
    ['that is null is all zero', ' null ', {}],
    ['that is empty is nothing', '', undefined],
    ['that is blank is nothing', ' \t\r\n', undefined],
    ['that is a list stays one', '[1, "a"]', [1, 'a']],
    ['that is a text stays one', '"a"', 'a'],
    [
      'with a list in place of an object keeps it',
      '{"misfire":["x"],"schedule":{"Day":null}}',
      { misfire: ['x'], schedule: { Day: null } },
    ],
    [
      'with a place for any value keeps names, nulls and lists',
      '{"schedule":[{"other":{"A":null,"a":[1,null]}}]}',
      {
        schedule: [{ other: { A: null, a: [1, null] } }],
      },
    ],
    ['with nanoseconds keeps each digit', '{"timestamp":1521276530123456789}', { timestamp: 1521276530123456789n }],
    ['with the greatest int64 keeps each digit', '{"timestamp":9223372036854775807}', { timestamp: 9223372036854775807n }],
    ['with the least int64 keeps each digit', '{"timestamp":-9223372036854775808}', { timestamp: -9223372036854775808n }],
    ['with a whole number below 2^53 has a number', '{"timestamp":9007199254740991}', { timestamp: 9007199254740991 }],
    ['with fractions has a number', '{"timestamp":1.5e3}', { timestamp: 1500 }],
    [
      'with a lone surrogate has the replacement character',
      '{"jobid":"a\\ud800b","env":["\\udc00"]}',
      { jobid: 'a\ufffdb', env: ['\ufffd'] },
    ],
    ['with a pair of surrogates keeps the letter', '{"jobid":"\\ud83d\\ude00"}', { jobid: '😀' }],
    ['with an escaped NUL keeps it for the schema', '{"jobid":"a\\u0000"}', { jobid: 'a\0' }],
    ['with brackets and quotes in texts is no deep one', `{"jobid":"${'['.repeat(50)}\\"}\\\\"}`, { jobid: `${'['.repeat(50)}"}\\` }],
    ['that nests 32 levels is read', `${'{"x":'.repeat(31)}[]${'}'.repeat(31)}`, {}],
  ];
  test.each(taken)('a body %s', (_, text, value) => {
    expect(goJson(text, Body)).toEqual(value);
  });

  const refused: [what: string, text: string, message: RegExp][] = [
    ['that breaks off', '{"jobid":"a"', /^invalid: the body is not JSON: unexpected end \(at character 13\)\.$/],
    ['that breaks off in a text', '{"jobid":"a', /^invalid: the body is not JSON: /],
    ['that breaks off behind a comma', '{"jobid":"a",', /unexpected end/],
    ['with a comma too many', '{"jobid":"a",}', /unexpected character \(at character 14\)/],
    ['with a comma too many in a list', '[1,]', /unexpected character/],
    ['without quotes', '{jobid:"a"}', /unexpected character \(at character 2\)/],
    ['with single quotes', "{'jobid':'a'}", /unexpected character/],
    ['without a colon', '{"jobid" "a"}', /unexpected character \(at character 10\)/],
    ['without a comma', '{"jobid":"a" "env":[]}', /unexpected character/],
    ['with another bracket at the end', '{"env":[1}', /unexpected character/],
    ['of words', 'hello', /not JSON/],
    ['with a word that is no value', '{"jobid":nil}', /not JSON/],
    ['with a number that is none', '{"timestamp":01}', /not JSON/],
    ['with a raw NUL', '{"jobid":"a\0"}', /not JSON/],
    ['with a raw NUL between values', '{\0}', /unexpected character/],
    ['33 levels deep, the last of them empty', `${'{"x":'.repeat(32)}[]${'}'.repeat(32)}`, /nests deeper than 32 levels/],
    ['40 levels deep', `${'{"x":'.repeat(40)}1${'}'.repeat(40)}`, /nests deeper than 32 levels/],
    ['40 lists deep in a known field', `{"env":${'['.repeat(40)}`, /nests deeper than 32 levels/],
    ['without end', '['.repeat(500_000), /nests deeper than 32 levels/],
    ['with 20,002 keys', `{${Array.from({ length: 20_002 }, (_, n) => `"k${n}":0`).join()}}`, /more than 20000 keys and items/],
    ['with 20,002 items', `{"env":[${Array.from({ length: 20_002 }, () => '""').join()}]}`, /more than 20000 keys and items/],
    ['with __proto__', '{"jobid":"a","__proto__":{"admin":true}}', /^invalid: __proto__ is a reserved name/],
    ['with an escaped __proto__ deep inside', '{"x":[{"y":{"\\u005f_proto__":1}}]}', /^invalid: x\.y\.__proto__ is a reserved name/],
    ['with constructor', '{"schedule":[{"constructor":1}]}', /^invalid: schedule\.constructor is a reserved name/],
  ];
  test.each(refused)('a body %s is refused', (_, text, message) => {
    expect(refusalOf(text)).toMatch(message);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  test('a refusal of a body does not quote it', () => {
    for (const text of ['{"jobid":topsecret}', '{"topsecret"', '{"jobid":"topsecret\u0001"}', 'topsecret']) {
      expect(refusalOf(text)).not.toContain('topsecret');
    }
  });

  test('a body of any JSON is read as JSON.parse reads it', () => {
    const isReserved = (text: string) => /__proto__|constructor|prototype/.test(text);
    const value = fc.jsonValue({ maxDepth: 6, stringUnit: 'binary' }).filter(each => !isReserved(JSON.stringify(each)));
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 1, '\t'), fc.constantFrom('', ' ', '\n]', '{'), (each, indent, rest) => {
        const text = JSON.stringify({ any: each }, null, indent);
        const read = goJson(text + rest, z.object({ any: z.unknown() })) as { any: unknown };
        const parsed = JSON.parse(text, (_, inner) =>
          typeof inner === 'number' && isLong(inner) ? BigInt(String(inner)) : inner,
        ) as object;
        // Null is as if it were absent.
        expect<unknown>(read).toEqual(each === null ? {} : (parsed as { any: unknown }));
      }),
      { seed: 20261130, numRuns: 1_000 },
    );
  });

  test('a body of known fields is read in any case of its names, and in any order of repeats', () => {
    const spelled = fc.constantFrom('jobid', 'JOBID', 'JobId', 'jobID');
    const members = fc.array(fc.tuple(spelled, fc.option(fc.string({ unit: 'grapheme' }))), { maxLength: 8 });
    fc.assert(
      fc.property(members, pairs => {
        const text = `{${pairs.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join()}}`;
        const last = pairs.filter(([, value]) => value !== null).at(-1);
        expect(goJson(text, Body)).toEqual(last ? { jobid: last[1] } : {});
      }),
      { seed: 20261130, numRuns: 500 },
    );
  });

  test('whole numbers of an int64 are compared as they are written', () => {
    const int64 = fc.bigInt({ min: 2n - 2n ** 63n, max: 2n ** 63n - 3n });
    fc.assert(
      fc.property(int64, fc.bigInt({ min: -2n, max: 2n }), (a, more) => {
        const b = a + more;
        const read = (value: bigint) => goJson(`{"timestamp":${value}}`, Body) as { timestamp: number | bigint };
        expect([read(a).timestamp < read(b).timestamp, read(a).timestamp > read(b).timestamp]).toEqual([a < b, a > b]);
      }),
      { seed: 20261130, numRuns: 500 },
    );
  });

  test('a body of any bytes is read or refused, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async bytes => {
        const request = new Request('http://center/', { method: 'POST', body: bytes as Uint8Array<ArrayBuffer> });
        await readGoBody(request, Body).catch((error: unknown) => expect(error).toBeInstanceOf(Problem));
      }),
      { seed: 20261130, numRuns: 500 },
    );
  });
});

/** Whether an integer is beyond 2^53 and has at most 19 digits as it is written. */
const isLong = (value: number): boolean => Number.isInteger(value) && !Number.isSafeInteger(value) && /^-?\d{16,19}$/.test(String(value));

describe('the size of a body in the words of Go', () => {
  const posted = (length: number) =>
    new Request('http://center/', { method: 'POST', headers: { 'Content-Type': 'text/csv' }, body: `"${'x'.repeat(length - 2)}"` });

  test('the size of a body may be one megabyte, of any media type, and not a byte more', async () => {
    expect(String(await readGoBody(posted(BODY_MAX), Body))).toHaveLength(BODY_MAX - 2);
    await expect(readGoBody(posted(BODY_MAX + 1), Body)).rejects.toMatchObject({ code: 'tooLarge' });
  });
});
