/**
 * Messages between actors of different sets, on their way through the thread that knows all sets:
 * who sent which, so that the sender learns what became of it.
 */

import type { Delivery } from '../outbox.ts';
import type { Message, ToPartitions } from './messages.ts';
import type { PartitionSet } from './worker-supervisor.ts';

export interface Relay {
  /** The same messages under numbers of the relay, for the set they go to. */
  take(messages: Message[], to: PartitionSet, reply: (message: ToPartitions) => void): Message[];
  delivered(items: { id: number; delivery: Delivery }[]): void;
  /** That set is down: its senders keep what was on its way there until it is back. */
  lost(to: PartitionSet): void;
}

export function createRelay(): Relay {
  const underWay = new Map<number, { to: PartitionSet; id: number; reply: (message: ToPartitions) => void }>();
  let lastId = 0;

  return {
    take: (messages, to, reply) =>
      messages.map(message => {
        lastId += 1;
        underWay.set(lastId, { to, id: message.id, reply });
        return { ...message, id: lastId };
      }),
    delivered(items) {
      const replies = new Map<(message: ToPartitions) => void, { id: number; delivery: Delivery }[]>();
      for (const { id, delivery } of items) {
        const sent = underWay.get(id);
        if (!sent) continue;
        underWay.delete(id);
        const mine = replies.get(sent.reply);
        if (mine) mine.push({ id: sent.id, delivery });
        else replies.set(sent.reply, [{ id: sent.id, delivery }]);
      }
      for (const [reply, mine] of replies) reply({ type: 'carried', items: mine });
    },
    lost(to) {
      for (const [relayed, { to: target, id, reply }] of underWay) {
        if (target !== to) continue;
        underWay.delete(relayed);
        reply({ type: 'carried', items: [{ id, delivery: 'away' }] });
      }
    },
  };
}
