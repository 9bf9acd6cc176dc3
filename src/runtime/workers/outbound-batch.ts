/**
 * Collects the output of a partition worker within one tick into one message of each kind, in the
 * order of the guarantee: facts, then answers, then commands.
 */
import { createCoalesced } from '../../lib/batch.ts';
import type { PublishedFact } from '../../store/port.ts';
import type { Taken } from '../envelope.ts';
import type { Delivery } from '../outbox.ts';
import type { CarryOrder, DedupeMark, FromPartitions, Message } from './messages.ts';

export interface OutboundBatch {
  facts(facts: PublishedFact[]): void;
  answer(id: number, taken: Taken): void;
  order(order: CarryOrder): void;
  /** For an actor of another worker. */
  message(message: Message): void;
  /** The result of a message of another worker. */
  delivered(id: number, delivery: Delivery): void;
  opened(address: string): void;
  deleteMark(dedupeMark: DedupeMark): void;
  flush(): void;
}

export function createOutboundBatch({ send }: { send(message: FromPartitions): void }): OutboundBatch {
  const facts: PublishedFact[] = [];
  const answers: { id: number; taken: Taken }[] = [];
  const delivered: { id: number; delivery: Delivery }[] = [];
  const orders: CarryOrder[] = [];
  const messages: Message[] = [];
  const addresses: string[] = [];
  const dedupeMarks: DedupeMark[] = [];
  const plan = createCoalesced(queueMicrotask, flush);

  function into<T>(list: T[], ...more: T[]): void {
    if (more.length === 0) return;
    list.push(...more);
    plan();
  }

  function flush(): void {
    if (facts.length > 0) send({ type: 'facts', facts: facts.splice(0) });
    if (answers.length > 0) send({ type: 'answers', answers: answers.splice(0) });
    if (delivered.length > 0) send({ type: 'delivered', items: delivered.splice(0) });
    // After the deliveries: a sender must have the `away` of its message before the lane opens.
    if (addresses.length > 0) send({ type: 'opened', addresses: addresses.splice(0) });
    if (orders.length > 0) send({ type: 'carry', orders: orders.splice(0) });
    if (messages.length > 0) send({ type: 'messages', messages: messages.splice(0) });
    if (dedupeMarks.length > 0) send({ type: 'deleteMarks', dedupeMarks: dedupeMarks.splice(0) });
  }

  return {
    facts: more => into(facts, ...more),
    answer: (id, taken) => into(answers, { id, taken }),
    order: order => into(orders, order),
    message: message => into(messages, message),
    delivered: (id, delivery) => into(delivered, { id, delivery }),
    opened: address => into(addresses, address),
    deleteMark: dedupeMark => into(dedupeMarks, dedupeMark),
    flush,
  };
}
