/** A host to lists and readers: its index, why it refuses a command. */
import type { KindDefinition, Upgrades } from '../kind.ts';
import type { HostEvent } from '../types.ts';
import type { HostContext } from './types.ts';

export const hostKind = {
  version: 1,
  upgrades: {} as Upgrades,
  createEvent: 'host.enroll',
  index: (context, value) => ({
    parent: context.pool,
    pool: null,
    alias: null,
    group: null,
    status: String(value),
    outcome: null,
    hosts: [],
    at: context.createdAt,
    endedAt: null,
  }),
  isOver: value => value === 'deleted',
  refusal: (_context, value, event) => {
    if (event.type === 'host.enroll') return 'is enrolled already';
    if (event.type === 'host.delete') return value === 'retired' ? undefined : 'is not retired; retire it first';
    return value === 'retired' ? 'is retired' : undefined;
  },
} satisfies KindDefinition<HostContext, HostEvent>;
