/**
 * Routes messages between actors of different workers through the main thread, and keeps the sender
 * of each, so that the sender gets the delivery.
 */

import { createRequestMap } from '../../lib/request-map.ts';
import type { Delivery } from '../outbox.ts';
import type { Message, ToPartitions } from './messages.ts';
import type { PartitionWorker } from './worker-supervisor.ts';

export interface Router {
  /** The same messages under ids of the router, for the receiving worker. */
  take(messages: Message[], to: PartitionWorker, reply: (message: ToPartitions) => void): Message[];
  delivered(items: { id: number; delivery: Delivery }[]): void;
  /** That worker is down: senders keep their undelivered messages until it is back. */
  lost(to: PartitionWorker): void;
}

export function createRouter(): Router {
  const underWay = createRequestMap<{ to: PartitionWorker; id: number; reply: (message: ToPartitions) => void }>();

  return {
    take: (messages, to, reply) => messages.map(message => ({ ...message, id: underWay.add({ to, id: message.id, reply }) })),
    delivered(items) {
      const replies = new Map<(message: ToPartitions) => void, { id: number; delivery: Delivery }[]>();
      for (const { id, delivery } of items) {
        const sent = underWay.take(id);
        if (!sent) continue;
        const mine = replies.get(sent.reply);
        if (mine) mine.push({ id: sent.id, delivery });
        else replies.set(sent.reply, [{ id: sent.id, delivery }]);
      }
      for (const [reply, mine] of replies) reply({ type: 'carried', items: mine });
    },
    lost(to) {
      for (const { id, reply } of underWay.takeAll(sent => sent.to === to)) {
        reply({ type: 'carried', items: [{ id, delivery: 'away' }] });
      }
    },
  };
}
