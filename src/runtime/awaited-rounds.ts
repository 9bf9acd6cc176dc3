/**
 * Whether a notice actor still waits for a round. After a crash an effect may be carried out again
 * that was acknowledged and not trimmed yet: what it sent would arrive twice.
 */
import type { ActorStore } from '../store/port.ts';
import { viewOf } from './document.ts';
import type { NoticeOrder } from './notifier.ts';

/** True also where the store or the document cannot be read: a repeat is better than a loss. */
export async function isAwaited(store: Pick<ActorStore, 'load'>, { from, message, round }: NoticeOrder): Promise<boolean> {
  try {
    const document = await store.load(from);
    if (!document || document.life === 'tombstone') return false;
    const { deliveries } = viewOf<'notice'>(document).context;
    const delivery = deliveries.find(each => each.message.id === message.id);
    return delivery?.recipients.some(each => each.round === round && each.retryAt === null) ?? false;
  } catch {
    return true;
  }
}
