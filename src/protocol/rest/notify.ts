/** Who is notified of the end of executions: a setting of a job. */
import { z } from 'zod';
import { address, field, flag, line, text } from './fields.ts';

/** Addresses of one notice. */
export const RECIPIENTS_MAX = 50;
const toRule = `a list of at most ${RECIPIENTS_MAX} mail or http(s) addresses`;
const noticeRule = 'an object {enabled, subject, to, content}, or null';

export const subject = () => line(1_000);

const recipients = () => z.array(address(), toRule).max(RECIPIENTS_MAX, toRule);

/** `flagName`: the flag that takes the addresses; the others begin with it. */
const notice = (flagName: string, usual: string) =>
  z
    .strictObject(
      {
        enabled: field(flag(), 'whether it is sent', { flag: null }).default(true),
        subject: field(subject(), `subject of the mail; default: ${usual}`, {
          example: usual,
          flag: `${flagName}-subject`,
          help: 'subject of that mail',
          usual,
        }).default(''),
        to: field(recipients(), 'mail and http(s) addresses', {
          example: ['ops@example.org', 'https://hooks.example.org/troupe'],
          flag: flagName,
          takes: 'ADDRESS',
          help:
            flagName === 'notify-failed' ? 'notified when an execution fails, times out or is lost' : 'notified when an execution succeeds',
        }).default([]),
        content: field(text(), 'what it says first', {
          example: 'see the handbook, page 12',
          flag: `${flagName}-content`,
          help: 'what that message says first',
        }).default(''),
      },
      noticeRule,
    )
    .superRefine(({ enabled, to }, context) => {
      if (enabled && to.length === 0) context.addIssue({ code: 'custom', path: ['to'], message: 'a list of at least one address' });
    })
    .nullable();

export const NotifyFields = z.strictObject(
  {
    succeed: field(notice('notify-succeed', 'Job Succeed'), 'sent when an execution succeeds; null: not').default(null),
    failed: field(notice('notify-failed', 'Job Failed'), 'sent when one fails, times out or is lost; null: not').default(null),
  },
  'an object {succeed, failed}',
);
