/** What a notice actor decides, event by event. */
import type { Decision } from '../decision.ts';
import type { Effect, EventOf, NoticeEvent, NoticeFact } from '../types.ts';
import { compose, gather, marked, nextAt } from './gather.ts';
import type { NoticeContext, NoticeDelivery, Recipient, RunNotice, SendResult } from './types.ts';

type Decided = Decision<NoticeContext, NoticeFact>;
type Event<T extends NoticeEvent['type']> = EventOf<'notice', T>;
export type NoticeDecider = (context: NoticeContext, event: never) => Decided;

/** Before a delivery is tried again, ms: doubling, up to the longest. */
const BACKOFF_MS = 1_000;
const BACKOFF_MAX_MS = 600_000;
/** After this a delivery is given up, ms. */
export const GIVE_UP_MS = 86_400_000;

export const retryDelayMs = (failures: number): number => Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** Math.min(30, failures - 1));

const initialContext = (input: Event<'notice.add'>): NoticeContext => ({
  name: input.about.type === 'job' ? input.about.name : `pool:${input.about.name}`,
  delivery: 0,
  round: 0,
  gatherings: [],
  deliveries: [],
  recent: {},
  createdAt: input.at,
});

const created = (context: NoticeContext, { input }: { input: Event<'notice.add'> }): Decided => added(context, input);

const added = (context: NoticeContext, event: Event<'notice.add'>): Decided => proceed(gather(context, event), event.at);

const due = (context: NoticeContext, event: Event<'notice.due'>): Decided => proceed(context, event.at);

/** Composes and sends what is due, and arms the timer of what is not. */
function proceed(before: NoticeContext, at: number, facts: NoticeFact[] = []): Decided {
  const context = compose(before, at);
  const effects: Effect[] = [];
  let { round } = context;
  const known = new Set(before.deliveries.map(({ message }) => message.delivery));
  const deliveries = context.deliveries.map((delivery): NoticeDelivery => {
    if (delivery.isReading && !known.has(delivery.message.delivery)) effects.push(readOutput(delivery));
    const now = delivery.recipients.filter(({ retryAt }) => retryAt !== null && retryAt <= at);
    if (now.length === 0) return delivery;
    round += 1;
    const recipients = now.map(({ to, slot }) => ({ to, slot }));
    effects.push({ type: 'send', params: { round, message: delivery.message, recipients } });
    return { ...delivery, recipients: delivery.recipients.map(each => (now.includes(each) ? { ...each, retryAt: null, round } : each)) };
  });
  const next = { ...context, round, deliveries };
  return { context: next, effects, facts, timers: [{ id: 'due', dueAt: nextAt(next), event: { type: 'notice.due' } }] };
}

function readOutput({ message: { delivery, last } }: NoticeDelivery): Effect {
  const { execution, item, attempt, outputBytes } = last as RunNotice;
  return { type: 'readOutput', params: { delivery, execution, item, attempt, bytes: outputBytes } };
}

/** Its output is there: the delivery is complete, and never changes again. */
function outputRead(context: NoticeContext, { delivery, output, at }: Event<'notice.outputRead'>): Decided {
  const isMeant = (each: NoticeDelivery) => each.message.delivery === delivery && each.isReading;
  if (!context.deliveries.some(isMeant)) return {};
  const deliveries = context.deliveries.map(each =>
    isMeant(each)
      ? { message: { ...each.message, output }, isReading: false, recipients: each.recipients.map(one => ({ ...one, retryAt: at })) }
      : each,
  );
  return proceed({ ...context, deliveries }, at);
}

/** The outcome of a round. A repeat changes nothing: its recipients are in no round any more. */
function answered(context: NoticeContext, event: Event<'notice.answered'>): Decided {
  const delivery = context.deliveries.find(({ message }) => message.delivery === event.delivery);
  const tried = delivery?.recipients.filter(({ round, retryAt }) => round === event.round && retryAt === null) ?? [];
  if (!delivery || tried.length === 0) return {};
  const results = new Map(event.results.map(result => [result.to, result]));
  const outcomes = tried.map(recipient => outcomeOf(delivery, recipient, results.get(recipient.to), event.at));
  const recipients = delivery.recipients.flatMap(each => {
    const outcome = outcomes.find(({ before }) => before === each);
    return outcome ? (outcome.after ?? []) : each;
  });
  const deliveries =
    recipients.length === 0
      ? context.deliveries.filter(each => each !== delivery)
      : context.deliveries.map(each => (each === delivery ? { ...delivery, recipients } : each));
  const sent = outcomes.filter(({ type }) => type === 'sent').map(({ before }) => before.to);
  const next = marked({ ...context, deliveries }, delivery.message.kind, sent, event.at);
  return proceed(next, event.at, factsOf(context, delivery, outcomes));
}

interface Outcome {
  type: 'sent' | 'tried' | 'failed';
  before: Recipient;
  /** Absent: it is done with. */
  after?: Recipient;
  reason: string | null;
}

function outcomeOf({ message }: NoticeDelivery, before: Recipient, result: SendResult | undefined, at: number): Outcome {
  const { outcome, reason, slot = null } = result ?? { outcome: 'failed', reason: 'it has no outcome' };
  if (outcome === 'sent') return { type: 'sent', before, reason: null };
  if (outcome === 'refused') return { type: 'failed', before, reason };
  const end = message.at + GIVE_UP_MS;
  if (at >= end) return { type: 'failed', before, reason: `given up after 24 h: ${reason}` };
  const failures = before.failures + (outcome === 'limited' ? 0 : 1);
  const retryAt = outcome === 'limited' && slot !== null ? Math.max(slot, at + BACKOFF_MS) : at + retryDelayMs(Math.max(1, failures));
  return { type: 'tried', before, after: { ...before, failures, slot, retryAt: Math.min(retryAt, end) }, reason };
}

/** One fact for all recipients with the same outcome. */
function factsOf({ name }: NoticeContext, { message }: NoticeDelivery, outcomes: Outcome[]): NoticeFact[] {
  const groups = Map.groupBy(outcomes, ({ type, reason, after }) => `${type} ${after?.retryAt} ${reason}`);
  const { delivery, kind, count } = message;
  return [...groups.values()].map(([first, ...others]): NoticeFact => {
    const { type, reason, after } = first as Outcome;
    const to = [first as Outcome, ...others].map(({ before }) => shownAddress(before.to));
    const about = { notice: name, delivery, kind, to, count };
    if (type === 'sent') return { type: 'notification.sent', ...about };
    if (type === 'failed') return { type: 'notification.failed', ...about, reason: reason ?? '' };
    return { type: 'notification.tried', ...about, reason: reason ?? '', retryAt: new Date(after?.retryAt ?? 0).toISOString() };
  });
}

/** A webhook without what may be a secret: user, path and query. */
export function shownAddress(to: string): string {
  const [, scheme, host] = /^(https?:\/\/)(?:[^/?#]*@)?([^/?#]+)/i.exec(to) ?? [];
  return host === undefined ? to : `${scheme}${host}/…`;
}

/** Accepted without a change. (Without an action XState would refuse it.) */
const accepted = (): Decided => ({});

export const noticeDecisions = { initialContext, created, added, due, outputRead, answered, accepted };
