/** `troupe watch`: facts as they happen. */

import { describeFact } from '../facts.ts';
import { EXIT } from '../failure.ts';
import { type FeedFact, followFeed } from '../feed.ts';
import { verb } from '../verb.ts';
import { cutToWidth, singleLine, widthOf } from '../width.ts';
import type { Times } from '../words.ts';

const TYPE_WIDTH = 20;
/** A terminal with fewer columns is narrow. */
export const NARROW = 120;
/** Least width of a subject, columns. */
const SUBJECT_MIN = 16;

export const watch = verb({
  summary: 'shows facts as they happen, one per line, until Ctrl-C; after a lost connection it continues where it stopped',
  takes: [],
  options: {},
  query: async () => (await import('../../protocol/rest/fact.ts')).FeedQuery,
  async run({ client, shell, print, query }) {
    const line = createLine(shell.columns, print.paint.dim, print);
    const { job, execution, kinds, after } = query;
    // Without this check, an unknown name would be watched in silence. A deleted thing keeps its
    // history for a while.
    for (const [kind, name] of Object.entries({ job, execution }))
      if (name !== undefined) await client.call('GET /v1/history/:kind/:name', { params: { kind, name }, query: { limit: 1 } });
    const host = query.host === undefined ? undefined : (await client.call('GET /v1/hosts/:id', { params: { id: query.host } })).id;
    await followFeed(
      { client, shell },
      { job, host, execution, kinds, after: after || undefined },
      {
        fact: fact => print.each(fact, () => line(fact)),
        hint: sentence => shell.notify(`troupe: ${sentence}`),
      },
    );
    return EXIT.done;
  },
});

/**
 * One line per fact: time, type, subject, what happened. A narrow terminal shows neither date nor
 * type. A long subject is cut first, so that the outcome stays visible.
 */
function createLine(columns: number, dim: (shown: string) => string, times: Times): (fact: FeedFact) => string {
  return fact => {
    const { at, type, data } = fact;
    if (type === 'feed.truncated')
      return dim(`… older facts are no longer kept; this begins at ${times.instant(String(data.at ?? ''), 'ms')}`);
    const isNarrow = columns < NARROW;
    const time = isNarrow ? times.timeOfDay(at, 'ms') : times.instant(at, 'ms');
    const known = isNarrow ? `${time}  ` : `${time}  ${type.padEnd(TYPE_WIDTH)}  `;
    const { who, what } = describeFact(fact, times);
    const left = Math.max(SUBJECT_MIN, columns - widthOf(known));
    const subject = cutToWidth(singleLine(who), Math.max(SUBJECT_MIN, left - widthOf(singleLine(what)) - 1));
    return `${dim(time)}${known.slice(time.length)}${cutToWidth(`${subject} ${singleLine(what)}`, left)}`;
  };
}
