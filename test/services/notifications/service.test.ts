/** What the notification service sends: letters, mails, webhooks, and the limit per recipient. */
import { afterEach, describe, expect, test } from 'bun:test';
import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { NoticeMessage, RunNotice, SendResult } from '../../../actors/notice/types.ts';
import { ForbiddenAddress, requestBy } from '../../../src/lib/checked-request.ts';
import type { NoticeOrder } from '../../../src/runtime/notifier.ts';
import { createNotificationService, type NotificationParts } from '../../../src/services/notifications/index.ts';
import type { Mail } from '../../../src/services/notifications/mail.ts';
import { createWebhooks } from '../../../src/services/notifications/webhook.ts';
import { createMemoryStore } from '../../../src/store/memory/index.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const AT = Date.UTC(2026, 10, 22, 8);
const MINUTE_MS = 60_000;
const entry = (changes: Partial<RunNotice> = {}): RunNotice => ({
  ...{ type: 'run', execution: 'a@1', outcome: 'failed', startedAt: AT - 61_000, at: AT, shards: 1, item: 0, attempt: 1 },
  ...{ host: 'web-1', exitCode: 3, signal: null, reason: 'exit status 3', outputBytes: 5 },
  ...changes,
});
const message = (changes: Partial<NoticeMessage> = {}): NoticeMessage => {
  const last = changes.last ?? entry();
  return {
    ...{ about: { type: 'job', name: 'a', pool: 'west' }, kind: 'failed', subject: '', content: '', to: ['ops@x.org'] },
    ...{ count: 1, entries: [last], last, delivery: 1, id: 'a:k-1', at: AT, output: { text: 'hello\n', isCut: false } },
    ...changes,
  };
};
const order = (changes: Partial<NoticeMessage> = {}, round = 1): NoticeOrder => {
  const whole = message(changes);
  return { from: 'notice/a', round, message: whole, recipients: whole.to.map(to => ({ to, slot: null })) };
};

function aService(parts: Partial<NotificationParts> = {}) {
  const clock = createManualClock(AT);
  const mails: Mail[] = [];
  const world = {
    clock,
    mails,
    store: createMemoryStore(),
    answer: (to: string): SendResult => ({ to, outcome: 'sent', reason: null }),
  };
  const service = createNotificationService({
    ...{ clock, output: world.store, domain: 'x.org', perMinute: 60 },
    mail: {
      async send(mail) {
        mails.push(mail);
        return mail.recipients.map(to => world.answer(to));
      },
    },
    webhooks: { send: async ({ url }) => ({ to: url, outcome: 'sent', reason: null }) },
    ...parts,
  });
  return { ...world, world, service };
}

describe('a mail', () => {
  test('a mail has the subject of the job, its content, and what happened', async () => {
    const { service, mails } = aService();
    await service.send(order({ subject: 'Nightly broke', content: 'see page 12' }));
    expect(mails).toHaveLength(1);
    expect(mails[0]).toMatchObject({ subject: 'Nightly broke', delivery: 'notice/a:k-1', messageId: 'a=3ak-1@x.org', date: new Date(AT) });
    expect(mails[0]?.text).toBe(`see page 12

Job        a
Runtime    west
Outcome    failed
Server     web-1
Begin      2026-11-22 07:58:59 UTC
End        2026-11-22 08:00:00 UTC
Duration   1 min 1 s
Exit code  3
Reason     exit status 3
Execution  a@1

Output:

hello

`);
  });

  test('a mail without a subject says Job Succeed or Job Failed, and the host of a pool', async () => {
    const { service, mails } = aService();
    await service.send(order());
    await service.send(order({ kind: 'succeed', id: 'a:k-2' }));
    const host = { type: 'host', host: 'h-1', name: 'web-1', address: '10.0.0.1', at: AT } as const;
    await service.send(
      order({ about: { type: 'pool', name: 'west' }, kind: 'hostLost', last: host, entries: [host], id: 'p:k-1', output: null }),
    );
    expect(mails.map(({ subject }) => subject)).toEqual(['Job Failed', 'Job Succeed', 'Host Lost: web-1']);
    expect(mails[2]?.text).toContain('Event    lost');
  });

  test('a mail shows output as text: no markup in HTML, no colours, no controls', async () => {
    const { service, mails } = aService();
    const text = '<script>alert(1)</script> & "q"\n\u001b[31mred\u001b[0m\n10%\r20%\r30%\nbell\u0007';
    await service.send(order({ content: '<b>x</b>', output: { text, isCut: true } }));
    const { html = '', text: plain = '' } = mails[0] ?? {};
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;q&quot;');
    expect(html).not.toContain('<script>');
    expect(html).not.toContain('<b>x</b>');
    expect(plain).toContain('Output, its last 8 KB:');
    expect(plain).toContain('\nred\n30%\nbell\\x07');
  });

  test('a mail that stands for several executions lists them, oldest first, and counts those that it does not list', async () => {
    const { service, mails } = aService();
    const entries = [entry({ execution: 'a@1' }), entry({ execution: 'a@2' })];
    await service.send(order({ count: 12, entries, last: entry({ execution: 'a@12' }) }));
    const { text = '' } = mails[0] ?? {};
    expect(text).toContain('This message stands for 12 executions, oldest first:');
    expect(text.match(/a@\d+ {2}exit|… \d+ more …/g)).toEqual(['a@1  exit', 'a@2  exit', '… 9 more …', 'a@12  exit']);
  });

  test('a mail is one message to all recipients, webhooks are no recipients of it', async () => {
    const { service, mails } = aService();
    const results = await service.send(order({ to: ['a@x.org', 'https://h.example.org/x', 'b@x.org'] }));
    expect(mails.map(({ to, recipients }) => [to, recipients])).toEqual([
      [
        ['a@x.org', 'b@x.org'],
        ['a@x.org', 'b@x.org'],
      ],
    ]);
    expect(results?.map(({ outcome }) => outcome)).toEqual(['sent', 'sent', 'sent']);
  });

  test('a round that is asked for again is not sent again', async () => {
    const { service, mails } = aService();
    const [first, second] = await Promise.all([service.send(order()), service.send(order())]);
    expect(await service.send(order())).toEqual(first as SendResult[]);
    expect(second).toEqual(first as SendResult[]);
    expect(mails).toHaveLength(1);
  });

  test('without a mail server nothing is sent, and the reason says so', async () => {
    const { service } = aService({ mail: null });
    expect(await service.send(order())).toEqual([
      { to: 'ops@x.org', outcome: 'refused', reason: 'mail is not sent: TROUPE_SMTP is not set' },
    ]);
  });
});

describe('the limit of a recipient', () => {
  test('the limit of a recipient lets so many through per minute over all jobs, and gives each other one its minute', async () => {
    const { service, clock, mails } = aService({ perMinute: 2 });
    const send = async (job: string, slot: number | null = null, round = 1) => {
      const asked = order({ id: `${job}:k-1` }, round);
      const [result] = (await service.send({ ...asked, recipients: [{ to: 'ops@x.org', slot }] })) ?? [];
      return result;
    };
    const first = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(job => send(job)));
    expect(first.map(result => result?.outcome)).toEqual(['sent', 'sent', 'limited', 'limited', 'limited']);
    expect(first.map(result => result?.slot)).toEqual([undefined, undefined, AT + MINUTE_MS, AT + MINUTE_MS, AT + 2 * MINUTE_MS]);
    await clock.advance(MINUTE_MS);
    // A new one does not take the place of those that waited.
    expect((await send('f'))?.slot).toBe(AT + 2 * MINUTE_MS);
    expect((await send('c', AT + MINUTE_MS, 2))?.outcome).toBe('sent');
    expect((await send('d', AT + MINUTE_MS, 2))?.outcome).toBe('sent');
    expect(mails).toHaveLength(4);
  });

  test('the limit of a recipient does not count what was not sent', async () => {
    const { service, world } = aService({ perMinute: 1 });
    world.answer = to => ({ to, outcome: 'failed', reason: 'away' });
    expect((await service.send(order()))?.[0]?.outcome).toBe('failed');
    world.answer = to => ({ to, outcome: 'sent', reason: null });
    expect((await service.send(order({}, 2)))?.[0]?.outcome).toBe('sent');
  });
});

describe('the output of a notification', () => {
  const piece = (seq: number, text: string) => ({
    ...{ execution: 'a@1', item: 0, attempt: 1, seq, at: AT, stream: 'stdout' as const, text, leftOut: 0 },
    bytes: Buffer.byteLength(text),
  });
  const attempt = { execution: 'a@1', item: 0, attempt: 1 };

  test('the output of a notification is awaited until all of it is there', async () => {
    const { service, clock, store } = aService();
    await store.keepOutput([piece(1, 'first ')]);
    const reading = service.readOutput({ ...attempt, bytes: 10 });
    await clock.advance(100);
    await store.keepOutput([piece(2, 'last')]);
    await clock.advance(500);
    expect(await reading).toEqual({ text: 'first last', isCut: false });
  });

  test('the output of a notification that never comes is not awaited for ever', async () => {
    const { service, clock } = aService();
    const reading = service.readOutput({ ...attempt, bytes: 10 });
    await clock.advance(6_000);
    expect(await reading).toBeNull();
  });

  test('the output of a notification is its last 8 KB, without half a character', async () => {
    const { service, store } = aService();
    await store.keepOutput(Array.from({ length: 300 }, (_, each) => piece(each + 1, '€'.repeat(100))));
    const output = await service.readOutput({ ...attempt, bytes: null });
    expect(output?.isCut).toBe(true);
    expect(Buffer.byteLength(output?.text ?? '')).toBeLessThanOrEqual(8_192);
    expect(output?.text.replaceAll('€', '')).toBe('');
  });
});

describe('a webhook', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
  });
  const serve = async (answer: (request: IncomingMessage, body: string, response: ServerResponse) => void): Promise<string> => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', chunk => {
        body += chunk;
      });
      request.on('end', () => answer(request, body, response));
    });
    await new Promise<void>(resolve => server?.listen(0, '127.0.0.1', () => resolve()));
    return `http://127.0.0.1:${(server.address() as { port: number }).port}/x?y=z`;
  };
  const send = (url: string, { clock = createManualClock(AT), secret = null as string | null } = {}) =>
    createWebhooks({ clock, secret }).send({ url, delivery: 'notice/a:k-1', body: '{"a":1}' }, new AbortController().signal);

  test('a webhook gets a POST with its delivery and a signature of time and body', async () => {
    const got: { headers: IncomingMessage['headers']; body: string; method: string; url: string }[] = [];
    const url = await serve((request, body, response) => {
      got.push({ headers: request.headers, body, method: request.method ?? '', url: request.url ?? '' });
      response.writeHead(204).end();
    });
    expect(await send(url, { secret: 'key' })).toEqual({ to: url, outcome: 'sent', reason: null });
    const expected = createHmac('sha256', 'key')
      .update(`${AT / 1_000}.{"a":1}`)
      .digest('hex');
    expect(got).toMatchObject([
      {
        ...{ method: 'POST', url: '/x?y=z', body: '{"a":1}' },
        headers: {
          'content-type': 'application/json; charset=utf-8',
          'x-troupe-delivery': 'notice/a:k-1',
          'x-troupe-signature': `t=${AT / 1_000},v1=${expected}`,
        },
      },
    ]);
    await send(url);
    expect(got[1]?.headers['x-troupe-signature']).toBeUndefined();
  });

  test.each([
    [200, 'sent'],
    [302, 'refused'],
    [400, 'refused'],
    [410, 'refused'],
    [408, 'failed'],
    [429, 'failed'],
    [500, 'failed'],
    [503, 'failed'],
  ])('a webhook that answers %i is %s', async (status, outcome) => {
    let visits = 0;
    const url = await serve((_request, _body, response) => {
      visits += 1;
      response.writeHead(status, { location: 'http://169.254.169.254/latest/meta-data' }).end();
    });
    expect((await send(url)).outcome).toBe(outcome as SendResult['outcome']);
    expect(visits).toBe(1);
  });

  test('a webhook at a link-local or metadata address, or at a name that leads there, is refused without a request', async () => {
    for (const url of ['http://169.254.169.254/', 'http://[fe80::1]/', 'http://metadata.google.internal/', 'http://100.100.100.200/']) {
      expect(await send(url)).toMatchObject({ outcome: 'refused', reason: expect.stringContaining('link-local or metadata') });
    }
    const request = requestBy(async () => [{ address: '169.254.169.254', family: 4 }]);
    const hooks = createWebhooks({ clock: createManualClock(AT), secret: null, request });
    const sent = await hooks.send({ url: 'http://hooks.example.org/', delivery: 'd', body: '{}' }, new AbortController().signal);
    expect(sent.outcome).toBe('refused');
    expect(new ForbiddenAddress('h', 'a').message).toContain('never allowed');
  });

  test('a webhook that does not answer is given up after 15 s, and tried again later', async () => {
    const arrived = Promise.withResolvers<void>();
    const url = await serve(() => arrived.resolve());
    const clock = createManualClock(AT);
    const sending = send(url, { clock });
    await arrived.promise;
    await clock.advance(15_000);
    expect(await sending).toEqual({ to: url, outcome: 'failed', reason: 'the webhook did not answer within 15 s' });
  });

  test('a webhook that answers 10 MB is not read', async () => {
    let sentBytes = 0;
    const closed = Promise.withResolvers<void>();
    const url = await serve((_request, _body, response) => {
      response.writeHead(200);
      response.on('close', () => closed.resolve());
      const more = (): void => {
        if (response.destroyed || sentBytes >= 10_000_000) return;
        sentBytes += 64_000;
        response.write(Buffer.alloc(64_000), more);
      };
      more();
    });
    expect((await send(url)).outcome).toBe('sent');
    await closed.promise;
    expect(sentBytes).toBeLessThan(10_000_000);
  });

  test('a webhook that is not there has failed, and the reason repeats no part of its address', async () => {
    const url = await serve(() => {});
    server?.close();
    const gone = url.replace('/x?y=z', '/secret?secret');
    const result = await send(gone);
    expect(result.outcome).toBe('failed');
    expect(result.reason).not.toContain('secret');
  });

  test('a webhook gets the same as a mail says, as JSON', async () => {
    const bodies: string[] = [];
    const { service } = aService({
      webhooks: {
        async send({ url, body }) {
          bodies.push(body);
          return { to: url, outcome: 'sent', reason: null };
        },
      },
    });
    await service.send(order({ to: ['https://h.example.org/'], content: 'c' }));
    expect(JSON.parse(bodies[0] ?? '')).toEqual({
      ...{ delivery: 'a:k-1', kind: 'failed', subject: 'Job Failed', content: 'c', job: 'a', runtime: 'west', count: 1, execution: 'a@1' },
      ...{ outcome: 'failed', server: 'web-1', begin: '2026-11-22T07:58:59.000Z', end: '2026-11-22T08:00:00.000Z', durationMs: 61_000 },
      ...{ exitCode: 3, signal: null, reason: 'exit status 3', output: 'hello\n', first: expect.objectContaining({ execution: 'a@1' }) },
    });
  });
});
