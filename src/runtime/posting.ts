/** Gathers what leaves a set of partitions within one tick into one message of each kind, in an order that keeps the promise: facts, then answers, then orders. */
import type { PlacedFact } from '../store/store.ts';
import type { CarryOrder, FromPartitions } from './boundary.ts';
import type { Taken } from './envelope.ts';

export interface Posting {
  facts(facts: PlacedFact[]): void;
  answer(id: number, taken: Taken): void;
  order(order: CarryOrder): void;
  flush(): void;
}

export function createPosting({ send }: { send(message: FromPartitions): void }): Posting {
  const facts: PlacedFact[] = [];
  const answers: { id: number; taken: Taken }[] = [];
  const orders: CarryOrder[] = [];
  let planned = false;

  function plan(): void {
    if (planned) return;
    planned = true;
    queueMicrotask(flush);
  }

  function flush(): void {
    planned = false;
    if (facts.length > 0) send({ type: 'facts', facts: facts.splice(0) });
    if (answers.length > 0) send({ type: 'answers', answers: answers.splice(0) });
    if (orders.length > 0) send({ type: 'carry', orders: orders.splice(0) });
  }

  return {
    facts(more) {
      if (more.length === 0) return;
      facts.push(...more);
      plan();
    },
    answer(id, taken) {
      answers.push({ id, taken });
      plan();
    },
    order(order) {
      orders.push(order);
      plan();
    },
    flush,
  };
}
