/** `/cloudtask/v2/files`: archives of jobs. */
import { type Route, serving } from '../../http/route.ts';
import type { Stored } from '../../services/files/index.ts';
import { readDigest, sendFile, storeFile, storePart } from '../commands/files.ts';
import type { RouteContext } from '../route-context.ts';
import { accepted, succeeded } from './answers.ts';
import { jobFileEndpoints } from './endpoints.ts';

const on = serving(jobFileEndpoints);

export const jobFileRoutes = ({ files }: RouteContext): Route[] => [
  on('POST /cloudtask/v2/files', async ({ query: { filename }, c }) =>
    answerOf(await storeFile(files, { name: filename, request: c.req.raw })),
  ),
  on('PUT /cloudtask/v2/files/:digest', async ({ params, query: { filename }, c }) =>
    answerOf(await storePart(files, { sha256: readDigest(params.digest, 'sha256'), name: filename, request: c.req.raw })),
  ),
  on('GET /cloudtask/v2/files/:digest', ({ params, c }) => sendFile(files, readDigest(params.digest), c.req.raw)),
];

function answerOf(stored: Stored | { received: number }): Response {
  const headers = { 'content-type': 'application/json; charset=utf-8' };
  if ('received' in stored) return Response.json(accepted(stored), { status: 202, headers });
  const { name, md5, sha256, bytes } = stored.file;
  const file = { filename: name, filecode: md5, sha256, size: bytes };
  return Response.json(succeeded({ file }), { status: stored.isNew ? 201 : 200, headers });
}
