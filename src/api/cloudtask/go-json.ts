/**
 * Reads a body as the original's Go did. JSON.parse forgets the order of repeated names and the
 * digits of whole numbers beyond 2^53, and refuses what stands behind the first value. So this
 * walks the text, and leaves texts and numbers to JSON.parse.
 */
import type { z } from 'zod';
import { boundedPieces, endOfString, readBytes, refuseReserved, refuseSize, withoutQuotes } from '../../http/body.ts';
import { Problem } from '../../http/errors.ts';
import { createJsonTextCutter } from '../../lib/json-text-cutter.ts';
import type { BodyLimits } from '../../protocol/rest/endpoint.ts';

/** Reads the body, of any media type; see `goJson`. Throws Problem. */
export async function readGoBody(request: Request, schema: z.ZodType, limits?: BodyLimits): Promise<unknown> {
  const decoder = new TextDecoder();
  if (limits?.textBytes === undefined) return goJson(decoder.decode(await readBytes(request, limits?.bytes)), schema);
  const cutter = createJsonTextCutter(limits.textBytes);
  for await (const piece of boundedPieces(request, limits.bytes)) cutter.write(decoder.decode(piece, { stream: true }));
  cutter.write(decoder.decode());
  return goJson(cutter.end(), schema);
}

/**
 * The first JSON value of the text as an input of `schema`; undefined for a blank text.
 *
 *   names of fields     in any case; of several the last that is not null
 *   null                as if it were absent; of the whole body `{}`
 *   unknown fields      passed over, and so is the text behind the value
 *   whole numbers       beyond 2^53 a bigint
 *   a lone surrogate    U+FFFD
 *
 * Objects and lists whose schema names no fields or items keep what they have. Throws Problem
 * `invalid`.
 */
export function goJson(text: string, schema: z.ZodType): unknown {
  const cursor: Cursor = { text, at: 0, items: 0 };
  if (peek(cursor) === '') return undefined;
  return valueAt(cursor, { schema, depth: 0, path: '' }) ?? {};
}

interface Cursor {
  readonly text: string;
  /** Index of the next character. */
  at: number;
  /** Commas so far. */
  items: number;
}

interface Place {
  /** Undefined: any value. */
  schema: z.core.$ZodType | undefined;
  /** Enclosing objects and lists. */
  depth: number;
  path: string;
}

function valueAt(cursor: Cursor, place: Place): unknown {
  const letter = peek(cursor);
  if (letter === '{') return objectAt(cursor, place);
  if (letter === '[') return listAt(cursor, place);
  return letter === '"' ? stringAt(cursor) : wordAt(cursor);
}

function objectAt(cursor: Cursor, { schema, depth, path }: Place): Record<string, unknown> {
  const fields = fieldsOf(schema);
  const read: Record<string, unknown> = {};
  eachAt(cursor, '}', depth, () => {
    if (peek(cursor) !== '"') throw notJson(cursor);
    const key = stringAt(cursor);
    refuseReserved(key, path + key);
    expect(cursor, ':');
    const field = fields?.get(key.toLowerCase());
    const value = valueAt(cursor, { schema: field?.schema, depth: depth + 1, path: `${path}${key}.` });
    if (!fields) read[key] = value;
    else if (field && value !== null) read[field.name] = value;
  });
  return read;
}

function listAt(cursor: Cursor, { schema, depth, path }: Place): unknown[] {
  const item = itemOf(schema);
  const read: unknown[] = [];
  eachAt(cursor, ']', depth, () => read.push(valueAt(cursor, { schema: item, depth: depth + 1, path })));
  return read;
}

/** Calls `read` at each item between the opening bracket under the cursor and `end`. */
function eachAt(cursor: Cursor, end: '}' | ']', depth: number, read: () => void): void {
  refuseSize(depth + 1, cursor.items);
  cursor.at += 1;
  if (taken(cursor, end)) return;
  do read();
  while (comma(cursor));
  expect(cursor, end);
}

function comma(cursor: Cursor): boolean {
  if (!taken(cursor, ',')) return false;
  cursor.items += 1;
  refuseSize(0, cursor.items);
  return true;
}

function stringAt(cursor: Cursor): string {
  const end = endOfString(cursor.text, cursor.at) + 1;
  return String(parsedTo(cursor, end)).toWellFormed();
}

/** A number, or a word such as `true`. */
function wordAt(cursor: Cursor): unknown {
  WORD.lastIndex = cursor.at;
  const word = WORD.exec(cursor.text)?.[0] ?? '';
  if (word === '') throw notJson(cursor);
  const value = parsedTo(cursor, cursor.at + word.length);
  return typeof value === 'number' && !Number.isSafeInteger(value) && WHOLE.test(word) ? BigInt(word) : value;
}

const WORD = /[^\s,:[\]{}"]+/y;
/** As many digits as an int64 may have: converting longer ones would take long. */
const WHOLE = /^-?\d{16,19}$/;

/** The value of the text up to `end`, where the cursor goes. */
function parsedTo(cursor: Cursor, end: number): unknown {
  try {
    const value: unknown = JSON.parse(cursor.text.slice(cursor.at, end));
    cursor.at = end;
    return value;
  } catch (cause) {
    throw notJson(cursor, cause as Error);
  }
}

/** The next character that is no white space of JSON; '' at the end. */
function peek(cursor: Cursor): string {
  while (' \t\n\r'.includes(cursor.text[cursor.at] ?? 'x')) cursor.at += 1;
  return cursor.text[cursor.at] ?? '';
}

function taken(cursor: Cursor, letter: string): boolean {
  if (peek(cursor) !== letter) return false;
  cursor.at += 1;
  return true;
}

function expect(cursor: Cursor, letter: string): void {
  if (!taken(cursor, letter)) throw notJson(cursor);
}

/** What stands there may be a secret: the message does not quote it. */
function notJson({ text, at }: Cursor, cause?: Error): Problem {
  const what = cause ? withoutQuotes(cause.message) : at < text.length ? 'unexpected character' : 'unexpected end';
  return new Problem('invalid', `the body is not JSON: ${what} (at character ${at + 1}).`, { field: 'body', cause });
}

interface Field {
  name: string;
  schema: z.core.$ZodType;
}
const known = new WeakMap<z.core.$ZodType, Map<string, Field> | undefined>();

/** The fields of an object by their names in lower case; undefined: the schema names none. */
function fieldsOf(schema: z.core.$ZodType | undefined): Map<string, Field> | undefined {
  if (!schema) return undefined;
  if (!known.has(schema)) known.set(schema, namedIn(schema));
  return known.get(schema);
}

function namedIn(schema: z.core.$ZodType): Map<string, Field> | undefined {
  for (const { def } of within(schema)) {
    if (def.type !== 'object') continue;
    const fields: [string, z.core.$ZodType][] = Object.entries(def.shape);
    return new Map(fields.map(([name, field]) => [name.toLowerCase(), { name, schema: field }]));
  }
  return undefined;
}

function itemOf(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  for (const { def } of schema ? within(schema) : []) if (def.type === 'array') return def.element;
  return undefined;
}

/** The schemas behind wrappers, of a choice each. */
function* within(schema: z.core.$ZodType): Generator<z.core.$ZodTypes['_zod']> {
  const { _zod: inner } = schema as z.core.$ZodTypes;
  const { def } = inner;
  if (def.type === 'union') for (const option of def.options) yield* within(option);
  else if (def.type === 'pipe') {
    yield* within(def.in);
    yield* within(def.out);
  } else if ('innerType' in def) yield* within(def.innerType);
  else yield inner;
}
