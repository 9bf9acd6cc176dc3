/** `PUT /cloudtask/v2/jobs/action`: what it starts, stops and refuses. */
import { describe, expect, test } from 'bun:test';
import { anApi, json, type TestApi } from './support.ts';

const PATH = '/cloudtask/v2/jobs/action';
const ACCEPTED = { content: 'request accepted.' };

/** A job of another surface, in the pool `default` without a host. */
async function aJob(api: TestApi, job: Record<string, unknown> = {}) {
  const { body } = await api.post('/v1/jobs', { name: 'nightly', command: 'true', ...job });
  const { id, name } = body as { id: string; name: string };
  const act = (action: string, more: Record<string, unknown> = {}) => api.put(PATH, { runtime: 'default', jobid: id, action, ...more });
  const executions = async () => (await api.get(`/v1/executions?job=${name}`)).body.items as Record<string, unknown>[];
  return { id, name, act, executions };
}

describe('the action start', () => {
  test('a start without a live host is accepted, and the execution says what it waits for', async () => {
    const api = await anApi();
    const { act, executions } = await aJob(api);
    const { status, body, headers } = await act('start');
    expect([status, body, headers.get('content-type')]).toEqual([202, ACCEPTED, 'application/json; charset=utf-8']);
    const [execution] = await executions();
    expect(execution).toMatchObject({ status: 'pending', trigger: 'api' });
    expect(String(execution?.reason)).toContain('the pool has no host that is ready');
  });

  test.each(['skip', 'queue', 'allow', 'replace'])(
    'a start while the job runs is 409 with overlap %s, and starts nothing',
    async overlap => {
      const api = await anApi();
      const { act, executions } = await aJob(api, { overlap });
      await act('start');
      const { status, body } = await act('start');
      expect([status, body.content, body.error]).toEqual([409, 'job nightly is running.', 'job nightly is running.']);
      expect(await executions()).toHaveLength(1);
    },
  );

  test('of twenty starts at once one is accepted', async () => {
    const api = await anApi();
    const { act, executions } = await aJob(api, { overlap: 'allow' });
    const answers = await Promise.all(Array.from({ length: 20 }, () => act('start')));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, ...Array(19).fill(409)]);
    expect(await executions()).toHaveLength(1);
  });

  test('a start of a disabled job is 409, also while it still runs', async () => {
    const api = await anApi();
    const { act } = await aJob(api);
    await act('start');
    await api.post('/v1/jobs/nightly/disable');
    const { status, body } = await act('start');
    expect([status, body.content]).toEqual([409, 'job nightly is disabled.']);
  });
});

describe('the action stop', () => {
  test('a stop ends every open execution, also those that wait, as cancelled, and the job may start again', async () => {
    const api = await anApi();
    const { act, executions } = await aJob(api, { overlap: 'queue' });
    await act('start');
    await api.post('/v1/jobs/nightly/trigger');
    expect((await act('stop')).body).toEqual(ACCEPTED);
    expect(await executions()).toMatchObject([
      { status: 'done', outcome: 'cancelled' },
      { status: 'done', outcome: 'cancelled' },
    ]);
    expect((await act('start')).status).toBe(202);
  });

  test('a stop of an idle job is accepted and changes nothing', async () => {
    const api = await anApi();
    const { act } = await aJob(api);
    const before = (await api.get('/v1/jobs/nightly')).body;
    const { status, body } = await act('stop');
    expect([status, body]).toEqual([202, ACCEPTED]);
    expect((await api.get('/v1/jobs/nightly')).body).toEqual(before);
  });

  test('a stop of a disabled job ends what it still runs', async () => {
    const api = await anApi();
    await api.aHost();
    const { act, executions } = await aJob(api);
    await act('start');
    const [command] = api.starts();
    if (!command) throw new Error('nothing was started');
    await api.started(command);
    await api.post('/v1/jobs/nightly/disable');
    expect(await executions()).toMatchObject([{ status: 'running' }]);
    expect((await act('stop')).status).toBe(202);
    expect(await executions()).toMatchObject([{ status: 'cancelling' }]);
    await api.ended(command, 'cancelled');
    expect(await executions()).toMatchObject([{ status: 'done', outcome: 'cancelled' }]);
  });

  test('a start and a stop at once are both answered, and leave the job idle or with one execution', async () => {
    const api = await anApi();
    const { act, executions } = await aJob(api);
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all([act('start'), act('stop'), act('start')]);
      for (const { status } of answers) expect([202, 409]).toContain(status);
      const open = (await executions()).filter(({ status }) => status !== 'done');
      expect(open.length).toBeLessThanOrEqual(1);
    }
  });
});

describe('the body of an action', () => {
  test('a body is read in any case of its names and its action, of any media type, with something behind it', async () => {
    const api = await anApi();
    const { id, executions } = await aJob(api);
    const text = `{"ACTION":"sTaRt","JobId":"${id.toUpperCase()}","Runtime":"default","more":1} and more`;
    const { status } = await api.put(PATH, text, { 'Content-Type': 'text/plain' });
    expect([status, (await executions()).length]).toEqual([202, 1]);
  });

  test.each([{}, { runtime: '' }, { runtime: null }])('a runtime is not looked at where the body has %j', async more => {
    const api = await anApi();
    const { id } = await aJob(api);
    expect((await api.put(PATH, { jobid: id, action: 'start', ...more })).status).toBe(202);
  });

  test('a body that asks for nothing known is 400 with a sentence, and starts nothing', async () => {
    const api = await anApi();
    const { id: jobid, executions } = await aJob(api);
    const cases: [unknown, string][] = [
      ['', 'body'],
      ['null', 'jobid'],
      ['{', 'body'],
      ['[]', 'body'],
      ['"start"', 'body'],
      [{}, 'jobid'],
      [{ action: 'start' }, 'jobid'],
      [{ jobid: '', action: 'start' }, 'jobid'],
      [{ jobid: null, action: 'start' }, 'jobid'],
      [{ jobid: 5, action: 'start' }, 'jobid'],
      [{ jobid }, 'action'],
      [{ jobid, action: null }, 'action'],
      [{ jobid, action: 5 }, 'action'],
      [{ jobid, action: 'pause' }, 'action'],
      [{ jobid, action: ' start' }, 'action'],
      [{ jobid, action: ['start'] }, 'action'],
      [{ jobid, action: 'start', runtime: 5 }, 'runtime'],
    ];
    for (const [body, field] of cases) {
      const answer = await api.put(PATH, body);
      expect([body, answer.status, answer.body.content]).toEqual([body, 400, 'request resolve invaild.']);
      expect([body, String(answer.body.error).split(' ').slice(0, 2).join(' ')]).toEqual([body, expect.stringContaining(field)]);
    }
    expect((await api.put(PATH, { jobid, action: 'pause' })).body.error).toBe('action is "pause", but must be start or stop.');
    expect(await executions()).toEqual([]);
  });

  test('an unknown job, an unknown runtime, and another runtime than that of the job are 404, and start nothing', async () => {
    const api = await anApi();
    const { id: jobid, executions } = await aJob(api);
    await api.post('/v1/pools', { name: 'west' });
    for (const body of [
      { jobid: 'f'.repeat(24), action: 'start' },
      { jobid: 'nightly', action: 'stop' },
      { jobid, action: 'start', runtime: 'nowhere' },
      { jobid, action: 'start', runtime: 'west' },
      { jobid, action: 'stop', runtime: 'west' },
    ]) {
      const answer = await api.put(PATH, body);
      expect([body, answer.status, answer.body.content]).toEqual([body, 404, 'request resource not found.']);
      expect(answer.body.error).not.toBe('');
    }
    expect(await executions()).toEqual([]);
  });

  test('a job called action is no other action', async () => {
    const api = await anApi();
    const { id } = await aJob(api, { name: 'action' });
    expect((await api.put(PATH, { name: 'action', cmd: 'x' })).status).toBe(400);
    expect((await api.put(PATH, { jobid: id, action: 'start' })).status).toBe(202);
  });
});

describe('the caller of an action', () => {
  test('an action needs a token that may write: none is 401 before any 404, a read token is 403', async () => {
    const password = 'correct horse battery';
    const api = await anApi({ env: { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: password } });
    const { token } = (await api.post('/v1/login', { username: 'root', password })).body;
    const root = { ...json, Authorization: `Bearer ${token}` };
    const read = (await api.post('/v1/tokens', { name: 'r', scope: 'read', expiresInMs: 86_400_000 }, root)).body;
    const { id: jobid } = (await api.post('/v1/jobs', { name: 'nightly', command: 'true' }, root)).body;
    const unknown = { jobid: 'f'.repeat(24), action: 'start' };
    const none = await api.put(PATH, unknown);
    expect([none.status, none.body.content]).toEqual([401, 'request unauthorized.']);
    const reader = await api.put(PATH, { jobid, action: 'start' }, { ...json, Authorization: `Bearer ${read.token}` });
    expect([reader.status, reader.body.content]).toEqual([403, 'request forbidden.']);
    expect((await api.put(PATH, { jobid, action: 'start' }, root)).status).toBe(202);
    // Who stopped it is on record.
    expect((await api.put(PATH, { jobid, action: 'stop' }, root)).status).toBe(202);
    expect((await api.get('/v1/executions?job=nightly', root)).body.items[0].reason).toBe('stopped by root');
  });
});
