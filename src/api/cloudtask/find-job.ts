/** Finds a job by its id. */

import { Problem } from '../../http/errors.ts';
import type { View } from '../../runtime/document.ts';
import type { Views } from '../../runtime/views.ts';

/** `jobid`: in any case. Throws Problem `notFound` and Unreadable. */
export async function findJob(views: Views, jobid: string): Promise<View<'job'>> {
  const job = await findJobOrNone(views, jobid);
  if (!job) throw new Problem('notFound', `job not found: ${jobid.slice(0, 100)}`);
  return job;
}

/** Undefined where there is no such job. Throws Unreadable. */
export async function findJobOrNone(views: Views, jobid: string): Promise<View<'job'> | undefined> {
  const { items, unreadable } = await views.list('job', { alias: jobid.toLowerCase(), order: 'name', limit: 1 });
  const [lost] = unreadable;
  // Reading an unreadable one throws the reason.
  return items[0] ?? (lost && (await views.get<'job'>(lost.address)));
}
