/** What the allocation table of a pool receives of its hosts. */
import { tell } from '../decision.ts';
import type { TableHost } from '../table/types.ts';
import type { Effect } from '../types.ts';
import type { LedgerHost, PoolContext } from './types.ts';

const tableOf = ({ config }: Pick<PoolContext, 'config'>) => `table/${config.name}` as const;

const stateOf = ({ open, away, excluded }: LedgerHost): TableHost['state'] =>
  excluded || !(open || away) ? 'closed' : open ? 'ready' : 'away';

/** The table receives this host as it is now. */
export function toTable(context: Pick<PoolContext, 'config' | 'hosts'>, id: string): Effect[] {
  const host = context.hosts[id];
  if (!host) return [];
  const { name, hostname, address, total } = host;
  return [tell(tableOf(context), { type: 'table.host', host: { id, name, hostname, address, total, state: stateOf(host) } })];
}

export const goneFromTable = (context: Pick<PoolContext, 'config'>, host: string): Effect =>
  tell(tableOf(context), { type: 'table.hostGone', host });

export const createTable = (context: Pick<PoolContext, 'config'>): Effect =>
  tell(tableOf(context), { type: 'table.create', pool: context.config.name });

export const deleteTable = (context: Pick<PoolContext, 'config'>): Effect => tell(tableOf(context), { type: 'table.delete' });

/** All that the table has of this pool. */
export const described = (context: Pick<PoolContext, 'config' | 'hosts'>): Effect[] => [
  createTable(context),
  ...Object.keys(context.hosts).flatMap(id => toTable(context, id)),
];
