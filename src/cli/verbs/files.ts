/** `troupe files`: uploaded archives, scripts and other content. */
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { StoredFileAnswer } from '../../protocol/rest/file.ts';
import type { Client } from '../client.ts';
import { EXIT, Failure } from '../failure.ts';
import { textOption } from '../options.ts';
import { type Family, verb } from '../verb.ts';
import { showList } from './common.ts';

/** Bytes of one part of an upload: what is lost when the connection breaks. */
const PART_BYTES = 8 * 1024 * 1024;

const list = verb({
  summary: 'lists uploaded files, the last uploaded first',
  takes: [],
  options: {},
  query: async () => (await import('../../protocol/rest/file.ts')).fileEndpoints['GET /v1/files'].query,
  async run(call) {
    const page = await call.client.list('GET /v1/files', { query: call.query });
    await showList(call, page, 'files', [
      { head: 'NAME', cell: file => file.name },
      { head: 'BYTES', cell: file => String(file.size) },
      { head: 'UPLOADED', cell: file => call.print.instant(file.uploadedAt) },
      { head: 'SHA256', cell: file => file.sha256 },
    ]);
    return EXIT.done;
  },
});

const put = verb({
  summary: 'uploads a file; an upload that broke off goes on where it stopped',
  takes: ['FILE'],
  options: { name: textOption('NAME', 'the name under which it is stored (default: that of the file)') },
  examples: ['troupe files put build/reports.tar.gz', 'troupe apps publish reports --url troupe:files/SHA256 --command bin/start.sh'],
  async run({ client, print, shell, values, words }) {
    const path = resolve(words[0] ?? '');
    const file = await opened(path);
    try {
      const stored = await upload(client, file, { name: values.name ?? basename(path), signal: shell.signal });
      await print.show(stored, () => [`uploaded ${stored.name}: troupe:files/${stored.sha256}`]);
      return EXIT.done;
    } finally {
      await file.close();
    }
  },
});

const get = verb({
  summary: 'downloads a file by its SHA-256 or MD5, and checks it',
  takes: ['DIGEST'],
  options: { output: textOption('FILE', 'where to put it (default: its name, in this directory)') },
  examples: ['troupe files get d41d8cd98f00b204e9800998ecf8427e --output run.sh'],
  async run({ client, print, values, words: [digest = ''] }) {
    const response = await client.bytes('GET /v1/files/:digest', { params: { digest } });
    const named = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1] ?? digest;
    const path = resolve(values.output ?? named);
    if (values.output === undefined && (await stat(path).catch(() => undefined)))
      throw new Failure(EXIT.failed, `${path} exists already; name another file with --output`);
    const sha256 = (response.headers.get('etag') ?? '').replaceAll('"', '');
    const bytes = await save(response, path, sha256);
    await print.show({ file: path, sha256, size: bytes }, () => [`${path} has ${bytes} bytes, sha256 ${sha256}`]);
    return EXIT.done;
  },
});

const remove = verb({
  summary: 'deletes a file with all of its names',
  takes: ['DIGEST'],
  options: {},
  async run({ client, print, words: [digest = ''] }) {
    await client.call('DELETE /v1/files/:digest', { params: { digest } });
    await print.show({ digest, deleted: true }, () => [`deleted ${digest}`]);
    return EXIT.done;
  },
});

export const files: Family = {
  summary: 'archives, scripts and other content that the center keeps',
  verbs: { list, put, get, delete: remove },
};

async function opened(path: string): Promise<FileHandle> {
  try {
    if (!(await stat(path)).isFile()) throw new Error('it is no file');
    return await open(path, 'r');
  } catch (cause) {
    throw new Failure(EXIT.failed, `${path} cannot be read: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** Sends the parts that the center lacks. */
async function upload(
  client: Client,
  file: FileHandle,
  { name, signal }: { name: string; signal: AbortSignal },
): Promise<StoredFileAnswer> {
  const { sha256, bytes } = await digestOf(file, signal);
  const send = (range: string, body: Uint8Array) =>
    client.bytes('PUT /v1/files/:digest', {
      params: { digest: sha256 },
      query: { filename: name },
      headers: { 'content-range': range, 'content-type': 'application/octet-stream' },
      body,
    });
  let from = await client.uploaded(sha256);
  for (;;) {
    const part = await pieceOf(file, from, Math.min(PART_BYTES, bytes - from));
    const response = await send(part.length === 0 ? `bytes */${bytes}` : `bytes ${from}-${from + part.length - 1}/${bytes}`, part);
    const answer = (await response.json()) as StoredFileAnswer | { received: number };
    if (!('received' in answer)) return answer;
    from = answer.received;
  }
}

async function digestOf(file: FileHandle, signal: AbortSignal): Promise<{ sha256: string; bytes: number }> {
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256');
  let bytes = 0;
  for (;;) {
    signal.throwIfAborted();
    const piece = await pieceOf(file, bytes, PART_BYTES);
    if (piece.length === 0) return { sha256: hash.digest('hex'), bytes };
    hash.update(piece);
    bytes += piece.length;
  }
}

async function pieceOf(file: FileHandle, at: number, most: number): Promise<Uint8Array> {
  const piece = Buffer.allocUnsafe(most);
  const { bytesRead } = await file.read(piece, 0, most, at);
  return piece.subarray(0, bytesRead);
}

/** Under a temporary name until it is whole. Resolves with its bytes. */
async function save(response: Response, path: string, sha256: string): Promise<number> {
  const partial = `${path}.partial`;
  const file = await open(partial, 'w');
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      hash.update(piece);
      bytes += piece.length;
      await file.writeFile(piece);
    }
    if (hash.digest('hex') !== sha256) throw new Failure(EXIT.failed, 'the download is damaged or broke off; try again');
    await file.close();
    await rename(partial, path);
    return bytes;
  } catch (error) {
    await file.close().catch(() => {});
    await rm(partial, { force: true });
    throw error;
  }
}
