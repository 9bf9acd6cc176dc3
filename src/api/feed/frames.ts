/** Facts as they go over the wire, and what a watcher may ask for. */
import { z } from 'zod';
import { actors } from '../../../actors/index.ts';
import { quotedValue } from '../../../actors/schedule/error.ts';
import type { FeedFilter } from '../../feed/filter.ts';
import type { FeedFrame as Frame } from '../../feed/watching.ts';
import { nearest } from '../../lib/suggest.ts';
import { Fact } from '../../protocol/rest/things.ts';
import type { PlacedFact } from '../../store/port.ts';

const text = z.string('a text').min(1, 'at least one character').max(300, 'at most 300 characters').optional();

const KINDS = Object.keys(actors);
const wordsOf = (text: string): string[] =>
  text
    .split(',')
    .map(word => word.trim())
    .filter(word => word !== '');

/** A word that is neither would be waited for in vain. */
const kinds = text.superRefine((written, context) => {
  const wrong = wordsOf(written ?? '').find(word => !KINDS.includes(word) && !/^[a-z]+\.[a-zA-Z]+$/.test(word));
  if (wrong === undefined) return;
  const meant = nearest(wrong, KINDS);
  const what = `${quotedValue(wrong)}${meant ? ` (did you mean ${meant}?)` : ''}`;
  const message = `kinds has ${what}, but must have kinds of actors (${KINDS.join(', ')}) or types of facts such as job.fired.`;
  context.addIssue({ code: 'custom', message });
});

export const FeedQuery = z.strictObject({
  /** Cursor; absent: from now on. */
  after: text,
  /** Kinds of actors or types of facts, with commas between them. */
  kinds,
  job: text,
  /** Id or name. */
  host: text,
  execution: text,
});

/** What a browser says first. */
export const TicketFrame = z.object({ type: z.literal('ticket'), ticket: z.string().max(200) });

/** Frames to a watcher. The second kind comes first, where facts behind `after` are deleted. */
export const FeedFrame = z
  .union([
    Fact,
    z.object({ type: z.literal('feed.truncated'), data: z.object({ from: z.string().describe('cursor of the oldest kept') }) }),
  ])
  .meta({ id: 'FeedFrame' });

export function filterOf({ kinds, job, host, execution }: z.output<typeof FeedQuery>): FeedFilter {
  return {
    ...(kinds === undefined ? {} : { kinds: wordsOf(kinds) }),
    ...(job === undefined ? {} : { job }),
    ...(host === undefined ? {} : { host }),
    ...(execution === undefined ? {} : { execution }),
  };
}

/** One fact goes to many watchers: its text is made once. */
const texts = new WeakMap<PlacedFact, string>();

export function textOf(frame: Frame): string {
  if (!('cursor' in frame)) return JSON.stringify(frame);
  const known = texts.get(frame);
  if (known !== undefined) return known;
  const { cursor, at, address, rev, type, data } = frame;
  const made = JSON.stringify({ cursor, at: new Date(at).toISOString(), address, rev, type, data });
  texts.set(frame, made);
  return made;
}
