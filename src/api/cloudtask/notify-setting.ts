/** `notifysetting` of a job: who is notified, with the addresses in one text. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { NoticeSetting, NotifySettings } from '../../../actors/notice/types.ts';
import { quotedValue } from '../../../actors/schedule/error.ts';
import { field, flag, isRecipient, text } from '../../protocol/rest/fields.ts';
import { RECIPIENTS_MAX, subject } from '../../protocol/rest/notify.ts';

/** The parts of a text; blanks around them do not count. */
const partsOf = (to: string): string[] => (to.trim() === '' ? [] : to.split(';').map(part => part.replace(/^ +| +$/g, '')));

const notice = (kind: 'succeed' | 'failed') =>
  z
    .object(
      {
        enabled: field(flag(), 'whether it is sent', { example: false }).default(false),
        subject: field(subject(), 'subject of the mail; empty: Job Succeed or Job Failed', { example: 'Job Failed' }).default(''),
        to: field(text(), `at most ${RECIPIENTS_MAX} mail or http(s) addresses, separated by semicolons`, {
          example: 'ops@example.org;https://hooks.example.org/troupe',
        }).default(''),
        content: field(text(), 'what the mail says first', { example: 'Cloudtask Job failed, please check' }).default(''),
      },
      'an object {enabled, subject, to, content}',
    )
    .superRefine(({ enabled, to }, context) => {
      const isNobody = enabled && partsOf(to).length === 0;
      const wrong = isNobody ? 'names nobody, but must have at least one address while enabled is true' : wrongIn(to);
      if (wrong !== undefined) context.addIssue({ code: 'custom', path: ['to'], message: `notifysetting.${kind}.to ${wrong}.` });
    });

function wrongIn(to: string): string | undefined {
  const parts = partsOf(to);
  if (parts.length > RECIPIENTS_MAX) return `has ${parts.length} addresses, but at most ${RECIPIENTS_MAX} are taken`;
  const wrong = parts.find(part => !isRecipient(part));
  if (wrong === undefined) return undefined;
  if (wrong === '') return 'has an empty part, but must be addresses with one semicolon between';
  return `has ${quotedValue(wrong)}, but must be mail or http(s) addresses with semicolons between`;
}

export const NotifySetting = z.object(
  {
    succeed: field(notice('succeed'), 'when an execution succeeds').prefault({}),
    failed: field(notice('failed'), 'when one fails, times out or is lost').prefault({}),
  },
  'an object {succeed, failed}',
);
export type NotifySetting = z.output<typeof NotifySetting>;

const KINDS = ['succeed', 'failed'] as const;
const NOBODY: NotifySettings = { succeed: null, failed: null };
const NOTHING = { enabled: false, subject: '', to: '', content: '' };

export function notifyOf(setting: NotifySetting): NotifySettings {
  const [succeed = null, failed = null] = KINDS.map((kind): NoticeSetting | null =>
    isDeepStrictEqual(setting[kind], NOTHING) ? null : { ...setting[kind], to: partsOf(setting[kind].to) },
  );
  return { succeed, failed };
}

/** `given`: what a request said; it is repeated while it means the same. */
export function notifySettingOf({ succeed, failed }: NotifySettings = NOBODY, given?: NotifySetting): NotifySetting {
  if (given !== undefined && isDeepStrictEqual(notifyOf(given), { succeed, failed })) return given;
  const textOf = (notice: NoticeSetting | null) =>
    notice ? { enabled: notice.enabled, subject: notice.subject, to: notice.to.join(';'), content: notice.content } : NOTHING;
  return { succeed: textOf(succeed), failed: textOf(failed) };
}
