/** The center itself: health, readiness, metrics, API reference. */
import { z } from 'zod';
import { endpoints } from './endpoint.ts';
import { field } from './fields.ts';

export const healthEndpoints = endpoints({
  'GET /v1/health': {
    tag: 'center',
    access: 'public',
    summary: 'The process runs.',
    answers: () => z.object({ status: field(z.literal('ok'), 'always ok', { example: 'ok' }) }),
  },
  'GET /v1/ready': {
    tag: 'center',
    access: 'public',
    summary: 'Store and partitions serve; else 503 with the reason. The store is probed at most once a second.',
    answers: () =>
      z.object({
        status: field(z.literal('ready'), 'always ready', { example: 'ready' }),
        detail: field(z.array(z.string()), 'What needs attention although the center serves.', {
          example: ['the disk of the data directory is 95 % full'],
        }).optional(),
      }),
  },
});

export const metricEndpoints = endpoints({
  'GET /v1/metrics': {
    tag: 'center',
    access: 'user',
    scope: 'metrics',
    summary: 'Metrics of this center for Prometheus, which sends a token as `Authorization: Bearer`.',
    answers: { 'text/plain': () => z.string() },
  },
});

export const referenceEndpoints = endpoints({
  'GET /v1/openapi.json': {
    tag: 'center',
    access: 'public',
    summary: 'This reference for programs: OpenAPI 3.1.',
    answers: () => z.looseObject({ openapi: field(z.literal('3.1.0'), 'version of OpenAPI', { example: '3.1.0' }) }),
  },
  'GET /v1/reference': {
    tag: 'center',
    access: 'public',
    summary: 'This reference as a page for people.',
    answers: { 'text/html': () => z.string() },
  },
});
