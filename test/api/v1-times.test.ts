/** Coming due times and the occurrence ledger in `/v1`. */
import { describe, expect, test } from 'bun:test';
import type { Occurrence } from '../../src/store/port.ts';
import { anApi, type TestApi } from './support.ts';

const EVERY_SECOND = { type: 'cron', cron: '* * * * * ?' };
const HOUR = 3_600_000;
const at = (text: string) => Date.parse(`2026-11-22T${text}Z`);
const anEntry = (difference: Partial<Occurrence> = {}): Occurrence => {
  const from = difference.from ?? at('07:00:00');
  return { job: 'a', from, to: from, count: 1, verdict: 'ran', execution: null, reason: null, decidedAt: at('08:00:00'), ...difference };
};
interface Told {
  dueAt: string;
  until?: string;
  count?: number;
}

/** All pages of a list. */
async function pages(api: TestApi, path: string, limit: number): Promise<Told[]> {
  const items: Told[] = [];
  let next = '';
  do {
    const { body } = await api.get(`${path}${path.includes('?') ? '&' : '?'}limit=${limit}${next && `&cursor=${next}`}`);
    expect(body.items.length).toBeLessThanOrEqual(limit);
    items.push(...body.items);
    next = body.next;
  } while (next);
  return items;
}

const anApiWithJob = async (schedules: unknown[] = [EVERY_SECOND]) => {
  const api = await anApi();
  await api.post('/v1/jobs', { name: 'a', command: 'b', schedules, enabled: false });
  return api;
};

describe('the coming due times', () => {
  test('the coming due times are given as instants and as the clock shows them', async () => {
    const api = await anApiWithJob([
      { type: 'cron', cron: '0 0 9 * * ?', timeZone: 'Europe/Berlin' },
      { type: 'cron', cron: '0 0 8 * * ?', timeZone: 'UTC' },
    ]);
    expect((await api.get('/v1/jobs/a/next?count=3')).body).toEqual({
      items: [
        { dueAt: '2026-11-23T08:00:00.000Z', local: '2026-11-23T09:00:00.000+01:00' },
        { dueAt: '2026-11-24T08:00:00.000Z', local: '2026-11-24T09:00:00.000+01:00' },
        { dueAt: '2026-11-25T08:00:00.000Z', local: '2026-11-25T09:00:00.000+01:00' },
      ],
      next: null,
    });
    expect((await api.get('/v1/jobs/a/next?count=1&from=2026-11-22T07:59:59.999Z')).body.items[0].dueAt).toBe('2026-11-22T08:00:00.000Z');
  });

  test('the coming due times are at most a thousand', async () => {
    const api = await anApiWithJob();
    expect((await api.get('/v1/jobs/a/next')).body.items).toHaveLength(10);
    expect((await api.get('/v1/jobs/a/next?count=1000')).body.items).toHaveLength(1000);
    for (const count of ['1001', '0', '-1', 'x']) expect((await api.get(`/v1/jobs/a/next?count=${count}`)).body.error.field).toBe('count');
    expect((await api.get('/v1/jobs/nope/next')).status).toBe(404);
  });

  test('the coming due times of a schedule that is not saved are previewed', async () => {
    const api = await anApi();
    const schedule = { type: 'cron', cron: '0 0 9 * * ?', timeZone: 'Europe/Berlin' };
    const { status, body } = await api.post('/v1/schedules/preview', { schedule, count: 1 });
    expect([status, body]).toEqual([
      200,
      { items: [{ dueAt: '2026-11-23T08:00:00.000Z', local: '2026-11-23T09:00:00.000+01:00' }], next: null },
    ]);
    const calendar = { type: 'calendar', turnmode: 4, interval: 2, startdate: '11/22/2026', starttime: '9:30', enddate: '11/24/2026' };
    const { body: found } = await api.post('/v1/schedules/preview', { schedule: calendar, from: '2026-11-22T00:00:00Z' });
    expect(found.items.map((due: Told) => due.dueAt)).toEqual(['2026-11-22T09:30:00.000Z', '2026-11-24T09:30:00.000Z']);
  });

  test('the coming due times of a crontab are listed and previewed as those of every schedule', async () => {
    const crontab = { type: 'crontab', crontab: '0 0 13 * fri', timeZone: 'Europe/Berlin' };
    const api = await anApiWithJob([crontab, { type: 'crontab', crontab: '@daily' }]);
    const items = [
      { dueAt: '2026-11-26T23:00:00.000Z', local: '2026-11-27T00:00:00.000+01:00' },
      { dueAt: '2026-12-03T23:00:00.000Z', local: '2026-12-04T00:00:00.000+01:00' },
      { dueAt: '2026-12-10T23:00:00.000Z', local: '2026-12-11T00:00:00.000+01:00' },
      { dueAt: '2026-12-12T23:00:00.000Z', local: '2026-12-13T00:00:00.000+01:00' },
    ];
    expect((await api.post('/v1/schedules/preview', { schedule: crontab, count: 4 })).body).toEqual({ items, next: null });
    expect((await api.get('/v1/jobs/a/next?count=1')).body.items).toEqual([
      { dueAt: '2026-11-23T00:00:00.000Z', local: '2026-11-23T00:00:00.000+00:00' },
    ]);
  });

  test.each([
    [{ schedule: { type: 'crontab', crontab: '0 0 25 * * ?' } }, 'crontab'],
    [{ schedule: { type: 'cron', cron: '0 0 25 * * ?' } }, 'cron'],
    [{ schedule: { type: 'cron' } }, 'cron'],
    [{ schedule: { type: 'cron', cron: '0 0 9 * * ?', timeZone: 'Mars' } }, 'timeZone'],
    [{ schedule: { type: 'calendar', turnmode: 7, startdate: '11/22/2026' } }, 'turnmode'],
    [{ schedule: { type: 'calendar', turnmode: 4, interval: 1, startdate: '13/22/2026', starttime: '09:00' } }, 'startdate'],
    [{ schedule: { type: 'x' } }, 'type'],
    [{ schedule: 'daily' }, 'schedule'],
    [{}, 'schedule'],
    [{ schedule: EVERY_SECOND, count: 1001 }, 'count'],
    [{ schedule: EVERY_SECOND, from: 'now' }, 'from'],
  ])('the coming due times of %p are refused', async (body, field) => {
    const api = await anApi();
    const { status, body: answer } = await api.post('/v1/schedules/preview', body);
    expect([status, answer.error.field]).toEqual([400, field]);
  });
});

describe('the occurrence ledger of a job', () => {
  test('the occurrence ledger of a job shows each due time once, with its verdict', async () => {
    const api = await anApi();
    await api.world.aHost();
    await api.post('/v1/jobs', { name: 'a', command: 'b', schedules: [{ type: 'cron', cron: '0/10 * * * * ?' }] });
    await api.clock.advance(20_000);
    const { body } = await api.get('/v1/jobs/a/occurrences');
    expect(body).toEqual({
      items: [
        {
          dueAt: '2026-11-22T08:00:10.000Z',
          verdict: 'waiting',
          execution: 'a@20261122T080010.000Z',
          reason: null,
          decidedAt: '2026-11-22T08:00:10.000Z',
        },
        {
          dueAt: '2026-11-22T08:00:20.000Z',
          verdict: 'skippedOverlap',
          execution: null,
          reason: 'a@20261122T080010.000Z was not done',
          decidedAt: '2026-11-22T08:00:20.000Z',
        },
      ],
      next: null,
    });
    expect((await api.get('/v1/jobs/a/occurrences?summary=true')).body).toEqual({
      waiting: 1,
      ran: 0,
      notStarted: 0,
      unknown: 0,
      coalesced: 0,
      skippedOverlap: 1,
      missedDown: 0,
      disabled: 0,
      refused: 0,
    });
    expect((await api.get('/v1/jobs/nope/occurrences')).status).toBe(404);
    expect((await api.get('/v1/jobs/a/occurrences?verdict=lost')).body.error.field).toBe('verdict');
  });

  test('the occurrence ledger of a job refuses days that do not exist, and a range that ends before it begins', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b' });
    const refused = async (path: string) => {
      const { status, body } = await api.get(path);
      return [status, body.error?.field, body.error?.message];
    };
    for (const path of ['/v1/jobs/a/occurrences', '/v1/executions']) {
      expect(await refused(`${path}?from=2026-11-23&to=2026-11-22`)).toEqual([
        400,
        'from',
        'from is 2026-11-23T00:00:00.000Z, but must not be later than to, 2026-11-22T00:00:00.000Z.',
      ]);
      expect((await refused(`${path}?from=2026-11-22&to=2026-11-22`))[0]).toBe(200);
    }
    for (const day of ['2026-02-29', '2026-02-30T08:00:00Z', '2026-04-31', '2026-13-01', '2026-00-10']) {
      expect(await refused(`/v1/jobs/a/next?from=${day}`)).toEqual([400, 'from', expect.stringContaining('must be an instant')]);
    }
    expect((await refused('/v1/jobs/a/next?from=2028-02-29'))[0]).toBe(200);
  });

  test('the occurrence ledger of a job expands a range page by page into exactly its due times', async () => {
    const api = await anApiWithJob();
    await api.store.record([
      anEntry({ from: at('06:59:59') }),
      anEntry({ to: at('07:00:00') + 999_000, count: 1_000, verdict: 'missedDown', reason: 'down' }),
      anEntry({ from: at('07:30:00'), verdict: 'coalesced' }),
    ]);
    for (const limit of [7, 100, 200]) {
      const items = await pages(api, '/v1/jobs/a/occurrences', limit);
      expect(items).toHaveLength(1_002);
      expect(new Set(items.map(item => item.dueAt)).size).toBe(1_002);
      expect(items.map(item => item.dueAt)).toEqual(items.map(item => item.dueAt).sort());
    }
    const part = await pages(api, '/v1/jobs/a/occurrences?verdict=missedDown&from=2026-11-22T07:00:10Z&to=2026-11-22T07:00:19.999Z', 3);
    expect(part.map(item => item.dueAt.slice(17, 19))).toEqual(['10', '11', '12', '13', '14', '15', '16', '17', '18', '19']);
  });

  test('the occurrence ledger of a job is listed newest first, page by page, in the exact reverse of the other order', async () => {
    const api = await anApiWithJob();
    await api.store.record([
      anEntry({ from: at('06:59:59') }),
      anEntry({ to: at('07:00:00') + 999_000, count: 1_000, verdict: 'missedDown', reason: 'down' }),
      anEntry({ from: at('07:30:00'), to: at('07:30:01'), count: 2, verdict: 'coalesced' }),
    ]);
    const path = '/v1/jobs/a/occurrences';
    const oldest = await pages(api, path, 200);
    for (const limit of [7, 100, 200]) expect(await pages(api, `${path}?order=newest`, limit)).toEqual(oldest.toReversed());
    const range = 'from=2026-11-22T07:00:10Z&to=2026-11-22T07:30:00Z';
    expect(await pages(api, `${path}?order=newest&${range}`, 50)).toEqual((await pages(api, `${path}?${range}`, 50)).toReversed());
    const { next } = (await api.get(`${path}?order=newest&limit=3`)).body;
    expect((await api.get(`${path}?cursor=${next}`)).body.error.field).toBe('cursor');
  });

  test('the occurrence ledger of a job lists a crontab due time by due time from one entry, also when the job has another schedule by now', async () => {
    const api = await anApiWithJob();
    const rule = { schedules: [{ type: 'crontab' as const, crontab: '*/20 6-7 22 * sun' }], timeZone: 'UTC' };
    await api.store.record([{ ...anEntry({ from: at('06:00:00'), to: at('07:40:00'), count: 6, verdict: 'missedDown' }), rule }]);
    const { items } = (await api.get('/v1/jobs/a/occurrences')).body;
    const times = ['06:00', '06:20', '06:40', '07:00', '07:20', '07:40'].map(time => `2026-11-22T${time}:00.000Z`);
    expect(items.map((due: Told) => due.dueAt).sort()).toEqual(times);
  });

  test('the occurrence ledger of a job is listed newest first where an entry has unknown schedules, and where two rules cross', async () => {
    const api = await anApiWithJob([{ type: 'cron', cron: '0 * * * * ?' }]);
    const rule = { schedules: ['0 0/7 * * * ?', '30 0/11 * * * ?'].map(cron => ({ type: 'cron' as const, cron })), timeZone: 'UTC' };
    const dues: Told[] = (await (await anApiWithJob(rule.schedules)).get('/v1/jobs/a/next?from=2026-11-22T05:59:59Z&count=20')).body.items;
    const [first, last] = [dues[0]?.dueAt ?? '', dues[19]?.dueAt ?? ''].map(iso => Date.parse(iso));
    await api.store.record([
      { ...anEntry({ from: first ?? 0, to: last ?? 0, count: 20, verdict: 'disabled' }), rule },
      anEntry({ to: at('07:59:59') + HOUR, count: 3_601, verdict: 'disabled' }),
      anEntry({ from: at('10:00:00') }),
    ]);
    const oldest = await pages(api, '/v1/jobs/a/occurrences', 200);
    expect(oldest).toHaveLength(22);
    for (const limit of [1, 2, 5, 200]) expect(await pages(api, '/v1/jobs/a/occurrences?order=newest', limit)).toEqual(oldest.toReversed());
  });

  test('the occurrence ledger of a job counts of a range only what lies within the query', async () => {
    const api = await anApiWithJob();
    await api.store.record([
      anEntry({ to: at('07:00:00') + HOUR - 1_000, count: 3_600, verdict: 'missedDown' }),
      anEntry({ from: at('06:00:00'), to: at('06:00:10'), count: 2, verdict: 'disabled' }),
    ]);
    const summary = async (query: string) => (await api.get(`/v1/jobs/a/occurrences?summary=true&${query}`)).body;
    expect(await summary('')).toMatchObject({ missedDown: 3_600, disabled: 2 });
    expect(await summary('from=2026-11-22T07:30:00Z')).toMatchObject({ missedDown: 1_800, disabled: 0 });
    expect(await summary('from=2026-11-22T07:10:00Z&to=2026-11-22T07:10:09Z')).toMatchObject({ missedDown: 10 });
    expect(await summary('from=2026-11-22T06:00:05Z&to=2026-11-22T07:00:00Z')).toMatchObject({ missedDown: 1, disabled: 1 });
  });

  test('the occurrence ledger of a job shows a range of unknown schedules as a range', async () => {
    const api = await anApiWithJob([{ type: 'cron', cron: '0 * * * * ?' }]);
    const stretch = anEntry({ to: at('07:59:59'), count: 3_600, verdict: 'disabled', reason: 'the job was disabled' });
    await api.store.record([stretch, anEntry({ from: at('06:00:00'), to: at('06:00:30'), count: 2 }), anEntry({ from: at('08:00:00') })]);
    expect(await pages(api, '/v1/jobs/a/occurrences', 2)).toMatchObject([
      { dueAt: '2026-11-22T06:00:00.000Z' },
      { dueAt: '2026-11-22T06:00:30.000Z' },
      { dueAt: '2026-11-22T07:00:00.000Z', until: '2026-11-22T07:59:59.000Z', count: 3_600, verdict: 'disabled' },
      { dueAt: '2026-11-22T08:00:00.000Z' },
    ]);
    expect((await api.get('/v1/jobs/a/occurrences?summary=true')).body).toMatchObject({ disabled: 3_600, ran: 3 });
  });

  test('the occurrence ledger of a job expands a range that has its schedules by those', async () => {
    const rule = { schedules: [{ type: 'cron' as const, cron: '* * * * * ?' }], timeZone: 'UTC' };
    const api = await anApiWithJob([{ type: 'cron', cron: '0 * * * * ?' }]);
    await api.store.record([{ ...anEntry({ to: at('07:00:09'), count: 10, verdict: 'disabled' }), rule }]);
    const items = (await api.get('/v1/jobs/a/occurrences')).body.items;
    expect(items).toHaveLength(10);
    expect(items[9].dueAt).toBe('2026-11-22T07:00:09.000Z');
  });

  test('the occurrence ledger of a job is kept longer than its job', async () => {
    const api = await anApiWithJob();
    await api.store.record([anEntry(), anEntry({ from: at('07:10:00'), to: at('07:10:02'), count: 3 })]);
    await api.del('/v1/jobs/a');
    expect(await pages(api, '/v1/jobs/a/occurrences', 50)).toMatchObject([{ dueAt: '2026-11-22T07:00:00.000Z' }, { count: 3 }]);
  });

  test('the occurrence ledger of a job gives keptAfter to a query that reaches back further', async () => {
    const api = await anApiWithJob();
    await api.store.record([anEntry({ from: at('06:00:00') }), anEntry({ from: at('06:30:00') }), anEntry()]);
    expect((await api.get('/v1/jobs/a/occurrences')).body).not.toHaveProperty('keptAfter');
    await api.store.deleteOccurrences({ before: at('07:00:00'), limit: 100 });
    const { body } = await api.get('/v1/jobs/a/occurrences');
    expect(body).toMatchObject({ items: [{ dueAt: '2026-11-22T07:00:00.000Z' }], next: null, keptAfter: '2026-11-22T06:30:00.000Z' });
    expect((await api.get('/v1/jobs/a/occurrences?summary=true')).body).toMatchObject({ ran: 1, keptAfter: '2026-11-22T06:30:00.000Z' });
    expect((await api.get('/v1/jobs/a/occurrences?from=2026-11-22T06:30:00Z')).body).toHaveProperty('keptAfter');
    expect((await api.get('/v1/jobs/a/occurrences?from=2026-11-22T06:30:01Z')).body).not.toHaveProperty('keptAfter');
  });
});
