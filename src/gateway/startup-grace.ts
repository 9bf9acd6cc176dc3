/** Restarts the grace of every host when a center starts: the center was silent, not the hosts. */
import type { Address, Events } from '../../actors/types.ts';
import { NoSuchActor, Refused } from '../runtime/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Views } from '../runtime/views.ts';
import type { HostSessions } from './host-sessions.ts';
import type { HubLog } from './limits.ts';

/**
 * Hosts whose grace is restarted concurrently. The document of a pool holds all of its hosts, so
 * many of them share one commit.
 */
const HOSTS_AT_ONCE = 200;

/** Resolves when all hosts have committed it. Throws what the store throws. */
export async function restartAllGraces(parts: {
  runtime: Pick<Runtime, 'tell'>;
  views: Pick<Views, 'list'>;
  hostSessions: Pick<HostSessions, 'session'>;
  log: HubLog;
}): Promise<void> {
  const { runtime, views, hostSessions, log } = parts;

  /** Resolves with the reason of an actor in quarantine: the center starts nevertheless. */
  const send = async <K extends 'host' | 'pool'>(to: Address<K>, event: Events[K]): Promise<string | undefined> => {
    try {
      await runtime.tell(to, event);
    } catch (problem) {
      if (problem instanceof Refused) return problem.message.slice(to.length + 1);
      if (!(problem instanceof NoSuchActor)) throw problem;
    }
    return undefined;
  };

  /**
   * A host in quarantine cannot be served. Its pool places nothing there, and its runs are lost.
   */
  const giveUp = async (host: string, reason: string, pool: string | null) => {
    log('error', `host/${host} ${reason}; its agent is not served until this is repaired`, { pool });
    await send(`pool/${pool}`, { type: 'pool.hostLost', host, reason: `host ${host} ${reason}` });
  };

  const restart = async ({ id: host, pool }: { id: string; pool: string }) => {
    // It is connected already.
    if (hostSessions.session(host)) return;
    const refusal = await send(`host/${host}`, { type: 'host.restartGrace' });
    if (refusal) await giveUp(host, refusal, pool);
  };

  const status = ['ready', 'draining', 'suspect'];
  for (let cursor: string | undefined, more = true; more; ) {
    const page = await views.list('host', { status, limit: HOSTS_AT_ONCE, order: 'name', ...(cursor === undefined ? {} : { cursor }) });
    await Promise.all(page.items.map(view => restart(view.context)));
    for (const { address, reason, parent } of page.unreadable) await giveUp(address.slice('host/'.length), reason, parent);
    cursor = page.next ?? undefined;
    more = page.next !== null;
  }
}
