/**
 * Every operation of the Cloudtask dialect: what a request holds and what it answers. The handler,
 * the reference and the check of every answer in the tests follow these declarations.
 */
import { endpoints } from '../../protocol/rest/endpoint.ts';
import { BinaryContent, UploadQuery } from '../../protocol/rest/file.ts';
import { AcceptedPart, JobsAlloc, Servers, UploadedFile } from './answers.ts';
import { Ping } from './ping-answer.ts';

export const pingEndpoints = endpoints({
  'GET /cloudtask/v2/_ping': {
    tag: 'cloudtask center',
    access: 'user',
    summary: 'The center and its configuration, without secrets.',
    answers: Ping,
  },
});

export const runtimeEndpoints = endpoints({
  'GET /cloudtask/v2/runtimes/:runtime/servers': {
    tag: 'cloudtask runtimes',
    access: 'user',
    summary: 'Hosts of the runtime that are ready or draining.',
    answers: Servers,
  },
  'GET /cloudtask/v2/runtimes/:runtime/jobsalloc': {
    tag: 'cloudtask runtimes',
    access: 'user',
    summary: 'The allocation table of the runtime.',
    answers: JobsAlloc,
  },
  'GET /cloudtask/v2/runtimes/:runtime/:server/jobsalloc': {
    tag: 'cloudtask runtimes',
    access: 'user',
    summary: 'Rows of the allocation table for one server, by its address or by its name in any case.',
    answers: JobsAlloc,
  },
});

export const jobFileEndpoints = endpoints({
  'POST /cloudtask/v2/files': {
    tag: 'cloudtask files',
    access: 'user',
    summary: 'Stores the body as a file; 200 where just this content is there under this name.',
    query: UploadQuery,
    takesBytes: 'of at most `TROUPE_FILE_MB` megabytes, streamed',
    answers: { 'application/json': UploadedFile },
    status: 201,
    also: { 200: UploadedFile },
  },
  'PUT /cloudtask/v2/files/:digest': {
    tag: 'cloudtask files',
    access: 'user',
    summary: 'Stores a file of this SHA-256 in parts: `Content-Range` continues what is there, `HEAD` has it as `Upload-Offset`.',
    query: UploadQuery,
    takesBytes: 'the whole file, or the part that `Content-Range` names',
    answers: { 'application/json': UploadedFile },
    status: 201,
    also: { 200: UploadedFile, 202: AcceptedPart },
  },
  'GET /cloudtask/v2/files/:digest': {
    tag: 'cloudtask files',
    access: 'user',
    summary: 'The content of this SHA-256 or MD5 (`filecode`), whole or the `Range`.',
    answers: { 'application/octet-stream': BinaryContent },
    also: { 206: BinaryContent },
    refusals: [416],
  },
});
