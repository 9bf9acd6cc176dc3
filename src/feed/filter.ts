/** Selects the facts for a watcher. All given fields must match. */
import type { HistoryFact } from '../store/port.ts';

export interface FeedFilter {
  /** Kinds of actors (`job`) or types of facts (`job.triggered`), any of them. Absent: all. */
  kinds?: readonly string[];
  /** Name of a job: its own facts, and those of its executions. */
  job?: string;
  /** Id or name of a host: its own facts, and those of shards on it. */
  host?: string;
  execution?: string;
}

export function isWanted(fact: HistoryFact, { kinds, job, host, execution }: FeedFilter): boolean {
  const { address, type, data } = fact;
  if (kinds && kinds.length > 0 && !kinds.some(kind => kind === type || address.startsWith(`${kind}/`))) return false;
  if (job !== undefined && address !== `job/${job}` && data.job !== job) return false;
  if (execution !== undefined && address !== `execution/${execution}` && data.execution !== execution) return false;
  if (host === undefined || address === `host/${host}` || data.host === host || data.hostName === host) return true;
  return address.startsWith('host/') && data.name === host;
}
