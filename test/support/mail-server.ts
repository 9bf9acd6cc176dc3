/** `smtp-server` on loopback: keeps what it receives, and answers as a test wants. */
import { SMTPServer } from 'smtp-server';

interface ReceivedMail {
  sender: string;
  recipients: string[];
  /** By lower-case name, unfolded. */
  headers: Record<string, string>;
  /** All parts, decoded from quoted-printable and base64. */
  body: string;
  raw: string;
  isEncrypted: boolean;
  at: number;
}

export interface MailServerOptions {
  port?: number;
  /** Answers to recipients, by address: SMTP codes. */
  refuse?: Record<string, number>;
  /** Answer to the message: a code, no answer at all, or an end of the connection before it. */
  message?: number | 'silent' | 'end';
  /** Needed to send. */
  user?: string;
  password?: string;
  tls?: 'none' | 'starttls' | 'first';
  /** PEM; default: one of nobody. */
  key?: string;
  cert?: string;
}

export interface MailServer {
  port: number;
  mails: ReceivedMail[];
  /** Changes its answers. */
  options: MailServerOptions;
  /** Resolves once there are so many mails. */
  has(count: number): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

export async function aMailServer(options: MailServerOptions = {}): Promise<MailServer> {
  const mails: ReceivedMail[] = [];
  const waiting = new Set<() => void>();
  const mailServer: MailServer = {
    port: 0,
    mails,
    options,
    has: count =>
      new Promise(resolve => {
        const look = () => {
          if (mails.length < count) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    close: async () => {},
  };
  const refusal = (code: number) => Object.assign(new Error(`refused by the test`), { responseCode: code });
  const sockets = new Set<{ destroy(): void }>();
  const tls = options.tls ?? 'none';
  const server = new SMTPServer({
    secure: tls === 'first',
    ...(options.key === undefined ? {} : { key: options.key, cert: options.cert }),
    ...(tls === 'none' ? { disabledCommands: options.user === undefined ? ['AUTH', 'STARTTLS'] : ['STARTTLS'] } : {}),
    authOptional: options.user === undefined,
    allowInsecureAuth: true,
    disableReverseLookup: true,
    logger: false,
    closeTimeout: 100,
    onAuth({ username, password }, _session, done) {
      const isRight = username === mailServer.options.user && password === mailServer.options.password;
      if (isRight) done(null, { user: username });
      else {
        const sent = Buffer.from(`\0${username}\0${password}`).toString('base64');
        done(Object.assign(new Error(`no user ${username} with ${password}, by AUTH PLAIN ${sent}`), { responseCode: 535 }));
      }
    },
    onRcptTo({ address }, _session, done) {
      const code = mailServer.options.refuse?.[address];
      if (code === undefined) done();
      else done(refusal(code));
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const { message } = mailServer.options;
        const keep = () => {
          const { mailFrom, rcptTo } = session.envelope;
          mails.push(
            readMail(
              Buffer.concat(chunks).toString(),
              mailFrom ? mailFrom.address : '',
              rcptTo.map(({ address }) => address),
              session.secure,
            ),
          );
          for (const look of [...waiting]) look();
        };
        if (message === 'silent') return;
        if (typeof message === 'number') return done(refusal(message));
        keep();
        if (message === 'end') {
          for (const socket of sockets) socket.destroy();
          return;
        }
        done();
      });
    },
  });
  server.on('error', () => {});
  server.server.on('connection', socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', () => resolve());
  });
  mailServer.port = (server.server.address() as { port: number }).port;
  let closed: Promise<void> | undefined;
  mailServer.close = () => {
    closed ??= new Promise(resolve => {
      for (const socket of sockets) socket.destroy();
      server.close(() => resolve());
    });
    return closed;
  };
  return mailServer;
}

function readMail(raw: string, sender: string, recipients: string[], isEncrypted: boolean): ReceivedMail {
  const cut = raw.indexOf('\r\n\r\n');
  const headers: Record<string, string> = {};
  for (const line of raw
    .slice(0, cut)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')) {
    const [, name = '', value = ''] = /^([^:]+):\s*(.*)$/.exec(line) ?? [];
    headers[name.toLowerCase()] = value;
  }
  return { sender, recipients, headers, body: decodedParts(raw.slice(cut + 4)), raw, isEncrypted, at: Date.now() };
}

function decodedParts(body: string): string {
  return body
    .split(/\r\n--[^\r\n]+\r\n/)
    .map(part => {
      const [head = '', ...rest] = part.split('\r\n\r\n');
      const text = rest.join('\r\n\r\n');
      if (/transfer-encoding: base64/i.test(head)) return Buffer.from(text, 'base64').toString();
      if (!/transfer-encoding: quoted-printable/i.test(head)) return part;
      const bytes = text.replace(/=\r\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
      return Buffer.from(bytes, 'latin1').toString();
    })
    .join('\n')
    .replaceAll('\r\n', '\n');
}
