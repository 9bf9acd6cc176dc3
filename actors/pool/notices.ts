/** What a pool sends to its notice actor: its owners are notified of its hosts. */
import { tell } from '../decision.ts';
import type { NoticeKind } from '../notice/types.ts';
import type { Effect, NoticeEvent } from '../types.ts';
import type { LedgerHost, PoolContext } from './types.ts';

type Noticed = Pick<PoolContext, 'config' | 'notified'>;

const noticeOf = ({ config }: Noticed) => `notice/pool:${config.name}` as const;

export function hostNotice(
  context: Noticed,
  kind: Extract<NoticeKind, `host${string}`>,
  { id, name, address }: LedgerHost,
  at: number,
): { effects: Effect[]; context: { notified?: true } } {
  const { owners = [], name: pool } = context.config;
  if (owners.length === 0) return { effects: [], context: {} };
  const entry = { type: 'host', host: id, name, address, at } as const;
  const event = {
    type: 'notice.add',
    about: { type: 'pool', name: pool },
    kind,
    subject: '',
    content: '',
    to: [...new Set(owners)],
    entry,
  } satisfies NoticeEvent;
  return { effects: [tell(noticeOf(context), event)], context: { notified: true } };
}

/** Its notice actor ends once what waits is sent or given up. */
export const closesHostNotices = (context: Noticed): Effect[] =>
  context.notified ? [tell(noticeOf(context), { type: 'notice.close' })] : [];
