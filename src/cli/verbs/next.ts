/** `troupe next JOB`: when it will be due. */

import type { DueTime } from '../../protocol/rest/schedule.ts';
import { EXIT } from '../failure.ts';
import { instantOption, wholeOption } from '../options.ts';
import { verb } from '../verb.ts';

const zoned = (local: string): string => local.replace('T', ' ').replace('.000', '');

export const next = verb({
  says: 'tells when a job is due next',
  takes: ['JOB'],
  options: {
    count: wholeOption('N', 'how many due times (default: 10)', 1, 1_000),
    from: instantOption('later than this (default: now)'),
  },
  async run({ client, print, words, values }) {
    const page = await client.call('GET /v1/jobs/:name/next', { params: { name: words[0] ?? '' }, query: values });
    await print.show(page, () =>
      page.items.length === 0
        ? [`${words[0]} has no due time ahead`]
        : print.table(page.items, [
            { head: 'DUE', cell: due => print.instant(due.dueAt) },
            // Where its zone is that of the reader there is nothing more to say.
            ...(page.items.every(due => zoned(due.local) === print.instant(due.dueAt).replace(/Z$/, '+00:00'))
              ? []
              : [{ head: 'IN ITS ZONE', cell: (due: DueTime) => zoned(due.local) }]),
          ]),
    );
    return EXIT.done;
  },
});
