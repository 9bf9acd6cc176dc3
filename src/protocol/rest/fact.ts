/** Facts: the history of one actor, and the feed of all. */
import { z } from 'zod';
import { quotedValue } from '../../../actors/schedule/error.ts';
import type { Kind } from '../../../actors/types.ts';
import { commaList } from '../../lib/comma-list.ts';
import { nearest } from '../../lib/suggest.ts';
import { endpoints } from './endpoint.ts';
import { field, inOrder, instant, once } from './fields.ts';
import { listOf, order, paging } from './lists.ts';
import { created, moment, words } from './responses.ts';

/** A fact, as history keeps it and the feed carries it. */
const Fact = once(() =>
  z
    .object({
      cursor: words('continue behind it with `after`', 'WzcsMF0'),
      at: moment('when it was committed'),
      address: words('the actor', 'job/nightly'),
      rev: created().rev,
      type: words('what happened, past tense', 'job.triggered'),
      data: field(z.record(z.string(), z.unknown()), 'its values, by its type', {
        example: { execution: 'nightly@20261122T080000.000Z' },
      }),
    })
    .meta({ id: 'Fact' }),
);
export type Fact = z.output<ReturnType<typeof Fact>>;

export const historyEndpoints = endpoints({
  'GET /v1/history/:kind/:name': {
    tag: 'history',
    access: 'user',
    summary:
      'Every fact of one actor, oldest first unless `order` says newest, behind `after`, from `from` to before `to`. A host goes by its name, too, where only one has it.',
    query: z
      .object({
        limit: paging.limit,
        cursor: paging.cursor,
        after: field(paging.cursor.unwrap(), 'cursor of a fact: those behind it', { flag: null }).optional(),
        order,
        from: field(instant(), 'not earlier').optional(),
        to: field(instant(), 'earlier than').optional(),
      })
      .superRefine(inOrder),
    answers: () => listOf(Fact()),
  },
});

const text = z.string('a text').min(1, 'at least one character').max(300, 'at most 300 characters');

/** By name, so that none is left out: the machines themselves are more than a schema needs. */
const KINDS = Object.keys({ job: true, execution: true, app: true, host: true, pool: true, table: true, notice: true } satisfies Record<
  Kind,
  true
>);
const FACT = /^[a-z]+\.[a-zA-Z]+$/;

/** A watcher of an unknown type would never get a fact. */
const kinds = text
  .superRefine((written, context) => {
    const wrong = commaList(written).find(word => !KINDS.includes(word) && !FACT.test(word));
    if (wrong === undefined) return;
    const meant = nearest(wrong, KINDS);
    const what = `${quotedValue(wrong)}${meant ? ` (did you mean ${meant}?)` : ''}`;
    const message = `kinds has ${what}, but must have kinds of actors (${KINDS.join(', ')}) or types of facts such as job.fired.`;
    context.addIssue({ code: 'custom', message });
  })
  .meta({
    written: {
      type: 'array',
      items: {
        anyOf: [
          { type: 'string', enum: KINDS },
          { type: 'string', pattern: FACT.source },
        ],
      },
    },
  });

export const FeedQuery = z.strictObject({
  after: field(text, 'cursor of a fact: those behind it; default: from now on', {
    example: 'WzEyLDNd',
    takes: 'CURSOR',
    help: 'begin behind this fact instead of now (--json shows the cursors)',
  }).optional(),
  kinds: field(kinds, 'kinds of actors or types of facts, with commas between them', {
    example: ['host', 'job.fired'],
    takes: 'KIND,…',
    help: 'kinds of actors, or types of facts such as job.fired, with commas between them',
  }).optional(),
  job: field(text, 'only those of a job and its executions', { example: 'nightly', takes: 'JOB' }).optional(),
  host: field(text, 'only those of a host, by its id or its name', { example: 'web-1', takes: 'HOST' }).optional(),
  execution: field(text, 'only those of an execution', { example: 'nightly@20261122T080000.000Z', takes: 'EXECUTION' }).optional(),
});

/** The first frame of a browser. */
export const TicketFrame = z.object({
  type: field(z.literal('ticket'), 'what kind of frame it is', { example: 'ticket' }),
  ticket: field(z.string().max(200), 'the ticket of POST /v1/feed/tickets', { example: 'troupe_ticket_4f1c' }),
});

/**
 * Frames to a watcher. The second kind comes first, where facts behind `after` are no longer kept.
 */
export const FeedFrame = once(() =>
  z
    .union([
      Fact(),
      z.object({
        type: field(z.literal('feed.truncated'), 'facts behind `after` are no longer kept', { example: 'feed.truncated' }),
        data: field(z.object({ from: words('cursor of the oldest that is kept', 'WzEyLDNd') }), 'where the facts begin'),
      }),
    ])
    .meta({ id: 'FeedFrame' }),
);

export const feedEndpoints = endpoints({
  'GET /v1/feed': {
    tag: 'feed',
    access: 'user',
    summary: 'Facts as they happen, as server-sent events; as a WebSocket with the same query.',
    query: FeedQuery,
    answers: { 'text/event-stream': FeedFrame },
    refusals: [429],
  },
  'POST /v1/feed/tickets': {
    tag: 'feed',
    access: 'user',
    scope: 'read',
    summary: 'A ticket for one WebSocket of a browser: its first frame {"type":"ticket","ticket":…}, within 30 s.',
    body: z.strictObject({}).optional(),
    answers: () => z.object({ ticket: words('the ticket', 'troupe_ticket_4f1c'), expiresAt: moment('until when it may be used') }),
    status: 201,
  },
});
