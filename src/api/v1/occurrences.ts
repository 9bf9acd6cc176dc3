/** The occurrence ledger of a job: every due time with its verdict. */
import { type Route, serving } from '../../http/route.ts';
import { occurrenceEndpoints } from '../../protocol/rest/occurrence.ts';
import { isInstant } from '../../store/readable.ts';
import { toIso } from '../iso.ts';
import { presentFields } from '../lookup.ts';
import { notFound } from '../nearest-name.ts';
import type { Center } from '../route-context.ts';
import { countVerdicts, type LedgerEntry, type ListedDueTime, occurrencesOf } from './occurrence-ranges.ts';
import { cursorOf, positionOf, unreadableOf } from './paging.ts';

const on = serving(occurrenceEndpoints);

/** Named by its due time; '' if that is unreadable, too. */
const asUnreadable = ({ from, damage = '' }: LedgerEntry) => ({ name: isInstant(from) ? toIso(from) : '', reason: damage });

export const occurrenceRoutes = ({ views, store }: Center): Route[] => [
  on('GET /v1/jobs/:name/occurrences', async ({ params: { name: job }, query: { limit, cursor, summary, verdict, order, ...range } }) => {
    const view = job.length > 100 ? undefined : await views.get(`job/${job}`);
    // The ledger outlives its job.
    if (!view && (job.length > 100 || (await store.occurrences({ job, limit: 1 })).length === 0)) throw await notFound(views, 'job', job);
    const today = view?.context.config;
    const within = presentFields({ job, ...range });
    // `keptAfter` tells "nothing was due" from "retention deleted it".
    const deleted = await store.keptAfter(job);
    const kept = deleted !== null && (range.from ?? deleted) <= deleted ? { keptAfter: toIso(deleted) } : {};
    if (summary) return { ...(await countVerdicts(store, within, today)), ...kept };

    // A cursor of "newest first" has three numbers, so the other order refuses it.
    const sign = order === 'newest' ? [-1] : [];
    const [entryFrom = 0, dueAt = 0] = cursor === undefined ? [] : positionOf(cursor, 2 + sign.length);
    const after = cursor === undefined ? {} : { after: { entryFrom, dueAt } };
    const found: ListedDueTime[] = [];
    const damaged: LedgerEntry[] = [];
    const dues = occurrencesOf(store, presentFields({ ...within, verdict, order, ...after }), today, entry => damaged.push(entry));
    for await (const due of dues) if (found.push(due) > limit) break;
    const last = found.length > limit ? found[limit - 1] : undefined;
    return {
      items: found.slice(0, limit).map(({ item }) => item),
      next: last ? cursorOf(last.entryFrom, last.dueAt, ...sign) : null,
      ...unreadableOf(damaged.map(asUnreadable)),
      ...kept,
    };
  }),
];
