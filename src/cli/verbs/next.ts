/** `troupe next JOB`: when it will be due. */
import { EXIT } from '../failure.ts';
import { moment, whole } from '../options.ts';
import type { Page } from '../surface.ts';
import { verb } from '../verb.ts';
import { jobPath } from './jobs.ts';

export const next = verb({
  says: 'tells when a job is due next',
  takes: ['JOB'],
  options: {
    count: whole('N', 'how many due times (default: 10)', 1, 1_000),
    from: moment('later than this (default: now)'),
  },
  async run({ client, print, words, values }) {
    const page = await client.get<Page<{ dueAt: string; local: string }>>(`${jobPath(words[0])}/next`, values);
    await print.show(page, () =>
      page.items.length === 0
        ? [`${words[0]} has no due time ahead`]
        : print.table(page.items, [
            { head: 'DUE', cell: due => due.dueAt },
            { head: 'IN ITS ZONE', cell: due => due.local },
          ]),
    );
    return EXIT.done;
  },
});
