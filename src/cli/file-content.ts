/** The content of a file of this machine: its digests, and its upload in parts. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { StoredFileAnswer } from '../protocol/rest/file.ts';
import type { Client } from './client.ts';
import { EXIT, Failure } from './failure.ts';

/** Bytes of one part of an upload: what is lost when the connection breaks. */
const PART_BYTES = 8 * 1024 * 1024;

/** Throws Failure. */
export async function openedFile(path: string): Promise<FileHandle> {
  try {
    if (!(await stat(path)).isFile()) throw new Error('it is no file');
    return await open(path, 'r');
  } catch (cause) {
    throw new Failure(EXIT.failed, `${path} cannot be read: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** Sends the parts that the center lacks. */
export async function uploadFile(
  client: Client,
  file: FileHandle,
  { name, signal }: { name: string; signal: AbortSignal },
): Promise<StoredFileAnswer> {
  const { sha256, bytes } = await digestsOf(file, signal);
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

export async function digestsOf(file: FileHandle, signal: AbortSignal): Promise<{ sha256: string; md5: string; bytes: number }> {
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256');
  const code = createHash('md5');
  let bytes = 0;
  for (;;) {
    signal.throwIfAborted();
    const piece = await pieceOf(file, bytes, PART_BYTES);
    if (piece.length === 0) return { sha256: hash.digest('hex'), md5: code.digest('hex'), bytes };
    hash.update(piece);
    code.update(piece);
    bytes += piece.length;
  }
}

async function pieceOf(file: FileHandle, at: number, most: number): Promise<Uint8Array> {
  const piece = Buffer.allocUnsafe(most);
  const { bytesRead } = await file.read(piece, 0, most, at);
  return piece.subarray(0, bytesRead);
}
