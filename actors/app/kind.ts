/** An app to lists and readers: its index, why it refuses a command. */
import { type KindDefinition, plainIndex, type Upgrades } from '../kind.ts';
import type { AppEvent } from '../types.ts';
import type { AppContext } from './types.ts';

export const appKind = {
  version: 1,
  upgrades: {} as Upgrades,
  createEvent: 'app.publish',
  index: ({ createdAt }, value) => plainIndex(String(value), createdAt),
  isOver: value => value === 'deleted',
  refusal: (_context, value, event) => {
    if (event.type === 'app.publish') return value === 'deleting' ? 'is still being deleted' : 'is published already';
    return value === 'deleting' ? 'is being deleted' : undefined;
  },
} satisfies KindDefinition<AppContext, AppEvent>;
