/** A table to lists and readers: its index, why it refuses a command. */
import { type KindDefinition, plainIndex, type Upgrades } from '../kind.ts';
import type { TableEvent } from '../types.ts';
import type { TableContext } from './types.ts';

export const tableKind = {
  version: 1,
  upgrades: {} as Upgrades,
  createEvent: 'table.create',
  gathers: true,
  index: ({ createdAt }, value) => plainIndex(String(value), createdAt),
  isOver: value => value === 'deleted',
  refusal: (_context, _value, event) => (event.type === 'table.create' ? 'exists already' : undefined),
} satisfies KindDefinition<TableContext, TableEvent>;
