/** A letter as a mail: plain text, and simple HTML with the same words. */
import type { NoticeMessage, SendResult } from '../../../actors/notice/types.ts';
import type { Letter } from './letter.ts';

export interface Mail {
  /** Without angle brackets; a repeat has the same. */
  messageId: string;
  /** Header `X-Troupe-Delivery`. */
  delivery: string;
  date: Date;
  subject: string;
  text: string;
  html: string;
  /** Whom it names as its recipients. */
  to: string[];
  /** Who gets it now. */
  recipients: string[];
}

/** Takes one mail to a server. */
export interface MailPort {
  /** Resolves with the outcome of each recipient. Never rejects. */
  send(mail: Mail, signal: AbortSignal): Promise<SendResult[]>;
}

/** Made of actor and delivery. `domain`: of the sender. */
export function messageIdOf({ id }: Pick<NoticeMessage, 'id'>, domain: string): string {
  // A local part takes these as they are; a dot only between others.
  const local = id.replace(/[^A-Za-z0-9_-]/g, one => `=${one.charCodeAt(0).toString(16)}`);
  return `${local}@${domain}`;
}

export const mailText = ({ content, facts, others, output }: Letter): string => {
  const width = Math.max(...facts.map(([name]) => name.length)) + 2;
  return [
    ...(content === '' ? [] : [content, '']),
    ...facts.map(([name, value]) => `${name.padEnd(width)}${value}`),
    ...(others ? ['', `${others.caption}:`, ...others.lines.map(line => `  ${line}`)] : []),
    ...(output ? ['', `${output.caption}:`, '', output.text] : []),
    '',
  ].join('\n');
};

const FONT = 'font-family:-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif;font-size:15px;line-height:1.5;color:#1c2127';
const MONO = 'font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px;line-height:1.45';
const BOX = `${MONO};background:#f4f6f8;border:1px solid #d8dee4;border-radius:6px;padding:12px;white-space:pre-wrap;overflow-wrap:anywhere;margin:0`;

export const mailHtml = ({ subject, content, facts, others, output }: Letter): string =>
  [
    '<!doctype html>',
    `<html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(subject)}</title></head>`,
    `<body style="margin:0;padding:24px;background:#ffffff"><div style='${FONT};max-width:720px;margin:0 auto'>`,
    `<h1 style="font-size:20px;margin:0 0 12px">${escaped(subject)}</h1>`,
    ...(content === '' ? [] : [`<p style="margin:0 0 16px;white-space:pre-wrap">${escaped(content)}</p>`]),
    '<table style="border-collapse:collapse;margin:0 0 20px">',
    ...facts.map(
      ([name, value]) =>
        `<tr><td style="padding:3px 20px 3px 0;color:#59636e;vertical-align:top;white-space:nowrap">${escaped(name)}</td>` +
        `<td style="padding:3px 0;overflow-wrap:anywhere">${escaped(value)}</td></tr>`,
    ),
    '</table>',
    ...(others ? section(others.caption, others.lines.join('\n')) : []),
    ...(output ? section(output.caption, output.text) : []),
    '</div></body></html>',
    '',
  ].join('\n');

const section = (caption: string, text: string): string[] => [
  `<h2 style="font-size:15px;margin:0 0 6px">${escaped(caption)}</h2>`,
  `<pre style='${BOX};margin-bottom:20px'>${escaped(text)}</pre>`,
];

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escaped = (text: string): string => text.replace(/[&<>"']/g, one => ENTITIES[one] as string);
