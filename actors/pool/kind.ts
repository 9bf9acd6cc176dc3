/** A pool to lists and readers: its index, why it refuses a command. */
import { type KindDefinition, plainIndex, type Upgrades } from '../kind.ts';
import type { PoolEvent } from '../types.ts';
import type { PoolContext } from './types.ts';

export const poolKind = {
  version: 1,
  upgrades: {} as Upgrades,
  createEvent: 'pool.create',
  index: ({ createdAt }, value) => plainIndex(String(value), createdAt),
  isOver: value => value === 'deleted',
  refusal: (context, _value, event) => {
    if (event.type === 'pool.create') return 'exists already';
    if (event.type !== 'pool.delete') return undefined;
    if (context.config.name === 'default') return 'is the default pool and cannot be deleted';
    const count = Object.keys(context.hosts).length;
    return count === 1 ? 'still has 1 host; retire it first' : `still has ${count} hosts; retire them first`;
  },
} satisfies KindDefinition<PoolContext, PoolEvent>;
