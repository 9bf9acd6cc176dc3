/** Posted logs of a job through `/v1`. */
import { describe, expect, test } from 'bun:test';
import { aPostedLog } from '../support/store-builders.ts';
import { anApi } from './support.ts';

const JOBID = '399d4b159c65c9b34d2a3c41';
const AT = Date.UTC(2026, 10, 22, 9, 0, 0);

async function withLogs(count: number) {
  const api = await anApi();
  expect((await api.post('/v1/jobs', { name: 'nightly', command: 'true', id: JOBID })).status).toBe(201);
  for (let nth = 0; nth < count; nth++) {
    await api.store.keepPostedLog(aPostedLog({ job: JOBID, id: `m${nth}`, at: AT + nth * 1_000, stat: nth % 2 === 0 ? 0 : -1 }));
  }
  const list = async (query = '') => {
    const { status, body } = await api.get(`/v1/jobs/nightly/posted-logs${query}`);
    expect([status, body.error]).toEqual([200, undefined]);
    return { ids: (body.items as { id: string }[]).map(({ id }) => id), next: body.next as string | null, items: body.items };
  };
  return { api, list };
}

describe('posted logs through /v1', () => {
  test('posted logs are listed newest first, by time and outcome, page by page', async () => {
    const { list } = await withLogs(5);
    const first = await list('?limit=2');
    expect(first.ids).toEqual(['m4', 'm3']);
    const second = await list(`?limit=2&cursor=${first.next}`);
    const third = await list(`?limit=2&cursor=${second.next}`);
    expect([second.ids, third.ids, third.next]).toEqual([['m2', 'm1'], ['m0'], null]);
    expect((await list('?outcome=failed')).ids).toEqual(['m3', 'm1']);
    expect((await list('?from=2026-11-22T09:00:01Z&to=2026-11-22T09:00:03Z')).ids).toEqual(['m3', 'm2', 'm1']);
    expect(third.items[0]).toEqual({
      ...{
        id: 'm0',
        outcome: 'succeeded',
        startedAt: '2023-11-14T22:13:18.000Z',
        finishedAt: '2026-11-22T09:00:00.000Z',
        durationMs: 2_000,
      },
      ...{ receivedAt: '2023-11-14T22:13:20.100Z', pool: 'myCluster', group: '', host: '192.168.2.80', command: './run.sh' },
      ...{ directory: '/var/lib/cloudtask/job/1', event: '', reason: '', stdoutBytes: 6, stderrBytes: 0 },
    });
  });

  test('one posted log has its whole output', async () => {
    const { api } = await withLogs(1);
    const stdout = `begin${'x'.repeat(200_000)}end`;
    await api.store.keepPostedLog(aPostedLog({ job: JOBID, id: 'a b+c', stdout }));
    const { status, body } = await api.get(`/v1/jobs/nightly/posted-logs/${encodeURIComponent('a b+c')}`);
    expect([status, body.id, body.stdout === stdout, body.stdoutBytes]).toEqual([200, 'a b+c', true, 200_008]);
  });

  test('an unknown log, an unknown job and a cursor of another list are refused', async () => {
    const { api } = await withLogs(1);
    const answer = async (path: string) => {
      const { status, body } = await api.get(path);
      return [status, body.error?.message];
    };
    expect(await answer('/v1/jobs/nightly/posted-logs/m9')).toEqual([404, 'job nightly has no posted log m9']);
    expect((await answer('/v1/jobs/nightlyy/posted-logs'))[0]).toBe(404);
    expect((await answer('/v1/jobs/nightly/posted-logs?cursor=x'))[0]).toBe(400);
  });
});
