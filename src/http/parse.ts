/**
 * Parses an input by its schema. zod's first issue becomes one sentence: field, received value,
 * expected value.
 */
import type { z } from 'zod';
import { quotedValue } from '../../actors/schedule/error.ts';
import { nearest } from '../lib/suggest.ts';
import { isSecret } from '../protocol/rest/secrets.ts';
import { Problem } from './errors.ts';

/**
 * Throws Problem `invalid`. Messages of the schema are read as "must be <message>". `root` names
 * the whole input in messages.
 */
export function parse<S extends z.ZodType>(schema: S, input: unknown, root = 'body'): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw issue ? problemOf(issue, input, root, schema) : new Problem('invalid', `${root} is invalid.`);
}

/** `schedules[0].cron` */
const pathText = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? String(step) : `${text}.${String(step)}`),
    '',
  );

function problemOf(issue: z.core.$ZodIssue, input: unknown, root: string, schema: z.ZodType): Problem {
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    const field = pathText([...issue.path, key]);
    const meant = nearest(key, schemaFields(schema, issue.path));
    return new Problem('invalid', `unknown field ${JSON.stringify(field)}${meant ? `; did you mean ${JSON.stringify(meant)}?` : '.'}`, {
      field,
    });
  }
  const field = pathText(issue.path);
  const value = issue.path.reduce<unknown>((at, step) => (isRecord(at) ? at[step] : undefined), input);
  // A message with a full stop is a whole sentence.
  if (issue.message.endsWith('.')) return new Problem('invalid', issue.message, { field: field || root });
  const what = value === undefined ? 'is missing' : `is ${shownOf(value, isHidden(schema, issue.path))}`;
  return new Problem('invalid', `${field || root} ${what}, but must be ${issue.message}.`, { field: field || root });
}

const isRecord = (value: unknown): value is Record<PropertyKey, unknown> => typeof value === 'object' && value !== null;

/** Names of the fields at a path; empty where the schema has none. */
export function schemaFields(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const at = [...schemasAlong(schema, path)].at(-1);
  return isRecord(at) && isRecord(at.shape) ? Object.keys(at.shape) : [];
}

/** Whether the value at this path may be a secret. */
const isHidden = (schema: z.ZodType, path: readonly PropertyKey[]): boolean => [...schemasAlong(schema, path)].some(isSecret);

/**
 * The received value for a message: of a secret only the type, of a list only the length. Lists and
 * objects may contain secrets.
 */
function shownOf(value: unknown, isSecretOne: boolean): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isRecord(value)) return 'an object';
  if (!isSecretOne || value === null) return quotedValue(value);
  return typeof value === 'string' ? 'a text' : `a ${typeof value}`;
}

/**
 * The schemas along a path, from the whole input to its last step, wrappers included; undefined
 * behind an unknown step.
 */
function* schemasAlong(schema: z.ZodType, path: readonly PropertyKey[]): Generator<unknown> {
  let at: unknown = schema;
  for (const step of ['', ...path]) {
    if (step !== '') at = isRecord(at) && isRecord(at.shape) ? at.shape[step] : undefined;
    yield at;
    for (let depth = 0; isRecord(at) && !isRecord(at.shape) && depth < 5; depth += 1) {
      const inner: unknown = typeof at.unwrap === 'function' ? at.unwrap() : at.out;
      if (inner === undefined) break;
      at = inner;
      yield at;
    }
  }
}
