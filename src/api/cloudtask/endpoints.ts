/**
 * Every operation of the Cloudtask dialect: what a request holds and what it answers. The handler,
 * the reference and the check of every answer in the tests follow these declarations.
 */
import { endpoints } from '../../protocol/rest/endpoint.ts';
import { JobsAlloc, Servers } from './answers.ts';
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
