/** `POST messages`: facts of jobs and checks of tables, and nothing else. */
import { describe, expect, test } from 'bun:test';
import { anApi, type TestApi } from './support.ts';

const MESSAGES = '/cloudtask/v2/messages';
const JOBID = '399d4b159c65c9b34d2a3c41';
const ACCEPTED = { content: 'request accepted.' };
const NO_TIME = '0001-01-01T00:00:00Z';

/** As an agent of the original sends it when a run has failed; with all digits of its time. */
const executed = (timestamp: string, difference: Record<string, unknown> = {}): string =>
  JSON.stringify({
    msgname: 'JobExecute',
    msgid: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
    jobid: JOBID,
    location: 'default',
    key: '517ae088-779c-4520-b23f-e5f0c341081d',
    ipaddr: '192.168.2.80',
    state: -1,
    execerr: 'job execute exception:exit status 1',
    execat: '2018-05-22T15:04:05.999999999+08:00',
    nextat: NO_TIME,
    ...difference,
  }).replace(/}$/, `,"timestamp":${timestamp}}`);
const selected = (timestamp: string): string =>
  `{"msgname":"JobSelect","msgid":"1","jobid":"${JOBID}","location":"default","nextat":"2018-05-22T15:05:00.1+08:00","timestamp":${timestamp}}`;

async function aJob(api: TestApi) {
  const { status } = await api.post('/cloudtask/v2/jobs', { name: 'nightly', location: 'default', cmd: 'ps aux', jobid: JOBID });
  expect(status).toBe(201);
}
const reports = async (api: TestApi) => {
  const { body } = await api.get('/v1/history/job/nightly?limit=200');
  return (body.items as { type: string; data: Record<string, unknown> }[])
    .filter(({ type }) => type === 'job.reported')
    .map(({ data }) => data);
};
/** Posts texts one after the other; each is accepted. */
const post = async (api: TestApi, ...texts: string[]) => {
  for (const text of texts) {
    const { status, body } = await api.post(MESSAGES, text);
    expect([text, status, body]).toEqual([text, 202, ACCEPTED]);
  }
};

describe('a message about a job', () => {
  test('a message about a job is a fact of its history, with what an agent of the original says', async () => {
    const api = await anApi();
    await aJob(api);
    await post(api, executed('1526972645999999999'), selected('1526972645999999999'));
    expect(await reports(api)).toEqual([
      {
        ...{ job: 'nightly', message: 'JobExecute', state: -1, execerr: 'job execute exception:exit status 1' },
        ...{ execat: '2018-05-22T07:04:05.999Z', nextat: null, key: '517ae088-779c-4520-b23f-e5f0c341081d', ipaddr: '192.168.2.80' },
      },
      {
        ...{ job: 'nightly', message: 'JobSelect', state: null, execerr: null, execat: null },
        ...{ nextat: '2018-05-22T07:05:00.100Z', key: null, ipaddr: null },
      },
    ]);
  });

  test('a message about a job changes nothing that the surfaces show of it', async () => {
    const api = await anApi();
    await aJob(api);
    const shown = async () => {
      // Each turn that remembers something has a number.
      const { rev: _, ...job } = (await api.get('/v1/jobs/nightly')).body;
      return [job, (await api.get(`/cloudtask/v2/jobs/${JOBID}`)).body];
    };
    const before = await shown();
    await post(api, executed('5', { state: 200 }), executed('6', { state: 0, execerr: '' }), executed('7'), selected('8'));
    expect(await shown()).toEqual(before);
    expect(await reports(api)).toHaveLength(4);
  });

  test('a message about a job that is older than the last of its name is dropped, by all digits, also after a restart', async () => {
    const api = await anApi();
    await aJob(api);
    const states = async (of: TestApi) => (await reports(of)).map(({ state }) => state);
    await post(api, executed('1526972645999999999', { state: 1 }), executed('1526972645999999998', { state: 2 }));
    await post(api, executed('1526972645999999999', { state: 3 }), selected('4'), executed('9223372036854775807', { state: 4 }));
    expect(await states(api)).toEqual([1, 3, null, 4]);
    const again = await anApi({ store: api.store, clock: api.clock });
    await post(again, executed('9223372036854775806', { state: 5 }), executed('9223372036854775807', { state: 6 }), selected('3'));
    expect(await states(again)).toEqual([1, 3, null, 4, 6]);
  });

  test('a message about a job may be of the past and of the year 1', async () => {
    const api = await anApi();
    await aJob(api);
    await post(
      api,
      executed('-6795364578871345152', { execat: NO_TIME, nextat: '0001-01-01T08:05:43+08:05' }),
      executed('-1'),
      executed('0'),
    );
    expect((await reports(api)).map(({ execat, nextat }) => [execat, nextat])).toEqual([
      [null, null],
      ['2018-05-22T07:04:05.999Z', null],
      ['2018-05-22T07:04:05.999Z', null],
    ]);
  });

  test('a message about an unknown job is accepted, and nothing is kept of it once the job exists', async () => {
    const api = await anApi();
    await post(api, executed('9', { jobid: JOBID.toUpperCase() }), executed('9', { jobid: 'nobody' }));
    await aJob(api);
    await post(api, executed('8', { jobid: JOBID.toUpperCase() }));
    expect(await reports(api)).toHaveLength(1);
  });

  test('a message about a disabled job is a fact as well', async () => {
    const api = await anApi();
    await aJob(api);
    await api.post('/v1/jobs/nightly/disable');
    await post(api, executed('1'));
    expect(await reports(api)).toHaveLength(1);
  });
});

describe('a system event', () => {
  const anEvent = (event: unknown, more: Record<string, unknown> = {}) => ({
    ...{ msgname: 'SystemEvent', msgid: '', event, runtime: 'default', jobids: [JOBID], groupids: [], timestamp: 1_526_972_645_999 },
    ...more,
  });
  const events = [
    ...['create_job', 'change_job', 'remove_job', 'change_jobsfile', 'create_runtime'],
    ...['change_runtime', 'remove_runtime', 'create_group', 'change_group', 'remove_group'],
  ];

  test.each(events)('the event %s has the table of its runtime checked, and changes nothing', async event => {
    const api = await anApi();
    await aJob(api);
    await post(api, JSON.stringify(anEvent(event)), JSON.stringify({ msgname: 'SystemEvent', msgid: '', event }));
    expect(api.checked).toEqual(['default', null]);
    expect(await reports(api)).toEqual([]);
    expect((await api.get('/cloudtask/v2/jobs')).body.data.total).toBe(1);
  });

  test('a system event of another name is accepted and passed over', async () => {
    const api = await anApi();
    await post(api, JSON.stringify(anEvent('drop_everything')), JSON.stringify(anEvent('')), JSON.stringify(anEvent('constructor')));
    expect(api.checked).toEqual([]);
  });

  test.each([
    [anEvent(5), 'event is 5, but must be a text.'],
    [anEvent('change_job', { runtime: [] }), 'runtime is a list of 0, but must be a text.'],
    [anEvent('change_job', { jobids: JOBID }), `jobids is "${JOBID}", but must be a list of at most 10000 ids.`],
    [anEvent('change_job', { groupids: [1] }), 'groupids[0] is 1, but must be an id.'],
    [anEvent('change_job', { timestamp: '1' }), 'timestamp is "1", but must be a whole number of 64 bits.'],
  ])('a system event %j is refused with 400, and no table is checked', async (body, error) => {
    const api = await anApi();
    const answer = await api.post(MESSAGES, body);
    expect([answer.status, answer.body]).toEqual([400, { content: 'request resolve invaild.', error }]);
    expect(api.checked).toEqual([]);
  });

  test('system events of a runtime are limited to 100 within a second, apart from those of another', async () => {
    const api = await anApi();
    for (let count = 0; count < 100; count++) await post(api, JSON.stringify(anEvent('change_job')));
    expect((await api.post(MESSAGES, anEvent('change_job'))).status).toBe(429);
    expect((await api.post(MESSAGES, anEvent('change_job', { runtime: 'other' }))).status).toBe(202);
    expect(api.checked).toHaveLength(101);
  });
});

describe('the body of a message', () => {
  test('a message of an unknown name is accepted and passed over, whatever is in it', async () => {
    const api = await anApi();
    await post(api, '{"msgname":"JobStatus","jobid":5,"timestamp":"x"}', '{"MsgName":"toString"}', '{"msgname":"jobexecute","jobid":null}');
  });

  test('a message is read as Go read it', async () => {
    const api = await anApi();
    await aJob(api);
    await post(api, `{"MSGNAME":"JobExecute","JobID":"${JOBID}","State":200,"execErr":null,"EXECAT":null} and more`);
    expect(await reports(api)).toEqual([
      { job: 'nightly', message: 'JobExecute', state: 200, execerr: '', execat: null, nextat: null, key: '', ipaddr: '' },
    ]);
  });

  const timeRule = 'a time such as 2018-05-22T15:04:05.999999999+08:00; none: 0001-01-01T00:00:00Z';
  test.each([
    ['', 'body is missing, but must be a JSON object.'],
    ['null', 'msgname is missing, but must be the name of a message.'],
    ['[]', 'body is a list of 0, but must be a JSON object.'],
    ['{"msgname":', 'the body is not JSON: unexpected end (at character 12).'],
    ['{"msgname":5}', 'msgname is 5, but must be the name of a message.'],
    ['{"msgname":""}', 'msgname is "", but must be the name of a message.'],
    [executed('1', { jobid: '' }), 'jobid is "", but must be the id of a job, 1 to 100 characters.'],
    [executed('1', { jobid: undefined }), 'jobid is missing, but must be the id of a job, 1 to 100 characters.'],
    [executed('1', { state: 'failed' }), 'state is "failed", but must be a whole number.'],
    [executed('1', { state: 1.5 }), 'state is 1.5, but must be a whole number.'],
    [executed('1', { execerr: {} }), 'execerr is an object, but must be a text.'],
    [executed('1', { execat: 'yesterday' }), `execat is "yesterday", but must be ${timeRule}.`],
    [executed('1', { nextat: 0 }), `nextat is 0, but must be ${timeRule}.`],
    [executed('"1"'), 'timestamp is "1", but must be a whole number of 64 bits.'],
    [executed('1.5'), 'timestamp is 1.5, but must be a whole number of 64 bits.'],
    [executed('9223372036854775808'), 'timestamp is 9223372036854775808, but must be a whole number of 64 bits.'],
    [executed('1e30'), 'timestamp is 1e+30, but must be a whole number of 64 bits.'],
    [executed('92233720368547758070'), 'timestamp is 92233720368547760000, but must be a whole number of 64 bits.'],
  ])('a message %s is refused with 400, and nothing is kept', async (text, error) => {
    const api = await anApi();
    await aJob(api);
    const { status, body } = await api.post(MESSAGES, text);
    expect([status, body]).toEqual([400, { content: 'request resolve invaild.', error }]);
    expect(await reports(api)).toEqual([]);
  });
});
