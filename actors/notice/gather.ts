/**
 * Notices of one kind that come within a minute are folded into one delivery: how many, the first,
 * the last. A recipient gets one delivery per kind and minute, and the next one only when the one
 * before it has its outcome; meanwhile notices are folded.
 */
import type { EventOf } from '../types.ts';
import type { Gathering, NoticeContext, NoticeDelivery, NoticeEntry, Recipient } from './types.ts';

/** A recipient gets one delivery per kind within this. */
const APART_MS = 60_000;

/** Notices that wait, per actor; of more only the number and the newest are kept. */
export const WAITING_MAX = 100;

const pairKey = (kind: string, to: string): string => `${kind} ${to}`;

/** The next delivery has the text of its time: notices of another text are gathered apart. */
const isOfSameText = (gathering: Gathering, added: EventOf<'notice', 'notice.add'>): boolean =>
  gathering.kind === added.kind && gathering.subject === added.subject && gathering.content === added.content;

/** Adds a notice to what waits. */
export function gather(context: NoticeContext, added: EventOf<'notice', 'notice.add'>): NoticeContext {
  const { about, kind, subject, content, entry } = added;
  const covered = new Set<string>();
  let room = WAITING_MAX - waitingIn(context);
  const gatherings = context.gatherings.map(gathering => {
    if (!isOfSameText(gathering, added) || !gathering.to.every(to => added.to.includes(to))) return gathering;
    for (const to of gathering.to) covered.add(to);
    room -= 1;
    return folded(gathering, 1, room >= 0 ? [entry] : [], entry);
  });
  const to = added.to.filter(each => !covered.has(each));
  if (to.length === 0) return { ...context, gatherings };
  if (gatherings.length < WAITING_MAX) {
    return { ...context, gatherings: [...gatherings, { about, kind, subject, content, to, count: 1, entries: [entry], last: entry }] };
  }
  return { ...context, gatherings: intoLast(gatherings, to, entry) };
}

/** Its settings changed too often while nothing could be sent: the newest text counts. */
function intoLast(gatherings: Gathering[], to: string[], entry: NoticeEntry): Gathering[] {
  const last = gatherings.at(-1) as Gathering;
  return [...gatherings.slice(0, -1), folded({ ...last, to: [...new Set([...last.to, ...to])] }, 1, [], entry)];
}

function folded(gathering: Gathering, count: number, entries: NoticeEntry[], last: NoticeEntry): Gathering {
  return { ...gathering, count: gathering.count + count, entries: [...gathering.entries, ...entries], last };
}

const waitingIn = ({ gatherings, deliveries }: NoticeContext): number =>
  [...gatherings, ...deliveries.map(({ message }) => message)].reduce((sum, { entries }) => sum + entries.length, 0);

/** Composes a delivery of what is due, for the recipients that may get one. */
export function compose(before: NoticeContext, at: number): NoticeContext {
  const recent = Object.fromEntries(Object.entries(before.recent).filter(([, sentAt]) => sentAt + APART_MS > at));
  let context: NoticeContext = { ...before, recent, gatherings: [] };
  for (const gathering of before.gatherings) {
    const free = freeOf(context, gathering);
    const isDue = free.length > 0 && dueOf(context, gathering, free) <= at;
    const rest = isDue ? gathering.to.filter(to => !free.includes(to)) : gathering.to;
    if (isDue) context = delivered(context, { ...gathering, to: free }, at);
    if (rest.length > 0) context = { ...context, gatherings: [...context.gatherings, { ...gathering, to: rest }] };
  }
  return context;
}

function delivered(context: NoticeContext, folded: Gathering, at: number): NoticeContext {
  const delivery = context.delivery + 1;
  const isReading = hasOutput(folded.last);
  const recipients = folded.to.map((to): Recipient => ({ to, failures: 0, retryAt: isReading ? null : at, round: 0, slot: null }));
  const id = `${context.name}:${context.createdAt.toString(36)}-${delivery}`;
  const composed: NoticeDelivery = { message: { ...folded, delivery, id, at, output: null }, isReading, recipients };
  return { ...marked(context, folded.kind, folded.to, at), delivery, deliveries: [...context.deliveries, composed] };
}

const hasOutput = (entry: NoticeEntry): boolean => entry.type === 'run' && entry.host !== null && entry.outputBytes !== 0;

export const marked = (context: NoticeContext, kind: string, to: string[], at: number): NoticeContext => ({
  ...context,
  recent: { ...context.recent, ...Object.fromEntries(to.map(each => [pairKey(kind, each), at])) },
});

/** Recipients whose delivery of this kind before has its outcome. */
function freeOf({ deliveries }: NoticeContext, { kind, to }: Gathering): string[] {
  const busy = new Set(deliveries.filter(({ message }) => message.kind === kind).flatMap(each => each.recipients.map(one => one.to)));
  return to.filter(each => !busy.has(each));
}

const dueOf = ({ recent }: NoticeContext, { kind }: Gathering, free: string[]): number =>
  Math.max(...free.map(to => (recent[pairKey(kind, to)] ?? Number.NEGATIVE_INFINITY) + APART_MS));

/** When something is composed or tried next, epoch ms; null: nothing waits for an instant. */
export function nextAt(context: NoticeContext): number | null {
  const retries = context.deliveries.flatMap(({ recipients }) => recipients.flatMap(({ retryAt }) => retryAt ?? []));
  const composed = context.gatherings.flatMap(gathering => {
    const free = freeOf(context, gathering);
    return free.length > 0 ? [dueOf(context, gathering, free)] : [];
  });
  const all = [...retries, ...composed];
  return all.length > 0 ? Math.min(...all) : null;
}
