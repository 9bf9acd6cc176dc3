/** `/v1/files`: uploads in one piece and in parts, downloads with ranges. */
import { Problem } from '../../http/errors.ts';
import { type Route, serving } from '../../http/route.ts';
import { fileEndpoints, type StoredFileAnswer } from '../../protocol/rest/file.ts';
import type { StoredFile } from '../../store/file-port.ts';
import { readDigest, sendFile, storeFile, storePart } from '../commands/files.ts';
import { toIso } from '../iso.ts';
import type { RouteContext } from '../route-context.ts';

const fileShape = ({ name, sha256, md5, bytes, uploadedAt }: StoredFile): StoredFileAnswer => ({
  name,
  sha256,
  filecode: md5,
  size: bytes,
  uploadedAt: toIso(uploadedAt),
});

const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' };

const on = serving(fileEndpoints);

export function fileRoutes(center: RouteContext): Route[] {
  const { files } = center;

  return [
    on('GET /v1/files', async ({ query: { limit, cursor, name } }) => {
      const after = cursor === undefined ? undefined : positionIn(cursor);
      const found = await files.list({ limit: limit + 1, ...(name === undefined ? {} : { name }), ...(after && { after }) });
      const items = found.slice(0, limit);
      const last = items.at(-1);
      return { items: items.map(fileShape), next: found.length > limit && last ? cursorAt(last) : null };
    }),
    on('POST /v1/files', async ({ query: { filename }, c }) => {
      const { file, isNew } = await storeFile(files, { name: filename, request: c.req.raw });
      return Response.json(fileShape(file), { status: isNew ? 201 : 200, headers: JSON_TYPE });
    }),
    on('PUT /v1/files/:digest', async ({ params, query: { filename }, c }) => {
      const stored = await storePart(files, { sha256: readDigest(params.digest, 'sha256'), name: filename, request: c.req.raw });
      if ('received' in stored) return Response.json(stored, { status: 202, headers: JSON_TYPE });
      return Response.json(fileShape(stored.file), { status: stored.isNew ? 201 : 200, headers: JSON_TYPE });
    }),
    on('GET /v1/files/:digest', ({ params, c }) => sendFile(files, readDigest(params.digest), c.req.raw)),
    on('DELETE /v1/files/:digest', async ({ params }) => {
      const digest = readDigest(params.digest);
      const file = await files.stat(digest);
      if (!file) throw new Problem('notFound', `file not found: ${digest}`);
      await files.remove(file.sha256);
    }),
  ];
}

type Position = Pick<StoredFile, 'uploadedAt' | 'sha256' | 'name'>;

const cursorAt = ({ uploadedAt, sha256, name }: Position): string =>
  Buffer.from(JSON.stringify([uploadedAt, sha256, name])).toString('base64url');

function positionIn(cursor: string): Position {
  const wrong = (cause?: unknown) => new Problem('invalid', 'cursor is not a cursor of this list.', { field: 'cursor', cause });
  let position: unknown;
  try {
    position = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch (cause) {
    throw wrong(cause);
  }
  const [uploadedAt, sha256, name, ...more] = Array.isArray(position) ? (position as unknown[]) : [];
  if (typeof uploadedAt !== 'number' || typeof sha256 !== 'string' || typeof name !== 'string' || more.length > 0) throw wrong();
  return { uploadedAt, sha256, name };
}
