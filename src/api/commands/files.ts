/** Uploads and downloads of files over HTTP, the same for every API. */
import { bodyBytes } from '../../http/body.ts';
import { Problem } from '../../http/errors.ts';
import type { FileService, Stored } from '../../services/files/index.ts';
import type { StoredFile } from '../../store/file-port.ts';

const DIGESTS = { sha256: /^[0-9a-f]{64}$/, any: /^(?:[0-9a-f]{64}|[0-9a-f]{32})$/ };
const RULES = { sha256: 'a SHA-256: 64 hex digits', any: 'a SHA-256 (64 hex digits) or an MD5 (32)' };

/** In lower case. Throws Problem naming `digest`. */
export function readDigest(text: string, kind: 'sha256' | 'any' = 'any'): string {
  const digest = text.toLowerCase();
  if (DIGESTS[kind].test(digest)) return digest;
  throw new Problem('invalid', `digest is ${JSON.stringify(text.slice(0, 100))}, but must be ${RULES[kind]}.`, { field: 'digest' });
}

/** Stores the body of the request as a whole file. Throws Problem and FileRefused. */
export const storeFile = (
  files: Pick<FileService, 'upload'>,
  { name, request, sha256 }: { name: string; request: Request; sha256?: string },
): Promise<Stored> =>
  files.upload({ name, bytes: bodyBytes(request), announced: lengthOf(request), ...(sha256 === undefined ? {} : { sha256 }) });

/** Stores a part, or without Content-Range the whole file. Throws Problem and FileRefused. */
export async function storePart(
  files: Pick<FileService, 'upload' | 'uploadPart'>,
  { name, request, sha256 }: { name: string; request: Request; sha256: string },
): Promise<Stored | { received: number }> {
  const range = request.headers.get('content-range');
  if (range === null) return storeFile(files, { name, request, sha256 });
  const { from, to, total } = readContentRange(range);
  const length = lengthOf(request);
  if (length !== undefined && length !== to - from) throw wrongRange(`Content-Range names ${to - from} bytes, but the body has ${length}.`);
  return files.uploadPart({ name, sha256, from, to, total, bytes: bodyBytes(request) });
}

function lengthOf(request: Request): number | undefined {
  const header = request.headers.get('content-length');
  return header === null ? undefined : Number(header);
}

const wrongRange = (message: string): Problem => new Problem('invalid', message, { field: 'Content-Range' });

/**
 * `bytes 0-99/200`; an asterisk for the range sends no bytes and completes an upload whose parts
 * are all there. `to` is exclusive.
 */
function readContentRange(text: string): { from: number; to: number; total: number } {
  const [, first, last, total] = /^bytes (?:(\d{1,15})-(\d{1,15})|\*)\/(\d{1,15})$/i.exec(text.trim()) ?? [];
  if (total === undefined)
    throw wrongRange(`Content-Range is ${JSON.stringify(text.slice(0, 100))}, but must be such as "bytes 0-99/200", with the total.`);
  const all = Number(total);
  if (first === undefined) return { from: all, to: all, total: all };
  const [from, to] = [Number(first), Number(last) + 1];
  if (from >= to || to > all)
    throw wrongRange(`Content-Range is "${text.trim()}", but must end behind its beginning and before the total.`);
  return { from, to, total: all };
}

/** The content, whole or the range that the request names. Throws Problem and FileRefused. */
export async function sendFile(
  files: Pick<FileService, 'stat' | 'read' | 'received'>,
  digest: string,
  request: Request,
): Promise<Response> {
  const file = await files.stat(digest);
  const isHead = request.method === 'HEAD';
  if (!file) {
    const received = isHead ? await files.received(digest) : undefined;
    if (received === undefined) throw new Problem('notFound', `file not found: ${digest}`);
    return new Response(null, { headers: { 'upload-offset': String(received), 'upload-complete': '?0' } });
  }
  const range = readRange(request.headers.get('range'), file.bytes);
  const { from, to } = range ?? { from: 0, to: file.bytes };
  const source = await files.read(file.sha256, { from, to });
  const headers = {
    ...headersOf(file),
    'content-length': String(to - from),
    ...(range ? { 'content-range': `bytes ${from}-${to - 1}/${file.bytes}` } : {}),
    ...(isHead ? { 'upload-offset': String(file.bytes), 'upload-complete': '?1' } : {}),
  };
  return new Response(isHead ? null : streamOf(source), { status: range ? 206 : 200, headers });
}

const headersOf = ({ name, sha256 }: StoredFile) => ({
  'content-type': 'application/octet-stream',
  'content-disposition': `attachment; filename="${name}"`,
  'accept-ranges': 'bytes',
  etag: `"${sha256}"`,
});

/**
 * One range; `to` is exclusive. Undefined: the whole content, also for several ranges and for texts
 * that are none, as RFC 9110 asks. Throws Problem where no byte of it exists.
 */
function readRange(text: string | null, bytes: number): { from: number; to: number } | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(text?.trim() ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  const range =
    first === ''
      ? { from: Math.max(0, bytes - Number(last)), to: bytes }
      : { from: Number(first), to: last === '' ? bytes : Math.min(bytes, Number(last) + 1) };
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  if (range.from < range.to) return range;
  throw new Problem('rangeNotSatisfiable', `Range is "${text}", but the file has ${bytes} bytes.`, { field: 'Range' });
}

/** Reads one piece when the client has taken the one before. */
function streamOf(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const pieces = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await pieces.next();
        if (next.done) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await pieces.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
