/**
 * Sends notifications: one mail to all recipients of a delivery, one POST to each webhook. Owns the
 * limit per recipient over all jobs; back-off and giving up belong to the actor.
 */
import type { NoticeMessage, NoticeOutput, SendResult } from '../../../actors/notice/types.ts';
import { type Backoff, createGrowingDelay } from '../../lib/backoff.ts';
import { createBoundedMap } from '../../lib/bounded-map.ts';
import { type Clock, pause } from '../../lib/clock.ts';
import { createSemaphore } from '../../lib/semaphore.ts';
import { createSingleFlight } from '../../lib/single-flight.ts';
import type { NoticeOrder, Notifier, OutputOrder } from '../../runtime/notifier.ts';
import type { OutputStore } from '../../store/port.ts';
import type { AttemptName } from '../output/attempt.ts';
import { accountedBytes } from '../output/read.ts';
import { tailOf } from '../output/tail.ts';
import { letterOf } from './letter.ts';
import { type MailPort, mailHtml, mailText, messageIdOf } from './mail.ts';
import { createRecipientLimit } from './recipient-limit.ts';
import { type WebhookPort, webhookBody } from './webhook.ts';

/** Of the output that a notification has. */
const OUTPUT_BYTES = 8 * 1024;
/** How long it may come after the end of its run, and how often it is looked for. */
const OUTPUT_WAIT_MS = 5_000;
const LOOK_AGAIN: Backoff = { baseMs: 20, capMs: 500 };
/** Outputs that are read at a time. */
const READERS = 32;
/** Rounds whose outcome is kept: a worker that was replaced asks for the last ones again. */
const ROUNDS_KEPT = 1_000;

export interface NotificationService extends Notifier {
  /** Ends what is being sent; it stays pending. Idempotent. */
  stop(): void;
}

export interface NotificationParts {
  clock: Clock;
  output: Pick<OutputStore, 'output'>;
  /** Null: mail is not sent. */
  mail: MailPort | null;
  /** Of the sender's address. */
  domain: string;
  webhooks: WebhookPort;
  /** Deliveries to one recipient, over all jobs. */
  perMinute: number;
}

export function createNotificationService(parts: NotificationParts): NotificationService {
  const { clock, output, mail, domain, webhooks, perMinute } = parts;
  const limit = createRecipientLimit({ clock, perMinute });
  const flights = createSingleFlight<SendResult[] | null>();
  const done = createBoundedMap<string, SendResult[]>({ max: ROUNDS_KEPT });
  const readers = createSemaphore(READERS);
  const stopping = new AbortController();

  async function sendNow({ message, recipients }: NoticeOrder): Promise<SendResult[]> {
    const unsent = recipients.filter(({ to }) => mail === null && isMail(to));
    const wanted = recipients.filter(each => !unsent.includes(each)).map(({ to, slot }) => ({ to, slot: limit.take(to, slot) }));
    const now = wanted.flatMap(({ to, slot }) => (slot === null ? [to] : []));
    const results = now.length > 0 ? await sendTo(message, now) : [];
    for (const { to, outcome } of results) if (outcome !== 'sent') limit.giveBack(to);
    return [
      ...results,
      ...unsent.map(({ to }): SendResult => ({ to, outcome: 'refused', reason: 'mail is not sent: TROUPE_SMTP is not set' })),
      ...wanted.flatMap(({ to, slot }): SendResult[] =>
        slot === null ? [] : [{ to, outcome: 'limited', slot, reason: `it gets at most ${perMinute} notifications a minute` }],
      ),
    ];
  }

  async function sendTo(message: NoticeMessage, to: string[]): Promise<SendResult[]> {
    const letter = letterOf(message);
    const delivery = `notice/${message.id}`;
    const { signal } = stopping;
    const mailed = to.filter(isMail);
    const whole = () => ({
      ...{ messageId: messageIdOf(message, domain), delivery, date: new Date(message.at), subject: letter.subject },
      ...{ text: mailText(letter), html: mailHtml(letter), to: message.to.filter(isMail), recipients: mailed },
    });
    const body = webhookBody(message, letter);
    const sent = await Promise.all([
      ...(mail && mailed.length > 0 ? [mail.send(whole(), signal)] : []),
      ...to.filter(each => !isMail(each)).map(async url => [await webhooks.send({ url, delivery, body }, signal)]),
    ]);
    return sent.flat();
  }

  /** Output comes apart from the end of its run, and sometimes after it. */
  async function outputOf({ bytes, ...attempt }: OutputOrder): Promise<NoticeOutput | null | undefined> {
    const until = clock.monotonic() + OUTPUT_WAIT_MS;
    const delay = createGrowingDelay(LOOK_AGAIN);
    for (;;) {
      if (stopping.signal.aborted) return undefined;
      try {
        if (bytes === null || clock.monotonic() >= until || (await isComplete(attempt, bytes))) {
          const tail = await tailOf(output, attempt, OUTPUT_BYTES);
          return tail.text === '' ? null : tail;
        }
      } catch {
        // The store is away, and says so itself.
      }
      await pause(clock, delay.next(), stopping.signal);
    }
  }

  async function isComplete(attempt: AttemptName, bytes: number): Promise<boolean> {
    const { stdout, stderr } = await accountedBytes(output, attempt);
    return stdout + stderr >= bytes;
  }

  return {
    readOutput: order => readers.run(() => outputOf(order)),
    async send(order) {
      const key = `${order.from} ${order.message.id} ${order.round}`;
      const known = done.get(key);
      if (known) return known;
      return flights.join(key, async () => {
        if (stopping.signal.aborted) return null;
        const results = await sendNow(order);
        if (stopping.signal.aborted && results.some(({ outcome }) => outcome !== 'sent')) return null;
        done.set(key, results);
        return results;
      });
    },
    stop: () => stopping.abort(),
  };
}

const isMail = (to: string): boolean => !/^https?:\/\//i.test(to);
