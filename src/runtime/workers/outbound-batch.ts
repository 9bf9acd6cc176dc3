/**
 * Gathers what leaves a set of partitions within one tick into one message of each kind, in an
 * order that keeps the promise: facts, then answers, then orders.
 */
import { createCoalesced } from '../../lib/batch.ts';
import type { PlacedFact } from '../../store/port.ts';
import type { Taken } from '../envelope.ts';
import type { Delivery } from '../outbox.ts';
import type { CarryOrder, FromPartitions, Message, StepMark } from './messages.ts';

export interface OutboundBatch {
  facts(facts: PlacedFact[]): void;
  answer(id: number, taken: Taken): void;
  order(order: CarryOrder): void;
  /** For an actor of another set. */
  message(message: Message): void;
  /** What became of a message of another set. */
  delivered(id: number, delivery: Delivery): void;
  opened(address: string): void;
  forget(mark: StepMark): void;
  flush(): void;
}

export function createOutboundBatch({ send }: { send(message: FromPartitions): void }): OutboundBatch {
  const facts: PlacedFact[] = [];
  const answers: { id: number; taken: Taken }[] = [];
  const delivered: { id: number; delivery: Delivery }[] = [];
  const orders: CarryOrder[] = [];
  const messages: Message[] = [];
  const addresses: string[] = [];
  const marks: StepMark[] = [];
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
    // Behind what was sent away: whoever hears that it is open must know by then that it stood
    // before a closed door.
    if (addresses.length > 0) send({ type: 'opened', addresses: addresses.splice(0) });
    if (orders.length > 0) send({ type: 'carry', orders: orders.splice(0) });
    if (messages.length > 0) send({ type: 'messages', messages: messages.splice(0) });
    if (marks.length > 0) send({ type: 'forget', marks: marks.splice(0) });
  }

  return {
    facts: more => into(facts, ...more),
    answer: (id, taken) => into(answers, { id, taken }),
    order: order => into(orders, order),
    message: message => into(messages, message),
    delivered: (id, delivery) => into(delivered, { id, delivery }),
    opened: address => into(addresses, address),
    forget: mark => into(marks, mark),
    flush,
  };
}
