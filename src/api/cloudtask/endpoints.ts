/**
 * Every operation of the Cloudtask dialect: what a request holds and what it answers. The handler,
 * the reference and the check of every answer in the tests follow these declarations.
 */
import { z } from 'zod';
import { endpoints } from '../../protocol/rest/endpoint.ts';
import { digits, field } from '../../protocol/rest/fields.ts';
import { BinaryContent, UploadQuery } from '../../protocol/rest/file.ts';
import { AcceptedPart, JobsAlloc, Servers, Succeeded, UploadedFile } from './answers.ts';
import { JobBase, JobPage, OneJob, STATS } from './job-answers.ts';
import { JobChangeBody, NewJobBody } from './job-body.ts';
import { Ping } from './ping-answer.ts';
import { OneRuntime, Runtimes } from './runtime-answers.ts';
import { NewRuntimeBody, RuntimeChangeBody } from './runtime-body.ts';

export const pingEndpoints = endpoints({
  'GET /cloudtask/v2/_ping': {
    tag: 'cloudtask center',
    access: 'user',
    summary: 'The center and its configuration, without secrets.',
    answers: Ping,
  },
});

export const runtimeEndpoints = endpoints({
  'GET /cloudtask/v2/runtimes': { tag: 'cloudtask runtimes', access: 'user', summary: 'All runtimes, by name.', answers: Runtimes },
  'POST /cloudtask/v2/runtimes': {
    tag: 'cloudtask runtimes',
    access: 'user',
    summary: 'Creates a runtime.',
    takesKey: true,
    body: NewRuntimeBody,
    answers: OneRuntime,
    status: 201,
  },
  'GET /cloudtask/v2/runtimes/:runtime': { tag: 'cloudtask runtimes', access: 'user', summary: 'One runtime.', answers: OneRuntime },
  'PUT /cloudtask/v2/runtimes/:runtime': {
    tag: 'cloudtask runtimes',
    access: 'user',
    summary: 'Changes the given fields of a runtime; one that equals the answer of GET changes nothing.',
    body: RuntimeChangeBody,
    answers: OneRuntime,
  },
  'DELETE /cloudtask/v2/runtimes/:runtime': {
    tag: 'cloudtask runtimes',
    access: 'user',
    summary: 'Deletes a runtime without hosts and jobs.',
    answers: Succeeded,
  },
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

const stat = z
  .enum(STATS.map(String), `one of ${STATS.join(', ')}`)
  .transform(value => Number(value) as (typeof STATS)[number])
  .meta({ written: { type: 'integer', enum: [...STATS] } });
const pageIndex = field(digits(1, 1_000_000), 'which page, from 1', { example: 1 }).default(1);
const pageSize = field(digits(1, 200), 'jobs of a page', { example: 20 }).default(20);

const JobsQuery = z.object({
  runtime: field(z.string('a name'), 'only those of a runtime', { example: 'myCluster' }).optional(),
  group: field(z.string('a group'), 'only those of a group', { example: 'web' }).optional(),
  stat: field(stat, 'only those with this `stat`: 202 waiting for a host, 200 running, 0 idle, -1 failed', { example: 0 }).optional(),
  q: field(z.string('a text'), 'part of the name in any case, or the whole jobid', { example: 'shipping' }).optional(),
  pageIndex,
  pageSize,
});

export const cloudtaskJobEndpoints = endpoints({
  'GET /cloudtask/v2/jobs': {
    tag: 'cloudtask jobs',
    access: 'user',
    summary: 'Jobs by name, page by page.',
    query: JobsQuery,
    answers: JobPage,
  },
  'POST /cloudtask/v2/jobs': {
    tag: 'cloudtask jobs',
    access: 'user',
    summary: 'Creates a job. Fields that only the center sets are ignored, so a document of the original can be sent unchanged.',
    takesKey: true,
    body: NewJobBody,
    answers: OneJob,
    status: 201,
  },
  'GET /cloudtask/v2/jobs/:jobid': { tag: 'cloudtask jobs', access: 'user', summary: 'One job.', answers: OneJob },
  'GET /cloudtask/v2/jobs/:jobid/base': {
    tag: 'cloudtask jobs',
    access: 'user',
    summary: 'What a host needs of a job, without an envelope.',
    answers: JobBase,
  },
  'PUT /cloudtask/v2/jobs/:jobid': {
    tag: 'cloudtask jobs',
    access: 'user',
    summary: 'Changes the given fields of a job; one that equals the answer of GET changes nothing.',
    body: JobChangeBody,
    answers: OneJob,
  },
  'DELETE /cloudtask/v2/jobs/:jobid': {
    tag: 'cloudtask jobs',
    access: 'user',
    summary: 'Deletes a job and ends its running executions.',
    answers: Succeeded,
  },
});
