/** The notice machine: every state and event, folding, back-off, giving up. */
import { describe, expect, test } from 'bun:test';
import { GIVE_UP_MS, retryDelayMs, shownAddress } from '../../actors/notice/decide.ts';
import { WAITING_MAX } from '../../actors/notice/gather.ts';
import type { NoticeMessage, SendResult } from '../../actors/notice/types.ts';
import type { NoticeEvent } from '../../actors/types.ts';
import { AT, anActor, type Outcome } from '../support/actor.ts';
import { type Table, testTable } from '../support/table.ts';

const MINUTE_MS = 60_000;
type Added = Extract<NoticeEvent, { type: 'notice.add' }>;
const add = (
  execution: string,
  { to = ['ops@example.org'], kind = 'failed', subject = '', at = AT }: Partial<Added> & { at?: number } = {},
): Added => ({
  type: 'notice.add',
  about: { type: 'job', name: 'a', pool: 'default' },
  kind,
  subject,
  content: '',
  to,
  entry: {
    ...{ type: 'run', execution, outcome: 'failed', startedAt: at, at, shards: 1, item: 0, attempt: 1, host: 'web-1' },
    ...{ exitCode: 1, signal: null, reason: 'exit status 1', outputBytes: 0 },
  },
});

interface Sent {
  round: number;
  message: NoticeMessage;
  to: string[];
}
const sends = (outcome: Outcome): Sent[] =>
  outcome.effects.flatMap(effect =>
    effect.type === 'send'
      ? [{ round: effect.params.round, message: effect.params.message, to: effect.params.recipients.map(({ to }) => to) }]
      : [],
  );

/** A notice actor whose first notice is being sent. */
function aNotice(first: Added = add('a@1')) {
  const actor = anActor('notice/a', first);
  const [sent] = sends(actor.created);
  if (!sent) throw new Error('the first notice is not sent');
  const answer = (
    { round, message, to }: Sent,
    outcome: SendResult['outcome'] | Record<string, SendResult['outcome']>,
    more: Partial<SendResult> = {},
  ) =>
    actor.tell({
      type: 'notice.answered',
      delivery: message.delivery,
      round,
      results: to.map(each => ({
        to: each,
        outcome: typeof outcome === 'string' ? outcome : (outcome[each] ?? 'sent'),
        reason: 'because',
        ...more,
      })),
    });
  return { ...actor, actor, first: sent, answer };
}

const answered = (round: number, outcome: SendResult['outcome']): NoticeEvent => ({
  type: 'notice.answered',
  delivery: 1,
  round,
  results: [{ to: 'ops@example.org', outcome, reason: 'r' }],
});

const machine: Table<'notice'> = {
  address: 'notice/a',
  create: add('a@1'),
  reach: {
    open: [],
    closing: [{ type: 'notice.close' }],
    deleted: [answered(1, 'sent'), { type: 'notice.close' }],
  },
  events: {
    'add of another kind': add('a@2', { kind: 'succeed' }),
    'add within the minute': add('a@2'),
    due: { type: 'notice.due' },
    sent: answered(1, 'sent'),
    failed: answered(1, 'failed'),
    refused: answered(1, 'refused'),
    'sent in another round': answered(7, 'sent'),
    'output of a delivery that has it': { type: 'notice.outputRead', delivery: 1, output: null },
    close: { type: 'notice.close' },
  },
  rows: {
    'closing add of another kind': 'open; send 2 to ops@example.org',
    'closing add within the minute': 'open',
    'closing due': 'closing',
    'closing failed': 'closing; ; notification.tried',
    'closing refused': 'deleted; ; notification.failed',
    'closing sent': 'deleted; ; notification.sent',
    'deleted add of another kind': 'open; send 1 to ops@example.org',
    'deleted add within the minute': 'open; send 1 to ops@example.org',
    'open add of another kind': 'open; send 2 to ops@example.org',
    'open add within the minute': 'open',
    'open close': 'closing',
    'open due': 'open',
    'open failed': 'open; ; notification.tried',
    'open refused': 'open; ; notification.failed',
    'open sent': 'open; ; notification.sent',
  },
};

describe('the notice machine', () => {
  testTable(machine);
});

describe('folding', () => {
  test('notices within a minute become one delivery that counts them and names the first and the last', () => {
    const { actor, first, answer } = aNotice();
    answer(first, 'sent');
    for (let each = 2; each <= 12; each++) expect(sends(actor.tell(add(`a@${each}`)))).toEqual([]);
    expect(sends(actor.pass(MINUTE_MS - 1))).toEqual([]);
    const [next, ...others] = sends(actor.pass(1));
    expect(others).toEqual([]);
    expect(next?.message).toMatchObject({ delivery: 2, count: 11, last: { execution: 'a@12' } });
    expect(next?.message.entries[0]).toMatchObject({ execution: 'a@2' });
  });

  test('another kind has a minute of its own', () => {
    const { actor } = aNotice();
    expect(sends(actor.tell(add('a@2', { kind: 'succeed' })))).toMatchObject([{ message: { kind: 'succeed', count: 1 } }]);
  });

  test('another subject is another delivery, in the same minute of its recipients', () => {
    const { actor, first, answer } = aNotice();
    answer(first, 'sent');
    actor.tell(add('a@2'));
    actor.tell(add('a@3', { subject: 'new' }));
    const sent = sends(actor.pass(MINUTE_MS));
    expect(sent.map(({ message }) => [message.subject, message.count])).toEqual([['', 1]]);
    expect(answer(sent[0] as Sent, 'sent').facts).toHaveLength(1);
    expect(sends(actor.pass(MINUTE_MS)).map(({ message }) => message.subject)).toEqual(['new']);
  });

  test('notices beyond the limit are counted, and the newest is kept', () => {
    const { actor, first, answer } = aNotice();
    for (let each = 2; each <= 1_001; each++) actor.tell(add(`a@${each}`));
    answer(first, 'sent');
    const [next] = sends(actor.pass(MINUTE_MS));
    expect(next?.message.count).toBe(1_000);
    expect(next?.message.last).toMatchObject({ execution: 'a@1001' });
    expect(next?.message.entries.length).toBeLessThanOrEqual(WAITING_MAX);
    expect(JSON.stringify(actor.context).length).toBeLessThan(64 * 1024);
  });

  test('a delivery that waits for its retry does not change, and a later notice is another one', () => {
    const { actor, first, answer } = aNotice();
    answer(first, 'failed');
    actor.tell(add('a@2'));
    const [again] = sends(actor.pass(1_000));
    expect(again?.message).toEqual(first.message);
    answer(again as Sent, 'sent');
    expect(sends(actor.pass(MINUTE_MS))).toMatchObject([{ message: { delivery: 2, count: 1 } }]);
  });

  test('settings that change while nothing can be sent lose no notice', () => {
    const { actor } = aNotice();
    for (let each = 2; each <= 301; each++) actor.tell(add(`a@${each}`, { subject: `s${each}` }));
    expect(actor.context.gatherings.length).toBeLessThanOrEqual(WAITING_MAX);
    expect(actor.context.gatherings.reduce((sum, { count }) => sum + count, 0)).toBe(300);
  });
});

describe('a delivery', () => {
  test('a delivery is tried again after 1 s doubling to 10 min, and given up after 24 h', () => {
    const { actor, first, answer } = aNotice();
    let tried = first;
    const waits: number[] = [];
    let given: Outcome = answer(tried, 'failed');
    while (given.facts[0]?.type === 'notification.tried') {
      const inMs = actor.timers.find(({ id }) => id === 'due')?.inMs ?? 0;
      waits.push(inMs);
      tried = sends(actor.pass(inMs))[0] as Sent;
      given = answer(tried, 'failed');
    }
    expect(waits.slice(0, 11)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600].map(seconds => seconds * 1_000));
    expect(actor.at - AT).toBe(GIVE_UP_MS);
    expect(given.facts).toMatchObject([{ type: 'notification.failed', data: { reason: 'given up after 24 h: because' } }]);
    expect(actor.context.deliveries).toEqual([]);
  });

  test('a recipient that is refused for now gets the same message later, alone', () => {
    const to = ['a@x.org', 'b@x.org', 'c@x.org'];
    const { actor, first, answer } = aNotice(add('a@1', { to }));
    expect(first.to).toEqual(to);
    const outcome = answer(first, { 'b@x.org': 'failed', 'c@x.org': 'refused' });
    expect(outcome.facts.map(({ type, data }) => [type, data.to])).toEqual([
      ['notification.sent', ['a@x.org']],
      ['notification.tried', ['b@x.org']],
      ['notification.failed', ['c@x.org']],
    ]);
    const [again] = sends(actor.pass(1_000));
    expect(again).toMatchObject({ to: ['b@x.org'], message: first.message });
  });

  test('a recipient that fails for hours does not keep others from their deliveries', () => {
    const { actor, first, answer } = aNotice(add('a@1', { to: ['a@x.org', 'b@x.org'] }));
    answer(first, { 'b@x.org': 'failed' });
    actor.tell(add('a@2', { to: ['a@x.org', 'b@x.org'] }));
    const sent: string[] = [];
    for (let minutes = 0; minutes < 30; minutes++) {
      for (const each of sends(actor.pass(MINUTE_MS / 2))) {
        sent.push(...each.to.map(to => `${each.message.delivery} ${to}`));
        answer(each, { 'b@x.org': 'failed' });
      }
    }
    expect(sent).toContain('2 a@x.org');
    expect(sent.filter(each => each.endsWith('b@x.org')).every(each => each === '1 b@x.org')).toBe(true);
    expect(actor.context.gatherings).toMatchObject([{ to: ['b@x.org'], count: 1 }]);
  });

  test('a recipient over the limit is tried in its minute, which counts as no failure', () => {
    const { actor, first, answer } = aNotice();
    answer(first, 'limited', { slot: AT + 5 * MINUTE_MS });
    expect(actor.timers).toEqual([{ id: 'due', inMs: 5 * MINUTE_MS }]);
    const again = actor.pass(5 * MINUTE_MS);
    expect(again.effects).toMatchObject([{ type: 'send', params: { recipients: [{ to: 'ops@example.org', slot: AT + 5 * MINUTE_MS }] } }]);
    expect(actor.context.deliveries[0]?.recipients[0]?.failures).toBe(0);
  });

  test('the outcome of a round that comes twice counts once', () => {
    const { actor, first, answer } = aNotice();
    answer(first, 'failed');
    const rev = actor.rev;
    expect(answer(first, 'sent').facts).toEqual([]);
    expect(actor.rev).toBe(rev);
  });

  test('the id of a delivery is another one after the actor was deleted and is there again', () => {
    const { actor, first, answer } = aNotice();
    answer(first, 'sent');
    actor.tell({ type: 'notice.close' });
    expect(actor.state).toBe('deleted');
    actor.jump(1);
    const [next] = sends(actor.tell(add('a@2')));
    expect(next?.message.delivery).toBe(1);
    expect(next?.message.id).not.toBe(first.message.id);
  });

  test('a delivery gets its output first, and says the same in each try', () => {
    const added = add('a@1');
    const actor = anActor('notice/a', { ...added, entry: { ...added.entry, outputBytes: 5 } as typeof added.entry });
    expect(actor.created.effects).toEqual([
      { type: 'readOutput', params: { delivery: 1, execution: 'a@1', item: 0, attempt: 1, bytes: 5 } },
    ]);
    expect(sends(actor.tell(add('a@2')))).toEqual([]);
    const output = { text: 'hello', isCut: false };
    const [sent] = sends(actor.tell({ type: 'notice.outputRead', delivery: 1, output }));
    expect(sent?.message).toMatchObject({ count: 1, output });
    expect(actor.tell({ type: 'notice.outputRead', delivery: 1, output: null }).effects).toEqual([]);
  });

  test('an actor that is to close sends what waits first', () => {
    const { actor, first, answer } = aNotice();
    actor.tell(add('a@2'));
    actor.tell({ type: 'notice.close' });
    answer(first, 'sent');
    expect(actor.state).toBe('closing');
    const [last] = sends(actor.pass(MINUTE_MS));
    answer(last as Sent, 'sent');
    expect(actor.state).toBe('deleted');
  });

  test('facts show no path and no query of a webhook, which may be secrets', () => {
    expect(shownAddress('https://hooks.example.org/services/T1/secret?key=1')).toBe('https://hooks.example.org/…');
    expect(shownAddress('ops@example.org')).toBe('ops@example.org');
  });

  test('the delay between tries never exceeds 10 min', () => {
    expect(retryDelayMs(1)).toBe(1_000);
    expect(retryDelayMs(1_000)).toBe(600_000);
  });
});
