/** The allocation table of a pool as the Cloudtask dialect shows it. */
import { rowsOf } from '../../../actors/table/entries.ts';
import type { View } from '../../runtime/document.ts';
import type { Alloc } from './answers.ts';
import { ipaddrOf, nameOf } from './server-json.ts';

/**
 * The rows in the order in which they were made, each with the host of the first shard. `key`: only
 * those of this host.
 */
export function allocJson(location: string, table: View<'table'> | undefined, key?: string): Alloc {
  const { version = 0, hosts = {} } = table?.context ?? {};
  const rows = table ? rowsOf(table.context) : [];
  return {
    location,
    version,
    data: rows.flatMap(({ job, id, version, hosts: [first = ''] }) => {
      if (key !== undefined && first !== key) return [];
      const { name = '', address = '' } = hosts[first] ?? {};
      const host = { id: first, name, address };
      return [{ jobid: id, key: first, version, jobname: job, ipaddr: ipaddrOf(host), hostname: nameOf(host) }];
    }),
  };
}
