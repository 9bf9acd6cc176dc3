/** A notifier by hand: keeps what it is asked to send, and answers as it is told. */
import type { SendResult } from '../../actors/notice/types.ts';
import type { NoticeOrder, Notifier } from '../../src/runtime/notifier.ts';

export interface ScriptedNotifier extends Notifier {
  orders: NoticeOrder[];
  /** How each recipient is answered. Default: it is sent. */
  answer(to: string, order: NoticeOrder): SendResult | Promise<SendResult>;
}

export function scriptedNotifier(): ScriptedNotifier {
  const notifier: ScriptedNotifier = {
    orders: [],
    readOutput: async () => null,
    answer: to => ({ to, outcome: 'sent', reason: null }),
    async send(order) {
      notifier.orders.push(order);
      return Promise.all(order.recipients.map(({ to }) => notifier.answer(to, order)));
    },
  };
  return notifier;
}
