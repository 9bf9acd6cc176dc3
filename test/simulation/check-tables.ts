/**
 * The allocation tables, looked at again and again while a seed runs: where no message is pending
 * between two actors, they say the same.
 */
import type { JobContext } from '../../actors/job/types.ts';
import { namedBy } from '../../actors/pool/admission.ts';
import type { PoolContext } from '../../actors/pool/types.ts';
import { allEntries } from '../../actors/table/entries.ts';
import type { TableContext, TableEntry } from '../../actors/table/types.ts';
import type { Cluster } from './cluster.ts';
import { stateOf } from './truth.ts';

const TABLE = 'table/default';

export function createTableCheck({ system, truth }: Cluster): () => void {
  let version = 0;
  const owes = (from: string, to: string) => (truth.read(from)?.pendingEffects ?? '').includes(JSON.stringify(to));

  function checkRow(entry: TableEntry, pool: PoolContext | undefined): void {
    const address = `job/${entry.job}`;
    if (owes(TABLE, address) || owes(address, TABLE)) return;
    const state = stateOf(truth, address);
    const job = state?.context as unknown as JobContext | undefined;
    const isEnabled = (state?.value as { admin?: string } | undefined)?.admin === 'enabled';
    if (!job || !isEnabled || job.config.placement !== 'sticky') {
      system.fail('table', `the table has ${entry.job}, which is not an enabled sticky job`);
      return;
    }
    const [row, own] = [JSON.stringify(entry.hosts), JSON.stringify(job.allocatedHosts)];
    if (row !== own) system.fail('table', `the row of ${entry.job} has ${row}, the job has ${own}`);
    if (entry.proposed !== null && job.proposal === null) system.fail('table', `${entry.job} has lost the proposal of its table`);
    if (!pool || owes('pool/default', TABLE) || job.proposal !== null) return;
    for (const id of entry.hosts ?? []) {
      const host = pool.hosts[id];
      const takes = host && (host.open || host.away) && !host.excluded && namedBy(entry.servers ?? [])(host);
      const keeps = takes && host.total.cpu >= entry.need.cpu && host.total.memory >= entry.need.memory;
      if (!keeps) system.fail('table', `${entry.job} is allocated to ${id}, which is no candidate`);
    }
  }

  return () => {
    const table = stateOf(truth, TABLE)?.context as unknown as TableContext | undefined;
    if (!table) return;
    if (table.version < version) system.fail('table', `the version of the table fell from ${version} to ${table.version}`);
    version = table.version;
    const pool = stateOf(truth, 'pool/default')?.context as unknown as PoolContext | undefined;
    const there = new Set<string>();
    for (const entry of allEntries(table)) {
      there.add(`job/${entry.job}`);
      checkRow(entry, pool);
    }
    for (const address of truth.addresses) {
      if (!address.startsWith('job/') || there.has(address) || owes(address, TABLE) || owes(TABLE, address)) continue;
      const { context, value } = stateOf(truth, address) ?? {};
      const job = context as unknown as JobContext | undefined;
      const isEnabled = (value as { admin?: string } | undefined)?.admin === 'enabled';
      if (job && isEnabled && job.config.placement === 'sticky' && job.allocatedHosts !== null) {
        system.fail('table', `${address} is allocated to ${JSON.stringify(job.allocatedHosts)} and is not in the table`);
      }
    }
  };
}
