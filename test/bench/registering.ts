/** Thousands of jobs by REST, and the state of the table that allocates them, for benches. */
import type { Cluster } from '../support/cluster.ts';
import { until } from '../support/cluster.ts';
import { askDatabase } from './cluster.ts';

/** Callers, each with one request under way. */
const CALLERS = 32;

/** Resolves with the milliseconds until the last job was answered. */
export async function registerJobs(cluster: Cluster, placement: 'pack' | 'sticky', count: number): Promise<number> {
  const began = performance.now();
  let next = 0;
  const caller = async () => {
    for (let job = next++; job < count; job = next++) {
      const resources = { cpus: 0.01, memoryMB: 1 };
      await cluster.call('POST', '/v1/jobs', { name: `${placement}${job}`, command: ['true'], placement, resources });
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return performance.now() - began;
}

interface TableState {
  version: number;
  /** The last change of rows, epoch ms. */
  updatedAt: number;
}

/** The table of the default pool as it is stored. */
export function tableOf(cluster: Cluster): TableState {
  const [found] = askDatabase<TableState>(
    cluster,
    `select json_extract(state, '$.snapshot.context.version') as version, json_extract(state, '$.snapshot.context.updatedAt') as updatedAt
     from actors where _id = 'table/default'`,
  );
  if (!found) throw new Error('the default pool has no table');
  return found;
}

/** Resolves once no message between hosts, pool, table and jobs is pending. */
export const tableSettled = (cluster: Cluster): Promise<void> =>
  until('the table and its jobs agree', async () => {
    const [pending] = askDatabase<{ count: number }>(
      cluster,
      `select count(*) as count from actors where has_pending = true and kind in ('host', 'pool', 'table', 'job')`,
    );
    if (pending?.count === 0) return true;
    await Bun.sleep(20);
    return false;
  });
