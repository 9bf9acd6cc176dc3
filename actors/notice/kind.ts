/** A notice to lists and readers: its index. It has no command to refuse. */
import { type KindDefinition, plainIndex, type Upgrades } from '../kind.ts';
import type { NoticeEvent } from '../types.ts';
import type { NoticeContext } from './types.ts';

export const noticeKind = {
  version: 1,
  upgrades: {} as Upgrades,
  createEvent: 'notice.add',
  index: ({ createdAt }, value) => plainIndex(String(value), createdAt),
  isOver: value => value === 'deleted',
  refusal: () => undefined,
} satisfies KindDefinition<NoticeContext, NoticeEvent>;
