/** `POST messages`: facts of jobs, and checks of tables. */
import type { ReportedState } from '../../../actors/job/types.ts';
import { parse } from '../../http/parse.ts';
import { type Route, serving } from '../../http/route.ts';
import { toIso } from '../iso.ts';
import type { RouteContext } from '../route-context.ts';
import { ACCEPTED_ALONE } from './answers.ts';
import { findJobOrNone } from './find-job.ts';
import { messageEndpoints } from './log-endpoints.ts';
import { tooMany } from './logs.ts';
import { isKnownEvent, JobExecute, JobSelect, SystemEvent } from './message-body.ts';

const on = serving(messageEndpoints);

export function messageRoutes({ views, postings }: RouteContext): Route[] {
  /** Throws Problem `tooMany`. */
  const admit = (subject: string) => {
    const waitMs = postings.take(subject);
    if (waitMs > 0) throw tooMany(subject, waitMs);
  };

  async function report({ jobid, timestamp }: { jobid: string; timestamp: string }, state: ReportedState): Promise<void> {
    admit(jobid);
    const job = await findJobOrNone(views, jobid);
    if (job) await postings.report(job.context.config.name, { timestamp, report: state });
  }

  const takers: Record<string, (body: unknown) => Promise<void> | void> = {
    JobExecute(body) {
      const { execat, nextat, key, ipaddr, state, execerr, ...message } = parse(JobExecute, body);
      return report(message, { message: 'JobExecute', state, execerr, execat: toIso(execat), nextat: toIso(nextat), key, ipaddr });
    },
    JobSelect(body) {
      const { nextat, ...message } = parse(JobSelect, body);
      const unsaid = { state: null, execerr: null, execat: null, key: null, ipaddr: null };
      return report(message, { message: 'JobSelect', ...unsaid, nextat: toIso(nextat) });
    },
    SystemEvent(body) {
      const { event, runtime } = parse(SystemEvent, body);
      if (!isKnownEvent(event)) return;
      admit(`events of runtime ${runtime}`);
      // The web server leaves the runtime out where it removes something.
      postings.announce(runtime === '' ? null : runtime);
    },
  };

  return [
    on('POST /cloudtask/v2/messages', async ({ body }) => {
      if (Object.hasOwn(takers, body.msgname)) await takers[body.msgname]?.(body);
      return ACCEPTED_ALONE;
    }),
  ];
}
