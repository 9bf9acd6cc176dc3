/**
 * Why a job or an execution runs or does not. This file reads the committed actors;
 * `actors/explain` derives the reasons with the functions that decide.
 */
import { hostsUsed, whyExecution } from '../../../actors/explain/execution.ts';
import { OPEN_SHOWN, whyJob } from '../../../actors/explain/job.ts';
import { factsOf, sentenceOf } from '../../../actors/explain/messages.ts';
import type { Explanation, Reason } from '../../../actors/explain/reason.ts';
import type { Address, Kind } from '../../../actors/types.ts';
import { type Route, serving } from '../../http/route.ts';
import { whyEndpoints } from '../../protocol/rest/why.ts';
import type { View } from '../../runtime/document.ts';
import { Unreadable } from '../../runtime/errors.ts';
import { toIso } from '../iso.ts';
import { oneOrNearest } from '../nearest-name.ts';
import type { Center } from '../route-context.ts';

/** Limit of hosts to read that are not ready. */
const HOSTS_MAX = 100;

type UnreadableReason = Extract<Reason, { type: 'unreadable' }>;
const isThere = <T>(thing: T | undefined): thing is T => thing !== undefined;

const on = serving(whyEndpoints);

export function whyRoutes(center: Center): Route[] {
  const { views, store, clock } = center;

  /** Reads for one explanation. An unreadable actor becomes one of its reasons. */
  function createReader() {
    const unreadable: UnreadableReason[] = [];
    const get = async <K extends Kind>(address: Address<K>): Promise<View<K> | undefined> => {
      try {
        return await views.get(address);
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        unreadable.push({ type: 'unreadable', who: address, reason: error.reason });
        return undefined;
      }
    };
    const all = async <K extends Kind>(addresses: Address<K>[]) => (await Promise.all(addresses.map(get))).filter(isThere);
    /** The pool, its hosts that are not ready, and the hosts of the executions. */
    const around = async (pool: string, executions: View<'execution'>[]) => {
      const status = ['joining', 'draining', 'suspect', 'lost'];
      const notReady = (await views.list('host', { parent: pool, status, limit: HOSTS_MAX, order: 'name' })).items;
      const known = new Set(notReady.map(host => host.context.id));
      const others = [...new Set(executions.flatMap(hostsUsed))].filter(id => !known.has(id)).slice(0, HOSTS_MAX);
      const used = await all(others.map(id => `host/${id}` as const));
      return { pool: await get(`pool/${pool}`), hosts: [...notReady, ...used], unreadable };
    };
    return { get, all, around };
  }
  const answer = (at: number, why: Explanation) => ({ sentence: sentenceOf(why), at: toIso(at), facts: factsOf(why) });

  return [
    on('GET /v1/jobs/:name/why', async ({ params }) => {
      const job = await oneOrNearest(views, 'job', params.name);
      const { config, open: ids } = job.context;
      const { get, all, around } = createReader();
      const open = await all(ids.slice(0, OPEN_SHOWN).map(({ id }) => `execution/${id}` as const));
      const app = config.app === null ? undefined : await get(`app/${config.app}`);
      const { lastExecution } = job.context;
      // With a reader of its own: an unreadable last execution is no reason for the job's state.
      const ended = lastExecution === null ? undefined : await createReader().get(`execution/${lastExecution}`);
      const [last] = await store.occurrences({ job: config.name, limit: 1, order: 'newest' });
      const at = clock.now();
      const { trigger, ...why } = whyJob({ job, app, open, ended, last, ...(await around(config.pool, open)) }, at);
      return { ...answer(at, why), trigger };
    }),
    on('GET /v1/executions/:id/why', async ({ params }) => {
      const execution = await oneOrNearest(views, 'execution', params.id);
      const { get, around } = createReader();
      const job = await get(`job/${execution.context.job}`);
      const seen = await around(execution.context.config.pool, [execution]);
      return answer(clock.now(), whyExecution({ execution, job, ...seen }));
    }),
  ];
}
