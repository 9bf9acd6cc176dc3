/** Frames of the feed as JSON text, and the filter of a watcher. */
import type { z } from 'zod';
import type { FeedFilter } from '../../feed/filter.ts';
import type { WatchFrame as Frame } from '../../feed/watching.ts';
import { commaList } from '../../lib/comma-list.ts';
import type { FeedQuery } from '../../protocol/rest/fact.ts';
import type { PublishedFact } from '../../store/port.ts';

export function filterOf({ kinds, job, host, execution }: z.output<typeof FeedQuery>): FeedFilter {
  return {
    ...(kinds === undefined ? {} : { kinds: commaList(kinds) }),
    ...(job === undefined ? {} : { job }),
    ...(host === undefined ? {} : { host }),
    ...(execution === undefined ? {} : { execution }),
  };
}

/** Many watchers receive one fact: its text is built once. */
const texts = new WeakMap<PublishedFact, string>();

export function textOf(frame: Frame): string {
  if (!('cursor' in frame)) return JSON.stringify(frame);
  const known = texts.get(frame);
  if (known !== undefined) return known;
  const { cursor, at, address, rev, type, data } = frame;
  const made = JSON.stringify({ cursor, at: new Date(at).toISOString(), address, rev, type, data });
  texts.set(frame, made);
  return made;
}
