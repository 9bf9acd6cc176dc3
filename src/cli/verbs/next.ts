/** `troupe next JOB`: its next due times. */

import type { DueTime } from '../../protocol/rest/schedule.ts';
import { EXIT } from '../failure.ts';
import { verb } from '../verb.ts';

const zoned = (local: string): string => local.replace('T', ' ').replace('.000', '');

export const next = verb({
  summary: 'lists the next due times of a job',
  takes: ['JOB'],
  options: {},
  query: async () => (await import('../../protocol/rest/schedule.ts')).scheduleEndpoints['GET /v1/jobs/:name/next'].query,
  async run({ client, print, words, query }) {
    const page = await client.call('GET /v1/jobs/:name/next', { params: { name: words[0] ?? '' }, query });
    await print.show(page, () =>
      page.items.length === 0
        ? [`${words[0]} has no due time ahead`]
        : print.table(page.items, [
            { head: 'DUE', cell: due => print.instant(due.dueAt) },
            // Omitted where the zone of the job is that of the user.
            ...(page.items.every(due => zoned(due.local) === print.instant(due.dueAt).replace(/Z$/, '+00:00'))
              ? []
              : [{ head: 'IN ITS ZONE', cell: (due: DueTime) => zoned(due.local) }]),
          ]),
    );
    return EXIT.done;
  },
});
