/**
 * The world of mail and webhooks as a port of the runtime. Implemented by the notification service,
 * scripted in tests.
 */
import type { NoticeMessage, NoticeOutput, SendResult } from '../../actors/notice/types.ts';

/** One round of a delivery: a repeat has the same actor, delivery and round. */
export interface NoticeOrder {
  /** Address of the actor that sends it. */
  from: string;
  round: number;
  message: NoticeMessage;
  /** `slot`: the minute, epoch ms, in which the limit of this recipient has room for it. */
  recipients: { to: string; slot: number | null }[];
}

/** The attempt whose output a notification shows. `bytes`: what it wrote; null: not known. */
export interface OutputOrder {
  execution: string;
  item: number;
  attempt: number;
  bytes: number | null;
}

export interface Notifier {
  /**
   * The end of the output, as soon as all of it is there, or after a while without it; null:
   * nothing. Never rejects; resolves with undefined when the center stops.
   */
  readOutput(order: OutputOrder): Promise<NoticeOutput | null | undefined>;
  /** Resolves with the outcome of each recipient; null: the center stops. Never rejects. */
  send(order: NoticeOrder): Promise<SendResult[] | null>;
}
