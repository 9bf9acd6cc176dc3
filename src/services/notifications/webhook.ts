/**
 * A notification as a POST to a URL. The address rules of apps hold, no redirect is followed, and
 * of the answer the status alone counts.
 */
import { createHmac } from 'node:crypto';
import type { NoticeMessage, SendResult } from '../../../actors/notice/types.ts';
import { type CheckedRequest, ForbiddenAddress, requestChecked } from '../../lib/checked-request.ts';
import type { Clock } from '../../lib/clock.ts';
import { misfitOf, STRICT_RULES } from '../../lib/host-policy.ts';
import { createSemaphore } from '../../lib/semaphore.ts';
import type { Letter } from './letter.ts';

interface Webhook {
  url: string;
  /** Header `X-Troupe-Delivery`; a repeat has the same. */
  delivery: string;
  body: string;
}

export interface WebhookPort {
  /** Never rejects. */
  send(webhook: Webhook, signal: AbortSignal): Promise<SendResult>;
}

const AT_ONCE = 16;
/** Until its status. */
const ANSWER_MS = 15_000;

export function createWebhooks({
  clock,
  secret,
  request = requestChecked,
}: {
  clock: Clock;
  /** Of the signature; null: there is none. */
  secret: string | null;
  request?: CheckedRequest;
}): WebhookPort {
  const slots = createSemaphore(AT_ONCE);

  async function post({ url, delivery, body }: Webhook, signal: AbortSignal): Promise<SendResult> {
    const result = (outcome: SendResult['outcome'], reason: string | null): SendResult => ({ to: url, outcome, reason });
    const target = new URL(url);
    if (misfitOf(target, STRICT_RULES) !== undefined) return result('refused', FORBIDDEN);
    const timeout = new AbortController();
    const disarm = clock.after(ANSWER_MS, () => timeout.abort());
    try {
      const headers = headersOf(body, { delivery, secret, at: clock.now() });
      const answer = await request(target, { method: 'POST', headers, body, signal: AbortSignal.any([timeout.signal, signal]) });
      // Whatever else it sends is of no use.
      answer.cancel();
      return verdict(answer.status, result);
    } catch (problem) {
      if (problem instanceof ForbiddenAddress) return result('refused', FORBIDDEN);
      const reason = timeout.signal.aborted ? `did not answer within ${ANSWER_MS / 1_000} s` : `cannot be reached: ${codeOf(problem)}`;
      return result('failed', `the webhook ${reason}`);
    } finally {
      disarm();
    }
  }

  return { send: (webhook, signal) => slots.run(() => post(webhook, signal)) };
}

const FORBIDDEN = 'the webhook is at a link-local or metadata address, which is never allowed';

function verdict(status: number, result: (outcome: SendResult['outcome'], reason: string | null) => SendResult): SendResult {
  if (status >= 200 && status < 300) return result('sent', null);
  if (status >= 300 && status < 400) return result('refused', `the webhook answered ${status}: redirects are not followed`);
  // 408 and 429 ask for another try.
  const isFinal = status >= 400 && status < 500 && status !== 408 && status !== 429;
  return result(isFinal ? 'refused' : 'failed', `the webhook answered ${status}`);
}

/** The code alone: a message may repeat the URL, which may hold a secret. */
const codeOf = (problem: unknown): string => {
  const { code, name } = problem as { code?: unknown; name?: unknown };
  return String(code ?? name ?? 'no reason');
};

function headersOf(
  body: string,
  { delivery, secret, at }: { delivery: string; secret: string | null; at: number },
): Record<string, string> {
  const seconds = Math.floor(at / 1_000);
  const signature = secret === null ? null : createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    'user-agent': 'troupe',
    'x-troupe-delivery': delivery,
    ...(signature !== null && { 'x-troupe-signature': `t=${seconds},v1=${signature}` }),
  };
}

/** The same as a mail says. Instants in ISO 8601, spans in ms. */
export function webhookBody({ about, kind, id, count, entries, last }: NoticeMessage, { subject, content, output }: Letter): string {
  return JSON.stringify({
    delivery: id,
    kind,
    subject,
    content,
    ...(about.type === 'job' ? { job: about.name, runtime: about.pool } : { runtime: about.name }),
    count,
    ...entryJson(last),
    first: entryJson(entries[0] ?? last),
    output: output?.text ?? '',
  });
}

function entryJson(entry: NoticeMessage['last']) {
  const at = new Date(entry.at).toISOString();
  if (entry.type === 'host') return { host: entry.host, server: entry.name, address: entry.address, at };
  const { startedAt, host, outcome, exitCode, signal, reason, execution } = entry;
  return {
    execution,
    outcome,
    server: host,
    begin: startedAt === null ? null : new Date(startedAt).toISOString(),
    end: at,
    durationMs: startedAt === null ? null : entry.at - startedAt,
    exitCode,
    signal,
    reason,
  };
}
