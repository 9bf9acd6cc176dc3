/**
 * Mail as a port that fails: a server that is away, refuses, is slow, or takes a message and dies
 * before it says so. Keeps what it took.
 */
import type { SendResult } from '../../actors/notice/types.ts';
import type { Mail, MailPort } from '../../src/services/notifications/mail.ts';
import type { SimulatedSystem } from './system.ts';
import type { Program } from './time.ts';

export interface SimulatedMail {
  /** For one life of a center. */
  portOf(program: Program): MailPort;
  /** By Message-ID: the messages that were taken, and their recipients. */
  readonly taken: ReadonlyMap<string, { texts: Set<string>; recipients: Set<string> }>;
  /** From now on it takes all messages. */
  heal(): void;
}

/** The server refuses this one for good. */
export const NOBODY = 'nobody@x.org';

export function createSimulatedMail({ system }: { system: SimulatedSystem }): SimulatedMail {
  const random = system.random('mail');
  const { time } = system;
  const taken = new Map<string, { texts: Set<string>; recipients: Set<string> }>();
  let isHealthy = false;

  function take({ messageId, text, subject, html, date, recipients }: Mail, to: string): void {
    const message = taken.get(messageId) ?? { texts: new Set(), recipients: new Set() };
    taken.set(messageId, message);
    message.texts.add(JSON.stringify([subject, date, text, html]));
    message.recipients.add(to);
    system.note('mail', () => `${messageId} to ${to} of ${recipients.join(' ')}`);
  }

  /** What happens to one recipient; null: nothing more, the connection is gone. */
  function deliver(mail: Mail, to: string): SendResult {
    const result = (outcome: SendResult['outcome'], reason: string | null): SendResult => ({ to, outcome, reason });
    if (to === NOBODY) return result('refused', '550 no such user');
    if (!isHealthy && random.chance(0.25)) return result('failed', '451 try again later');
    take(mail, to);
    return !isHealthy && random.chance(0.15) ? result('failed', 'the connection is gone') : result('sent', null);
  }

  return {
    taken,
    portOf: program => ({
      send: mail =>
        new Promise(resolve => {
          const isAway = !isHealthy && random.chance(0.3);
          const ms = isHealthy ? 20 : random.whole(1, 3_000);
          time.clockOf(program).after(ms, () => {
            if (isAway) resolve(mail.recipients.map(to => ({ to, outcome: 'failed', reason: 'ECONNREFUSED' })));
            else resolve(mail.recipients.map(to => deliver(mail, to)));
          });
        }),
    }),
    heal() {
      isHealthy = true;
    },
  };
}
