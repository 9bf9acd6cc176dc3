/** What `/v1` tells of an execution and its output. */
import { z } from 'zod';
import { Quarantine } from './quarantine.ts';
import { count, moment } from './responses.ts';

export const Outcome = z.enum(['succeeded', 'failed', 'timedOut', 'cancelled', 'lost']);

/** How an attempt stands or ended. */
const attempt = {
  attempt: count(),
  host: z.string().nullable().describe('its id'),
  hostName: z.string().nullable(),
  outcome: Outcome.nullable(),
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  startedAt: moment().nullable(),
  finishedAt: moment().nullable(),
  reason: z.string().nullable(),
};

const Shard = z
  .object({
    item: count(),
    parameter: z.string(),
    status: z.enum(['waiting', 'starting', 'running', 'ending', 'done']),
    ...attempt,
    notBefore: moment().nullable().describe('not before this instant does the next attempt ask for room'),
    output: z
      .object({
        stdoutBytes: count(),
        stderrBytes: count(),
        leftOutBytes: count().describe(
          'bytes of both streams that the log does not have: beyond its limits, dropped on the host, removed, or not here 30 s after the end',
        ),
      })
      .nullable(),
    past: z.array(z.object(attempt)).describe('earlier attempts, oldest first'),
  })
  .meta({ id: 'Shard' });

export const Execution = z
  .object({
    id: z.string(),
    job: z.string(),
    trigger: z.enum(['schedule', 'api', 'misfire', 'retry']),
    dueAt: moment().nullable(),
    retryOf: z.string().nullable(),
    createdAt: moment(),
    startedAt: moment().nullable(),
    finishedAt: moment().nullable(),
    status: z.enum(['pending', 'running', 'cancelling', 'done']),
    outcome: Outcome.nullable(),
    reason: z.string().nullable(),
    quarantine: Quarantine,
    pool: z.string(),
    app: z.string().nullable(),
    shards: z.array(Shard),
    rev: count(),
  })
  .meta({ id: 'Execution' });

/** What a POST that starts something answers. */
export const Started = z.object({ execution: z.string() }).meta({ id: 'Started' });

export const OutputLine = z
  .object({
    seq: count().describe('counts up within a shard over all attempts; `after` goes on behind it'),
    at: moment(),
    stream: z.enum(['stdout', 'stderr']),
    text: z.string(),
    leftOut: count().optional().describe('bytes of this stream that are not kept, between the line before and the one behind'),
    item: count().describe('the shard'),
    attempt: count(),
  })
  .meta({ id: 'OutputLine' });
