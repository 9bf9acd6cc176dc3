/** Operations about logs and messages. */
import { z } from 'zod';
import { endpoints } from '../../protocol/rest/endpoint.ts';
import { digits, field } from '../../protocol/rest/fields.ts';
import { Accepted } from './answers.ts';
import { LogPage } from './log-answers.ts';
import { LOG_LIMITS, LogBody } from './log-body.ts';
import { AnyMessage, MessageBody } from './message-body.ts';

const momentRule = 'epoch ms, or a time such as 2026-11-22T08:00:00Z';
const moment = z
  .string(momentRule)
  .refine(written => Number.isFinite(momentIn(written)), momentRule)
  .transform(momentIn)
  .meta({ written: { type: 'string' } });

function momentIn(written: string): number {
  if (/^\d{1,16}$/.test(written)) return Number(written);
  // A plus sign in a query is a space.
  const time = z.iso.datetime({ offset: true }).safeParse(written.replace(' ', '+'));
  return time.success ? Date.parse(time.data.replace(/(\.\d{3})\d+/, '$1')) : Number.NaN;
}

const stat = z
  .enum(['0', '-1'], '0 or -1')
  .transform(value => (value === '0' ? 0 : -1))
  .meta({ written: { type: 'integer', enum: [0, -1] } });

const LogsQuery = z.object({
  from: field(moment, 'only those that ended then or later', { example: '2026-11-22T08:00:00Z' }).optional(),
  to: field(moment, 'only those that ended then or earlier', { example: '1763798400000' }).optional(),
  stat: field(stat, '0: only those that went well or were stopped; -1: only those that failed', { example: -1 }).optional(),
  pageIndex: field(digits(1, 1_000_000), 'which page, from 1', { example: 1 }).default(1),
  pageSize: field(digits(1, 200), 'logs of a page', { example: 20 }).default(20),
});

export const cloudtaskLogEndpoints = endpoints({
  'POST /cloudtask/v2/logs': {
    tag: 'cloudtask logs',
    access: 'user',
    summary:
      'Keeps a log of a run elsewhere; a second one of the same `msgid` changes nothing. At most 100 logs and messages per second and job.',
    body: LogBody,
    bodyLimits: LOG_LIMITS,
    answers: Accepted,
    status: 202,
  },
  'GET /cloudtask/v2/jobs/:jobid/logs': {
    tag: 'cloudtask logs',
    access: 'user',
    summary: 'Ended executions of the job and logs that were posted, newest end first, page by page.',
    query: LogsQuery,
    answers: LogPage,
  },
});

export const messageEndpoints = endpoints({
  'POST /cloudtask/v2/messages': {
    tag: 'cloudtask logs',
    access: 'user',
    summary:
      'Takes a message of an agent or of the web server of the original: the former becomes a fact of its job, the latter has the table of its runtime checked. Nothing else changes, and others are passed over.',
    body: MessageBody,
    documentedBody: AnyMessage,
    answers: Accepted,
    status: 202,
  },
});
