/** Mail over SMTP by nodemailer, which is loaded with the first mail. */
import type { SendResult } from '../../../actors/notice/types.ts';
import { isLoopbackHost } from '../../lib/ip-ranges.ts';
import { createSemaphore } from '../../lib/semaphore.ts';
import type { Mail, MailPort } from './mail.ts';

export interface SmtpServer {
  host: string;
  port: number;
  /** TLS from the first byte; else STARTTLS where the server offers it. */
  tls: boolean;
  user: string | null;
  password: string | null;
}

/** Connections at a time. */
const AT_ONCE = 8;
const CONNECT_MS = 15_000;
/** Without a byte from the server. */
const SILENT_MS = 30_000;
/** Longest part of an answer of the server that facts repeat. */
const REASON_MAX = 300;

/** `answerMs`: longest silence of the server, `ca`: a certificate to trust; for tests. */
export function createSmtp({
  server,
  from,
  answerMs = SILENT_MS,
  ca,
}: {
  server: SmtpServer;
  from: string;
  answerMs?: number;
  ca?: string;
}): MailPort {
  const slots = createSemaphore(AT_ONCE);
  let transport: Promise<Transport> | undefined;
  const secrets = secretsOf(server);

  return {
    send: (mail, signal) =>
      slots.run(async () => {
        transport ??= connect(server, answerMs, ca);
        try {
          const info = await (await transport).sendMail({ ...contentOf(mail, from), signal });
          return outcomes(mail, info.rejectedErrors ?? [], undefined, secrets);
        } catch (error) {
          const failure = error as Failure;
          return outcomes(mail, failure.rejectedErrors ?? [], failure, secrets);
        }
      }),
  };
}

/** What is used of the errors of nodemailer. */
interface Failure {
  message: string;
  recipient?: string;
  responseCode?: number;
  command?: string;
  rejectedErrors?: Failure[];
}

interface Transport {
  sendMail(mail: object): Promise<{ rejectedErrors?: Failure[] }>;
}

async function connect({ host, port, tls, user, password }: SmtpServer, answerMs: number, ca: string | undefined): Promise<Transport> {
  const { createTransport } = await import('nodemailer');
  return createTransport({
    host,
    port,
    secure: tls,
    // A password does not cross the network in the clear.
    requireTLS: !tls && password !== null && !isLoopbackHost(host),
    ...(user !== null && { auth: { user, pass: password ?? '' } }),
    connectionTimeout: Math.min(CONNECT_MS, answerMs),
    greetingTimeout: Math.min(CONNECT_MS, answerMs),
    socketTimeout: answerMs,
    ...(ca !== undefined && { tls: { ca } }),
    disableFileAccess: true,
    disableUrlAccess: true,
  }) as unknown as Transport;
}

const contentOf = ({ messageId, delivery, date, subject, text, html, to, recipients }: Mail, from: string) => ({
  messageId: `<${messageId}>`,
  date,
  subject,
  text,
  html,
  to,
  from,
  envelope: { from, to: recipients },
  // The same in a repeat.
  baseBoundary: messageId.replace(/[^A-Za-z0-9]/g, '').slice(0, 40),
  headers: { 'X-Troupe-Delivery': delivery, 'Auto-Submitted': 'auto-generated' },
});

function outcomes({ recipients }: Mail, rejected: Failure[], failure: Failure | undefined, secrets: string[]): SendResult[] {
  return recipients.map(to => {
    const own = rejected.find(({ recipient }) => recipient?.toLowerCase() === to.toLowerCase()) ?? failure;
    return own
      ? { to, outcome: isFinal(own) ? 'refused' : 'failed', reason: reasonOf(own, secrets) }
      : { to, outcome: 'sent', reason: null };
  });
}

/** A 5xx for this recipient, or for the message: another try would get the same answer. */
const isFinal = ({ responseCode = 0, command = '' }: Failure): boolean => responseCode >= 500 && /^(RCPT TO|DATA)/.test(command);

/** Name and password as a server may repeat them: plain, and as AUTH LOGIN and PLAIN send them. */
function secretsOf({ user, password }: SmtpServer): string[] {
  const plain = [user ?? '', password ?? ''].filter(secret => secret !== '');
  const base64 = [...plain, `\0${user ?? ''}\0${password ?? ''}`].map(text => Buffer.from(text).toString('base64'));
  // The longest first: one may be part of another.
  return plain.length === 0 ? [] : [...plain, ...base64].sort((a, b) => b.length - a.length);
}

function reasonOf({ message }: Failure, secrets: string[]): string {
  const masked = secrets.reduce((text, secret) => text.replaceAll(secret, '******'), message);
  return `the mail server: ${masked.replace(/\s+/g, ' ').slice(0, REASON_MAX)}`;
}
