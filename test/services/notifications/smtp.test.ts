/** Mail over SMTP, against `smtp-server` on loopback. */
import { afterEach, describe, expect, test } from 'bun:test';
import { readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Mail } from '../../../src/services/notifications/mail.ts';
import { createSmtp, type SmtpServer } from '../../../src/services/notifications/smtp.ts';
import { aMailServer, type MailServer, type MailServerOptions } from '../../support/mail-server.ts';
import { tempDir } from '../../support/temp-dir.ts';

let server: MailServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const FROM = 'troupe@example.org';
const mail = (changes: Partial<Mail> = {}): Mail => ({
  messageId: 'a=3aabc-1@example.org',
  delivery: 'notice/a:abc-1',
  date: new Date(Date.UTC(2026, 10, 22, 8)),
  subject: 'Job Failed',
  text: 'plain words\n',
  html: '<p>plain words</p>\n',
  to: ['a@x.org', 'b@x.org'],
  recipients: ['a@x.org', 'b@x.org'],
  ...changes,
});

async function sent(options: MailServerOptions, { settings = {}, ...changes }: Partial<Mail> & { settings?: Partial<SmtpServer> } = {}) {
  server = await aMailServer(options);
  const at = { host: '127.0.0.1', port: server.port, tls: false, user: null, password: null, ...settings };
  const port = createSmtp({ server: at, from: FROM, answerMs: 500 });
  return port.send(mail(changes), new AbortController().signal);
}
const outcomesOf = (results: Awaited<ReturnType<typeof sent>>) => Object.fromEntries(results.map(({ to, outcome }) => [to, outcome]));

describe('mail over SMTP', () => {
  test('one message goes to all recipients, with subject, text, HTML and the headers of its delivery', async () => {
    expect(outcomesOf(await sent({}))).toEqual({ 'a@x.org': 'sent', 'b@x.org': 'sent' });
    expect(server?.mails).toHaveLength(1);
    const [received] = server?.mails ?? [];
    expect(received?.recipients).toEqual(['a@x.org', 'b@x.org']);
    expect(received?.sender).toBe(FROM);
    const { headers, body } = received ?? { headers: {}, body: '' };
    expect(headers).toMatchObject({
      subject: 'Job Failed',
      from: FROM,
      to: 'a@x.org, b@x.org',
      'message-id': '<a=3aabc-1@example.org>',
      'x-troupe-delivery': 'notice/a:abc-1',
      'auto-submitted': 'auto-generated',
      date: 'Sun, 22 Nov 2026 08:00:00 +0000',
    });
    expect(body).toContain('plain words');
    expect(body).toContain('<p>plain words</p>');
  });

  test('a repeat is the same message, byte for byte', async () => {
    await sent({});
    const port = createSmtp({
      server: { host: '127.0.0.1', port: server?.port ?? 0, tls: false, user: null, password: null },
      from: FROM,
    });
    await port.send(mail({ recipients: ['b@x.org'] }), new AbortController().signal);
    const [first, second] = server?.mails ?? [];
    expect(second?.recipients).toEqual(['b@x.org']);
    expect(second?.raw).toBe(first?.raw as string);
  });

  test('a recipient that is refused for good or for now keeps no other from the message', async () => {
    const refuse = { 'a@x.org': 550, 'b@x.org': 451 };
    const results = await sent({ refuse }, { recipients: ['a@x.org', 'b@x.org', 'c@x.org'] });
    expect(outcomesOf(results)).toEqual({ 'a@x.org': 'refused', 'b@x.org': 'failed', 'c@x.org': 'sent' });
    expect(server?.mails.map(({ recipients }) => recipients)).toEqual([['c@x.org']]);
    expect(results[0]?.reason).toContain('550');
  });

  test('all recipients refused are each refused for good or for now', async () => {
    expect(outcomesOf(await sent({ refuse: { 'a@x.org': 550, 'b@x.org': 450 } }))).toEqual({ 'a@x.org': 'refused', 'b@x.org': 'failed' });
    expect(server?.mails).toEqual([]);
  });

  test('a message that is refused for good is, and one that is refused for now is tried again', async () => {
    expect(outcomesOf(await sent({ message: 554 }))).toEqual({ 'a@x.org': 'refused', 'b@x.org': 'refused' });
    await server?.close();
    expect(outcomesOf(await sent({ message: 451 }))).toEqual({ 'a@x.org': 'failed', 'b@x.org': 'failed' });
  });

  test('a server that takes the message and ends before it says so has failed: it is tried again', async () => {
    expect(outcomesOf(await sent({ message: 'end' }))).toEqual({ 'a@x.org': 'failed', 'b@x.org': 'failed' });
    expect(server?.mails).toHaveLength(1);
  });

  test('a server that is silent is given up after a while', async () => {
    const [first] = await sent({ message: 'silent' });
    expect(first?.outcome).toBe('failed');
  });

  test('a server that is not there has failed, with the reason', async () => {
    server = await aMailServer({});
    const { port } = server;
    await server.close();
    const gone = createSmtp({ server: { host: '127.0.0.1', port, tls: false, user: null, password: null }, from: FROM });
    const [first] = await gone.send(mail(), new AbortController().signal);
    expect(first).toMatchObject({ outcome: 'failed' });
    expect(first?.reason).toContain('ECONNREFUSED');
  });

  test('a sender or a password that the server does not take is no fault of the recipients: it is tried again', async () => {
    const results = await sent({ user: 'me', password: 'right' }, { settings: { user: 'me', password: 'wr0ng-secret' } });
    expect(outcomesOf(results)).toEqual({ 'a@x.org': 'failed', 'b@x.org': 'failed' });
    expect(JSON.stringify(results)).not.toContain('wr0ng-secret');
    expect(JSON.stringify(results)).not.toContain(Buffer.from('\0me\0wr0ng-secret').toString('base64'));
    expect(results[0]?.reason).toContain('AUTH PLAIN ******');
  });

  test('a server with STARTTLS and one with TLS from the first byte are spoken to in TLS, and a certificate of nobody is refused', async () => {
    const [starttls] = await sent({ tls: 'starttls' });
    expect(starttls).toMatchObject({ outcome: 'failed' });
    expect(starttls?.reason).toMatch(/certificate|self.signed/i);
    await server?.close();
    const [tls] = await sent({ tls: 'first' }, { settings: { tls: true } });
    expect(tls?.reason).toMatch(/certificate|self.signed/i);
    expect(server?.mails).toEqual([]);
  });

  test('a mail to a server with STARTTLS, or TLS from the first byte, crosses the network encrypted, its password too', async () => {
    const directory = tempDir('certificate');
    const files = ['-keyout', join(directory, 'key'), '-out', join(directory, 'cert')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const made = Bun.spawnSync(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files]);
    expect(made.exitCode).toBe(0);
    const [key, cert] = [readFileSync(join(directory, 'key'), 'utf8'), readFileSync(join(directory, 'cert'), 'utf8')];
    for (const tls of ['starttls', 'first'] as const) {
      server = await aMailServer({ tls, key, cert, user: 'me', password: 'secret' });
      const at = { host: 'localhost', port: server.port, tls: tls === 'first', user: 'me', password: 'secret' };
      const results = await createSmtp({ server: at, from: FROM, ca: cert }).send(mail(), new AbortController().signal);
      expect(outcomesOf(results)).toEqual({ 'a@x.org': 'sent', 'b@x.org': 'sent' });
      expect(server.mails.map(({ isEncrypted }) => isEncrypted)).toEqual([true]);
      await server.close();
    }
    rmSync(directory, { recursive: true });
  });

  test('a line break in a subject adds no header', async () => {
    await sent({}, { subject: 'a\r\nBcc: evil@x.org\r\n\r\nbody' });
    const [received] = server?.mails ?? [];
    expect(received?.headers.bcc).toBeUndefined();
    expect(received?.recipients).toEqual(['a@x.org', 'b@x.org']);
  });

  test('the mail server of the tests is gone when it is closed', async () => {
    server = await aMailServer({});
    const { port } = server;
    await server.close();
    const answer = await new Promise<string>(resolve => {
      const socket = connect(port, '127.0.0.1', () => resolve('connected'));
      socket.on('error', error => resolve((error as { code?: string }).code ?? ''));
    });
    expect(answer).toBe('ECONNREFUSED');
  });
});
