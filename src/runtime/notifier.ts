/**
 * The world of mail and webhooks as a port of the runtime. Implemented by the notification service,
 * scripted in tests.
 */
import type { NoticeMessage, SendResult } from '../../actors/notice/types.ts';

/** One round of a delivery: a repeat has the same actor, delivery and round. */
export interface NoticeOrder {
  /** Address of the actor that sends it. */
  from: string;
  round: number;
  message: NoticeMessage;
  /** `slot`: the minute, epoch ms, in which the limit of this recipient has room for it. */
  recipients: { to: string; slot: number | null }[];
}

export interface Notifier {
  /** Resolves with the outcome of each recipient; null: the center stops. Never rejects. */
  send(order: NoticeOrder): Promise<SendResult[] | null>;
}
