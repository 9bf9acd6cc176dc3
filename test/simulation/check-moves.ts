/**
 * What runs stays: a commit of a sticky job gives no shard another host while an execution has a
 * live attempt of it on the earlier one, as long as that host is there.
 */
import type { ExecutionContext } from '../../actors/execution/types.ts';
import type { JobContext } from '../../actors/job/types.ts';
import type { Store, Write } from '../../src/store/port.ts';
import type { SimulatedSystem } from './system.ts';
import { stateIn, stateOf, type Truth } from './truth.ts';

/** The same store, with an eye on the hosts of jobs. */
export function watchMoves(system: SimulatedSystem, truth: Truth, store: Store): Store {
  return {
    ...store,
    async commit(writes) {
      const suspects = writes.map(write => liveLeft(truth, write));
      const results = await store.commit(writes);
      for (const [at, runs] of suspects.entries()) {
        if (!results[at]?.committed) continue;
        // An attempt may end in the same commit.
        for (const { execution, item, host } of runs) {
          if (!isLiveOn(truth, execution, item, host)) continue;
          system.fail('moved', `${writes[at]?.document.address} moves shard ${item} away from ${host}, where ${execution} runs it`);
        }
      }
      return results;
    },
  };
}

/** Live attempts on hosts that the job gives up for others with this write. */
function liveLeft(truth: Truth, { document, facts }: Write): { execution: string; item: number; host: string }[] {
  if (!facts.some(({ type }) => type === 'job.allocated')) return [];
  const before = stateOf(truth, document.address)?.context as unknown as JobContext | undefined;
  const after = stateIn(document).context as unknown as JobContext;
  if (!before?.allocatedHosts || !after.allocatedHosts) return [];
  const left = before.allocatedHosts.flatMap((host, item) => {
    const next = after.allocatedHosts?.[item];
    return next === undefined || next === host || !isThere(truth, host) ? [] : [{ host, item }];
  });
  return before.open.flatMap(({ id }) =>
    left.filter(({ host, item }) => isLiveOn(truth, id, item, host)).map(each => ({ ...each, execution: id })),
  );
}

const isThere = (truth: Truth, host: string): boolean =>
  !['lost', 'retired', 'deleted'].includes(JSON.stringify(stateOf(truth, `host/${host}`)?.value ?? 'deleted').replaceAll('"', ''));

function isLiveOn(truth: Truth, execution: string, item: number, host: string): boolean {
  const context = stateOf(truth, `execution/${execution}`)?.context as unknown as ExecutionContext | undefined;
  const shard = context?.shards[item];
  return shard?.host === host && ['starting', 'running', 'ending'].includes(shard.status);
}
