/** A file of the center: content by its digest, under the names of its uploads. */
import { z } from 'zod';
import { endpoints } from './endpoint.ts';
import { field, once } from './fields.ts';
import { listOf, paging } from './lists.ts';
import { count, moment, words } from './responses.ts';

/** Names of files stand in paths of hosts. */
const FILE_NAME = /^[0-9A-Za-z_-][0-9A-Za-z._-]{0,199}$/;
const storedNameRule = 'a file name: 1 to 200 letters, digits, ".", "_" or "-", not beginning with a dot';
export const storedName = () => z.string(storedNameRule).regex(FILE_NAME, storedNameRule);

const SHA256 = 'a'.repeat(64);

const StoredFileAnswer = once(() =>
  z
    .object({
      name: words('its name', 'reports.tar.gz'),
      sha256: words('SHA-256 of the content; an app names it as `troupe:files/<sha256>`', SHA256),
      filecode: words('MD5 of the content, as clients of Cloudtask know it', 'd41d8cd98f00b204e9800998ecf8427e'),
      size: count('bytes', { unit: 'bytes', example: 1_048_576 }),
      uploadedAt: moment('when this content was last uploaded under this name'),
    })
    .meta({ id: 'File' }),
);
export type StoredFileAnswer = z.output<ReturnType<typeof StoredFileAnswer>>;

const Received = once(() =>
  z.object({ received: count('bytes of this upload that are there', { unit: 'bytes', example: 65_536 }) }).meta({ id: 'Received' }),
);

/** Query of an upload. */
export const UploadQuery = z.object({
  filename: field(storedName(), 'the name under which the content is stored', { example: 'reports.tar.gz' }),
});

/** Bytes of any kind. */
export const BinaryContent = () => z.string().meta({ format: 'binary' });

export const fileEndpoints = endpoints({
  'GET /v1/files': {
    tag: 'files',
    access: 'user',
    summary: 'Files, the last uploaded first.',
    query: z.object({
      ...paging,
      name: field(storedName(), 'only contents of this name', { example: 'reports.tar.gz', takes: 'NAME' }).optional(),
    }),
    answers: () => listOf(StoredFileAnswer()),
  },
  'POST /v1/files': {
    tag: 'files',
    access: 'user',
    summary: 'Stores the body as a file; 200 where just this content is there under this name.',
    query: UploadQuery,
    takesBytes: 'of at most `TROUPE_FILE_MB` megabytes, streamed',
    answers: { 'application/json': StoredFileAnswer },
    status: 201,
    also: { 200: StoredFileAnswer },
  },
  'PUT /v1/files/:digest': {
    tag: 'files',
    access: 'user',
    summary:
      'Stores a file of this SHA-256 in parts: `Content-Range: bytes a-b/total` continues what is there, `HEAD` has it as `Upload-Offset`. 202 until the file is whole.',
    query: UploadQuery,
    takesBytes: 'the whole file, or the part that `Content-Range` names',
    answers: { 'application/json': StoredFileAnswer },
    status: 201,
    also: { 200: StoredFileAnswer, 202: Received },
  },
  'GET /v1/files/:digest': {
    tag: 'files',
    access: 'user',
    scope: 'file',
    summary:
      'The content of this SHA-256 or MD5, whole or the `Range`. `HEAD` has its length, and the `Upload-Offset` of an incomplete one.',
    answers: { 'application/octet-stream': BinaryContent },
    also: { 206: BinaryContent },
    refusals: [416],
  },
  'DELETE /v1/files/:digest': {
    tag: 'files',
    access: 'user',
    summary: 'Deletes a content with all of its names. 409 while an app or a job names it.',
    answers: null,
    status: 204,
  },
});
