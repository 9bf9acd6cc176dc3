/** `troupe watch`: what happens, as it happens. */
import { EXIT } from '../failure.ts';
import { followFeed } from '../feed.ts';
import { choices, text } from '../options.ts';
import type { FeedFact } from '../surface.ts';
import { verb } from '../verb.ts';
import { cutTo, tame, widthOf } from '../width.ts';
import { instant } from '../words.ts';

/** Addresses grow the column up to this; longer ones stick out. A narrow terminal gives them a third of itself, and shows no date. */
const ADDRESS_MAX = 48;
const TYPE_WIDTH = 20;
const NARROW = 120;
const KINDS = ['job', 'execution', 'app', 'host', 'pool'];
/** The type of a fact. */
const FACT = /^(job|execution|shard|app|host|pool|actor)\.[A-Za-z]+$/;

export const watch = verb({
  says: 'shows what happens as it happens, one line per fact, until Ctrl-C; a broken connection is taken up where it broke',
  takes: [],
  options: {
    job: text('JOB', 'only what is about a job and its executions'),
    host: text('HOST', 'only what is about a host'),
    execution: text('EXECUTION', 'only what is about an execution'),
    kinds: choices('KIND,…', 'only these: job, execution, app, host, pool, or a type of fact such as job.fired', KINDS, FACT),
    after: text('CURSOR', 'begin behind this fact instead of now (--json shows the cursors)'),
  },
  async run({ client, shell, print, values }) {
    const line = createLine(shell.columns, print.paint.dim);
    const { job, host, execution, kinds, after } = values;
    await followFeed(
      { client, shell },
      { job, host, execution, kinds, after: after || undefined },
      {
        fact: fact => print.each(fact, () => line(fact)),
        hint: sentence => shell.say(`troupe: ${sentence}`),
      },
    );
    return EXIT.done;
  },
});

/** Lines whose columns line up as well as a stream allows: the address column grows and never shrinks. */
export function createLine(columns: number, dim: (shown: string) => string): (fact: FeedFact) => string {
  let width = 0;
  return ({ at, address = '', type, data }) => {
    if (type === 'feed.truncated') return dim(`… older facts are no longer kept; this begins at ${instant(String(data.at ?? ''), 'ms')}`);
    const where = tame(address);
    width = Math.min(ADDRESS_MAX, Math.floor(columns / 3), Math.max(width, widthOf(where)));
    const time = columns < NARROW ? (instant(at, 'ms').split(' ')[1] ?? '') : instant(at, 'ms');
    const known = `${time}  ${where}${' '.repeat(Math.max(0, width - widthOf(where)))}  ${type.padEnd(TYPE_WIDTH)}  `;
    const left = columns - widthOf(known);
    const rest = left > 1 ? cutTo(tame(wordsOf(address, data)), left) : '';
    return `${dim(time)}${known.slice(time.length)}${rest}`.trimEnd();
  };
}

/** What the address says already is not said again. */
export const wordsOf = (address: string, data: Record<string, unknown> = {}): string =>
  Object.entries(data)
    .filter(([name, value]) => value !== null && value !== undefined && value !== '' && !isSaidBy(address, name, value))
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');

const isSaidBy = (address: string, name: string, value: unknown): boolean =>
  address === `${name}/${value}` || (name === 'job' && address.startsWith(`execution/${value}@`));
