/**
 * Reads a body as JSON that is safe to use: bounded in size, depth and keys, without keys that
 * change prototypes. The schema of the route checks the rest.
 */
import { Problem } from './errors.ts';

/** Largest body of a route that declares no other limit, bytes. */
export const BODY_MAX = 1024 * 1024;
/** Deepest nesting of a JSON body. */
const DEPTH_MAX = 32;
/** Limit of keys and items in a JSON body. */
const KEYS_MAX = 20_000;

/** Keys that could change the prototype of an object. */
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);

/** Media types of a body: a patch may be RFC 7396's, a bare name plain text. */
const TYPES = {
  json: ['application/json'],
  patch: ['application/json', 'application/merge-patch+json'],
  lenient: ['application/json', 'text/plain'],
} as const;

/** An absent type counts as JSON. `lenient`: an empty body may have any type. Throws Problem. */
export async function readText(request: Request, types: keyof typeof TYPES, maxBytes?: number): Promise<{ text: string; plain: boolean }> {
  const type = (request.headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const plain = type === 'text/plain';
  const bytes = await readBytes(request, maxBytes);
  const isTaken = type === '' || (TYPES[types] as readonly string[]).includes(type);
  if (!isTaken && (bytes.length > 0 || types !== 'lenient')) {
    throw new Problem('unsupportedType', `the body is ${type.slice(0, 60)}, but must be application/json`);
  }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), plain };
  } catch (cause) {
    throw new Problem('invalid', 'the body is not UTF-8.', { field: 'body', cause });
  }
}

/**
 * The body of a route that takes bytes, piece by piece as they arrive. The client waits while
 * nobody reads. Throws Problem where it disconnects before the end.
 */
export async function* bodyBytes(request: Request): AsyncGenerator<Uint8Array> {
  if (!request.body) return;
  try {
    yield* request.body as unknown as AsyncIterable<Uint8Array>;
  } catch (cause) {
    // Each runtime has an error of its own for a client that disconnects.
    throw closedEarly(cause);
  }
}

/** The client disconnected: not a fault of the center. Returns any other error unchanged. */
const brokenOff = (cause: unknown): unknown => (cause instanceof Error && cause.name === 'AbortError' ? closedEarly(cause) : cause);

const closedEarly = (cause: unknown): Problem =>
  new Problem('invalid', 'the connection was closed before the end of the body.', { field: 'body', cause });

/** Throws Problem. */
export async function readBytes(request: Request, maxBytes?: number): Promise<Uint8Array> {
  return Buffer.concat(await Array.fromAsync(boundedPieces(request, maxBytes)));
}

/** The pieces of the body as they arrive, of at most so many bytes together. Throws Problem. */
export async function* boundedPieces(request: Request, maxBytes = BODY_MAX): AsyncGenerator<Uint8Array> {
  const tooLarge = () => new Problem('tooLarge', `the body is larger than ${maxBytes} bytes`);
  if (Number(request.headers.get('content-length')) > maxBytes) throw tooLarge();
  if (!request.body) return;
  let length = 0;
  // Content-Length may be absent or wrong: count the bytes.
  try {
    for await (const piece of request.body as unknown as AsyncIterable<Uint8Array>) {
      length += piece.length;
      if (length > maxBytes) throw tooLarge();
      yield piece;
    }
  } catch (cause) {
    throw brokenOff(cause);
  }
}

/** Throws Problem `invalid`. An empty text is undefined. */
export function parseJson(text: string): unknown {
  if (text.trim() === '') return undefined;
  refuseHuge(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Problem('invalid', `the body is not JSON: ${withoutQuotes((cause as Error).message)}.`, { field: 'body', cause });
  }
  refuseKeys(value, '');
  return value;
}

/** Throws Problem `invalid` for a body that nests too deeply or has too many keys and items. */
export function refuseSize(depth: number, items: number): void {
  if (depth > DEPTH_MAX) throw new Problem('invalid', `the body nests deeper than ${DEPTH_MAX} levels.`, { field: 'body' });
  if (items > KEYS_MAX) throw new Problem('invalid', `the body has more than ${KEYS_MAX} keys and items.`, { field: 'body' });
}

/** Throws Problem `invalid` for a key that could change the prototype of an object. */
export function refuseReserved(key: string, field: string): void {
  if (!FORBIDDEN.has(key)) return;
  throw new Problem('invalid', `${field} is a reserved name; rename it. Reserved: ${[...FORBIDDEN].join(', ')}.`, { field });
}

/** Runs before the parser, whose stack a deeply nested body may exhaust. */
function refuseHuge(text: string): void {
  let depth = 0;
  let items = 0;
  for (let index = 0; index < text.length; index += 1) {
    const letter = text.charCodeAt(index);
    if (letter === QUOTE) index = endOfString(text, index);
    else if (letter === 0x7b || letter === 0x5b) depth += 1;
    else if (letter === 0x7d || letter === 0x5d) depth -= 1;
    else if (letter === 0x2c) items += 1;
    refuseSize(depth, items);
  }
}

/** The message of a JSON parser without its quotation of the body, which may be a secret. */
export const withoutQuotes = (message: string): string => message.replace(/["'`][\s\S]*["'`](\.\.\.)?/, '…').trim();

const QUOTE = 0x22;

/** Index of the quote that closes the string at `start`; the length of the text where none does. */
export function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text[end - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return end;
  }
  return text.length;
}

function refuseKeys(value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const field = path === '' ? key : `${path}.${key}`;
    refuseReserved(key, field);
    refuseKeys(inner, field);
  }
}

/**
 * A name as clients of ElasticJob send it: bare `my_job` or `"my_job"`, with any media type.
 * Undefined for an empty body or null.
 */
export function nameIn(text: string): unknown {
  const bare = text.trim();
  if (bare === '' || bare === 'null') return undefined;
  if (!/^["{[]/.test(bare)) return bare;
  return parseJson(bare);
}
