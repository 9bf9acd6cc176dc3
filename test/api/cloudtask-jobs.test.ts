/** Jobs through the Cloudtask dialect: fields, defaults, refusals, lists, changes. */
import { describe, expect, test } from 'bun:test';
import type { ShardOutcome } from '../../actors/execution/types.ts';
import { aScheduleItem as item } from '../support/schedule-item.ts';
import { anApi, json, type TestApi } from './support.ts';

const JOBS = '/cloudtask/v2/jobs';
const ID = '399d4b159c65c9b34d2a3c41';
const NO_FILE = 'd41d8cd98f00b204e9800998ecf8427e';
const QUIET = { enabled: false, subject: '', to: '', content: '' };
const AT = '2026-11-22T08:00:00.000Z';

const aJobBody = (difference: Record<string, unknown> = {}) => ({
  name: 'ACCT.ShippingCost.job',
  location: 'default',
  cmd: 'ps aux',
  ...difference,
});

const posted = async (api: TestApi, difference: Record<string, unknown> = {}) => {
  const answer = await api.post(JOBS, aJobBody(difference));
  if (answer.status !== 201) throw new Error(answer.text);
  return answer.body.data.job;
};
const read = async (api: TestApi, jobid: string) => (await api.get(`${JOBS}/${jobid}`)).body.data.job;
const native = async (api: TestApi, name: string) => (await api.get(`/v1/jobs/${name}`)).body;

/** Lets the open execution of a job end. */
async function ends(api: TestApi, job: string, outcome: ShardOutcome, startedAt: number | null = null): Promise<void> {
  const id = (await api.context(`job/${job}`)).context.open.at(-1)?.id ?? '';
  await api.tell(`job/${job}`, { type: 'execution.finished', execution: id, outcome, finishedAt: api.clock.now(), startedAt });
}

describe('a job of Cloudtask', () => {
  test('a job of Cloudtask is answered in the original order of fields, with every default', async () => {
    const api = await anApi();
    const answer = await api.post(JOBS, aJobBody({ jobid: ID }));
    expect([answer.status, answer.body.content]).toEqual([201, 'request successed.']);
    expect(JSON.stringify(answer.body.data)).toBe(
      JSON.stringify({
        job: {
          jobid: ID,
          name: 'ACCT.ShippingCost.job',
          location: 'default',
          groupid: '',
          servers: [],
          filename: '',
          files: [],
          cmd: 'ps aux',
          env: [],
          description: '',
          timeout: 0,
          enabled: 1,
          schedule: [],
          notifysetting: { succeed: QUIET, failed: QUIET },
          stat: 202,
          execerr: '',
          execat: '0001-01-01T00:00:00Z',
          nextat: '0001-01-01T00:00:00Z',
          createuser: 'root',
          createat: AT,
          edituser: 'root',
          editat: AT,
          filecode: NO_FILE,
          version: 1,
          timezone: 'UTC',
          misfire: 'skip',
          failover: false,
          cpus: 0.001,
          memorymb: 1,
          cron: [],
        },
      }),
    );
    expect(answer.body.data.job).toEqual(await read(api, ID));
  });

  test('a job of Cloudtask is a sticky job of one shard with a command for a shell, on the surface of /v1', async () => {
    const api = await anApi();
    await posted(api, { jobid: ID, env: ['A=1'], timeout: 30, schedule: [item()], groupid: 'g', servers: ['W1', '10.0.0.1'] });
    expect(await native(api, 'ACCT.ShippingCost.job')).toMatchObject({
      id: ID,
      pool: 'default',
      placement: 'sticky',
      shell: true,
      command: 'ps aux',
      env: { A: '1' },
      timeoutMs: 30_000,
      shards: { total: 1, parameters: {} },
      resources: { cpus: 0.001, memoryMB: 1 },
      overlap: 'skip',
      misfire: { policy: 'skip', limit: 10 },
      failover: false,
      group: 'g',
      servers: ['W1', '10.0.0.1'],
      schedules: [
        {
          type: 'calendar',
          id: '1623e5f1a23',
          enabled: 1,
          turnmode: 2,
          interval: 2,
          startdate: '03/19/2018',
          starttime: '00:00',
          endtime: '23:59',
        },
      ],
    });
  });

  test('the base of a job of Cloudtask is that of the original, without an envelope', async () => {
    const api = await anApi();
    await posted(api, { jobid: ID, schedule: [item(), item({ interval: 4 })] });
    for (const id of [ID, ID.toUpperCase()]) {
      expect((await api.get(`${JOBS}/${id}/base`)).text).toBe(
        JSON.stringify({
          jobid: ID,
          jobname: 'ACCT.ShippingCost.job',
          filename: '',
          filecode: NO_FILE,
          cmd: 'ps aux',
          env: [],
          timeout: 0,
          version: 1,
          schedule: [item(), item({ interval: 4 })],
        }),
      );
    }
  });

  test('a job of Cloudtask gives schedules, environment, misfire and disabled notifications back as they were given', async () => {
    const api = await anApi();
    const notice = { enabled: false, subject: 'Job Failed', to: 'a@example.org;b@example.org', content: 'please check' };
    const given = {
      env: ['A=1', 'A=2', 'B='],
      schedule: [item(), item({ turnmode: 4, selectat: 'unread', monthlyof: { day: 99, week: 'x' } }), item({ id: 'third', enabled: 0 })],
      misfire: { policy: 'all', limit: 10 },
      notifysetting: { succeed: QUIET, failed: notice },
      groupid: 'web',
      servers: ['W1'],
      description: 'd',
      timeout: 172_800,
      timezone: 'Europe/Berlin',
      failover: true,
      cpus: 0.5,
      memorymb: 64.5,
    };
    expect(await posted(api, given)).toMatchObject(given);
  });

  test('a job of Cloudtask gives its notifications back as they were given, and /v1 has the same with a list', async () => {
    const api = await anApi();
    const failed = { enabled: true, subject: 'Job Failed', to: 'a@example.org; https://h.example.org/x', content: 'please check' };
    const made = await posted(api, { notifysetting: { failed } });
    expect(made.notifysetting).toEqual({ succeed: QUIET, failed });
    const native = (await api.get(`/v1/jobs/${made.name}`)).body.notify;
    expect(native).toEqual({ succeed: null, failed: { ...failed, to: ['a@example.org', 'https://h.example.org/x'] } });
    await api.call('PATCH', `/v1/jobs/${made.name}`, { notify: { failed: { to: ['c@example.org', 'd@example.org'] } } });
    expect((await read(api, made.jobid)).notifysetting.failed).toEqual({ ...failed, to: 'c@example.org;d@example.org' });
    await api.put(`${JOBS}/${made.jobid}`, { notifysetting: { failed: QUIET } });
    expect((await api.get(`/v1/jobs/${made.name}`)).body.notify).toEqual({ succeed: null, failed: null });
  });

  test('a job of Cloudtask takes names of fields in any case, and what the center alone knows is passed over', async () => {
    const api = await anApi();
    const body = `{"_id":{"$oid":"x"},"JobId":"${ID.toUpperCase()}","NAME":"x","Location":"default","Cmd":"true","STAT":202,"execat":7,
      "createuser":"other","createat":"2018-03-19T00:00:00+08:00","files":[{"name":"a"}],"version":"9","unknown":{},
      "Schedule":[{"Id":"s","ENABLED":1,"TurnMode":6,"startDate":"01/01/2026","StartTime":"01:00","SelectAt":"1","MonthlyOf":{"Day":-1}}],
      "NotifySetting":{"Failed":{"Enabled":false,"Subject":"s"}},"Misfire":{"Policy":"once","LIMIT":3}} trailing`;
    const answer = await api.post(JOBS, body, { 'Content-Type': 'text/html' });
    expect([answer.status, answer.body.error]).toEqual([201, undefined]);
    expect(answer.body.data.job).toMatchObject({
      jobid: ID,
      name: 'x',
      stat: 202,
      createuser: 'root',
      createat: AT,
      files: [],
      version: 1,
      misfire: { policy: 'once', limit: 3 },
      notifysetting: { succeed: QUIET, failed: { ...QUIET, subject: 's' } },
      schedule: [
        {
          ...item(),
          id: 's',
          turnmode: 6,
          interval: 0,
          startdate: '01/01/2026',
          starttime: '01:00',
          endtime: '',
          selectat: '1',
          monthlyof: { day: -1, week: '' },
        },
      ],
    });
  });

  test('a job of Cloudtask takes null as absent, a null schedule as none, and draws ids that are missing', async () => {
    const api = await anApi();
    const job = await posted(api, {
      jobid: null,
      schedule: null,
      env: null,
      timeout: null,
      enabled: null,
      misfire: null,
      notifysetting: null,
    });
    expect(job).toMatchObject({ schedule: [], env: [], timeout: 0, enabled: 1, misfire: 'skip' });
    expect(job.jobid).toMatch(/^[0-9a-f]{24}$/);
    const { schedule } = await posted(api, { name: 'x', schedule: [item({ id: '' }), item({ id: null })] });
    expect(schedule[0].id).toMatch(/^[0-9a-z]{12}$/);
    expect(schedule[1].id).not.toBe(schedule[0].id);
  });

  test('a job of Cloudtask with two schedules of one id, or with all of them switched off, is taken', async () => {
    const api = await anApi();
    expect((await posted(api, { schedule: [item(), item({ interval: 3 })] })).nextat).toBe('2026-11-22T08:02:00.000Z');
    expect((await posted(api, { name: 'off', schedule: [item({ enabled: 0 })] })).nextat).toBe('0001-01-01T00:00:00Z');
  });

  test('a job of Cloudtask in the document of another center is taken as it is, and makes the same job', async () => {
    const [here, there] = [await anApi(), await anApi()];
    const made = await posted(here, { jobid: ID, schedule: [item()], env: ['A=1'], misfire: 'once', description: 'd', groupid: 'g' });
    expect((await there.post(JOBS, { _id: '5ab', ...made })).body.data.job).toEqual(made);
  });
});

describe('a refused job of Cloudtask', () => {
  const failed = (notice: object) => ({ notifysetting: { failed: { enabled: true, to: 'a@x.org', ...notice } } });
  const never = { turnmode: 6, selectat: '2', monthlyof: { day: 31, week: '' } };
  const cases: [what: string, difference: Record<string, unknown>, field: string, said: string][] = [
    ['no name', { name: undefined }, 'name', 'name is missing'],
    ['a blank name', { name: '' }, 'name', 'name is ""'],
    ['a name of other letters', { name: '-x' }, 'name', 'name is "-x"'],
    ['a name of 101 letters', { name: 'x'.repeat(101) }, 'name', 'name is'],
    ['no runtime', { location: undefined }, 'location', 'location is missing'],
    ['no command', { cmd: undefined }, 'cmd', 'cmd is missing'],
    ['a blank command', { cmd: ' ' }, 'cmd', 'cmd is " ", but must be a command that is not empty.'],
    ['a command with NUL', { cmd: 'a\0b' }, 'cmd', 'without NUL'],
    ['a jobid of 23 digits', { jobid: ID.slice(1) }, 'jobid', 'but must be 24 hex digits.'],
    ['a jobid of 25 digits', { jobid: `${ID}0` }, 'jobid', 'but must be 24 hex digits.'],
    ['a jobid of other letters', { jobid: 'z'.repeat(24) }, 'jobid', 'but must be 24 hex digits.'],
    ['enabled true', { enabled: true }, 'enabled', 'enabled is true, but must be 0 or 1.'],
    ['enabled 2', { enabled: 2 }, 'enabled', 'enabled is 2, but must be 0 or 1.'],
    ['a timeout below 0', { timeout: -1 }, 'timeout', 'timeout is -1'],
    ['a timeout over a year', { timeout: 31_622_401 }, 'timeout', 'a whole number from 0 to 31622400'],
    ['a broken timeout', { timeout: 1.5 }, 'timeout', 'timeout is 1.5'],
    ['a timeout as a text', { timeout: '5' }, 'timeout', 'timeout is "5"'],
    ['an unknown zone', { timezone: 'Mars/Olympus' }, 'timezone', 'an IANA time zone such as Europe/Berlin'],
    ['an unknown misfire', { misfire: 'maybe' }, 'misfire', 'misfire is "maybe", but must be skip, once, all'],
    ['a misfire without a limit', { misfire: { policy: 'all', limit: 0 } }, 'misfire', 'from 1 to 1000'],
    ['a failover of 1', { failover: 1 }, 'failover', 'true or false'],
    ['no cpu', { cpus: 0 }, 'cpus', 'cpus is 0'],
    ['no memory', { memorymb: 0 }, 'memorymb', 'memorymb is 0'],
    ['nobody to notify', failed({ to: '' }), 'notifysetting.failed.to', 'names nobody, but must have at least one address'],
    ['an empty part of to', failed({ to: 'a@x.org;' }), 'notifysetting.failed.to', 'notifysetting.failed.to has an empty part'],
    ['51 addresses', failed({ to: Array(51).fill('a@x.org').join(';') }), 'notifysetting.failed.to', 'has 51 addresses, but at most 50'],
    [
      'an address that is none',
      failed({ to: 'a@x.org;ops' }),
      'notifysetting.failed.to',
      'has "ops", but must be mail or http(s) addresses',
    ],
    ['a file as an address', failed({ to: 'file:///etc/passwd' }), 'notifysetting.failed.to', 'has "file:///etc/passwd"'],
    [
      'a line break in an address',
      failed({ to: 'a@x.org\r\nBcc: b@x.org' }),
      'notifysetting.failed.to',
      'must be mail or http(s) addresses',
    ],
    ['a line break behind an address', failed({ to: 'a@x.org\r\n' }), 'notifysetting.failed.to', 'must be mail or http(s) addresses'],
    ['a line break in a subject', failed({ subject: 'x\r\nBcc: b@x.org' }), 'notifysetting.failed.subject', 'one line of at most 1000'],
    ['addresses as a list', failed({ to: ['a@x.org'] }), 'notifysetting.failed.to', 'a text of at most'],
    ['a wrong address of a success', { notifysetting: { succeed: { to: 'x' } } }, 'notifysetting.succeed.to', 'has "x"'],
    ['servers as a text', { servers: 'w1' }, 'servers', 'servers is "w1"'],
    ['an empty server', { servers: [''] }, 'servers[0]', 'servers[0] is ""'],
    ['a variable without =', { env: ['A=1', 'B'] }, 'env[1]', 'env[1] is a text, but must be NAME=value'],
    ['a variable without a name', { env: ['=1'] }, 'env[0]', 'but must be NAME=value'],
    ['a variable of other letters', { env: ['A-B=1'] }, 'env[0]', 'but must be NAME=value'],
    [
      '501 variables',
      { env: Array.from({ length: 501 }, (_, n) => `V${n}=`) },
      'env',
      'env is a list of 501, but must be a list of at most 500',
    ],
    ['a hidden value', { env: ['A=******'] }, 'env[0]', 'the job has no A whose value could stay'],
    ['a schedule as a text', { schedule: 'daily' }, 'schedule', 'schedule is "daily", but must be a list of at most 100 schedules.'],
    [
      '101 schedules',
      { schedule: Array.from({ length: 101 }, () => item()) },
      'schedule',
      'schedule is a list of 101, but must be a list of at most 100',
    ],
    ['a schedule as a list', { schedule: [[]] }, 'schedule[0]', 'schedule[0] is a list of 0'],
    ['an empty schedule', { schedule: [{}] }, 'schedule[0].turnmode', 'turnmode is 0, but must be 1 (seconds)'],
    ['turnmode 7', { schedule: [item(), item({ turnmode: 7 })] }, 'schedule[1].turnmode', 'turnmode is 7'],
    ['turnmode as a text', { schedule: [item({ turnmode: '2' })] }, 'schedule[0].turnmode', 'turnmode is "2"'],
    ['interval 0', { schedule: [item({ interval: 0 })] }, 'schedule[0].interval', 'interval is 0, but must be a whole number from 1.'],
    ['a broken interval', { schedule: [item({ interval: 1.5 })] }, 'schedule[0].interval', 'interval is 1.5'],
    ['enabled 2 of a schedule', { schedule: [item({ enabled: 2 })] }, 'schedule[0].enabled', 'enabled is 2, but must be 0 or 1.'],
    ['no startdate', { schedule: [item({ startdate: '' })] }, 'schedule[0].startdate', 'startdate is "", but must be a date MM/DD/YYYY.'],
    ['another form of date', { schedule: [item({ startdate: '2018-03-19' })] }, 'schedule[0].startdate', 'startdate is "2018-03-19"'],
    ['30 February', { schedule: [item({ startdate: '02/30/2026' })] }, 'schedule[0].startdate', 'that exists'],
    ['an enddate before startdate', { schedule: [item({ enddate: '03/18/2018' })] }, 'schedule[0].enddate', 'not before startdate'],
    ['enddate yesterday', { schedule: [item({ enddate: '11/21/2026' })] }, 'schedule[0].enddate', 'which is over'],
    ['24:00', { schedule: [item({ starttime: '24:00' })] }, 'schedule[0].starttime', 'HH:MM'],
    ['another form of time', { schedule: [item({ endtime: '9.30' })] }, 'schedule[0].endtime', 'HH:MM'],
    [
      'no starttime of a day',
      { schedule: [item({ turnmode: 4, starttime: '' })] },
      'schedule[0].starttime',
      'required in turnmode 4, 5 and 6',
    ],
    ['no weekday', { schedule: [item({ turnmode: 5 })] }, 'schedule[0].selectat', 'numbers from 0 to 6'],
    ['weekday 7', { schedule: [item({ turnmode: 5, selectat: '1,7' })] }, 'schedule[0].selectat', 'numbers from 0 to 6'],
    ['a weekday by name', { schedule: [item({ turnmode: 5, selectat: 'Mon' })] }, 'schedule[0].selectat', 'numbers from 0 to 6'],
    ['month 13', { schedule: [item({ turnmode: 6, selectat: '13' })] }, 'schedule[0].selectat', 'numbers from 1 to 12'],
    [
      'day 32',
      { schedule: [item({ turnmode: 6, selectat: '1', monthlyof: { day: 32, week: '' } })] },
      'schedule[0].monthlyof.day',
      '-31 to 31',
    ],
    [
      'day 0 without a week',
      { schedule: [item({ turnmode: 6, selectat: '1', monthlyof: {} })] },
      'schedule[0].monthlyof.week',
      'which:weekday',
    ],
    ['31 February', { schedule: [item(never)] }, 'schedule[0].monthlyof.day', 'or the rule is never due'],
  ];
  test.each(cases)(
    'a refused job of Cloudtask names the field, what came and what is expected, and stores nothing: %s',
    async (_, difference, field, said) => {
      const api = await anApi();
      const { status, body } = await api.post(JOBS, aJobBody(difference));
      expect([status, body.content]).toEqual([400, 'request resolve invaild.']);
      expect(body.error).toContain(said);
      expect(body.error).toContain(field.split('.').at(-1)?.split('[')[0] ?? '');
      expect(JSON.stringify(body)).not.toContain('hunter2');
      expect((await api.get(JOBS)).body.data).toEqual({ jobs: [], total: 0 });
      // The same field is judged alike in a change.
      if (difference[Object.keys(difference)[0] as string] === undefined || 'name' in difference || 'jobid' in difference) return;
      const job = await posted(api);
      const change = await api.put(`${JOBS}/${job.jobid}`, difference);
      expect([change.status, change.body.error]).toEqual([400, body.error]);
      expect(await read(api, job.jobid)).toEqual(job);
    },
  );

  test('a refused job of Cloudtask that names an unknown runtime is 404, made or moved', async () => {
    const api = await anApi();
    const { jobid } = await posted(api);
    const answers = [
      await api.post(JOBS, aJobBody({ name: 'x', location: 'nowhere' })),
      await api.put(`${JOBS}/${jobid}`, { location: 'nowhere' }),
    ];
    for (const { status, body } of answers) {
      expect([status, body]).toEqual([
        404,
        { content: 'request resource not found.', error: 'runtime not found: nowhere; create it first.' },
      ]);
    }
    expect((await read(api, jobid)).location).toBe('default');
  });

  test('a refused job of Cloudtask has a name or a jobid that is taken, in any case, also when two come at once', async () => {
    const api = await anApi();
    await posted(api, { jobid: ID });
    const taken = await api.post(JOBS, aJobBody({ name: 'other', jobid: ID.toUpperCase() }));
    expect([taken.status, taken.body.content]).toEqual([
      409,
      expect.stringContaining(`jobid is "${ID}", which job ACCT.ShippingCost.job has`),
    ]);
    expect((await api.post(JOBS, aJobBody())).status).toBe(409);
    const id = 'ab'.repeat(12);
    const both = await Promise.all(['a', 'b'].map(name => api.post(JOBS, aJobBody({ name, jobid: id }))));
    expect(both.map(answer => answer.status).sort()).toEqual([201, 409]);
    expect((await api.get(JOBS)).body.data.total).toBe(2);
  });

  test('a refused job of Cloudtask is found by no other name: its own, a blank one, one of another length', async () => {
    const api = await anApi();
    await posted(api, { jobid: ID });
    for (const path of ['ACCT.ShippingCost.job', ID.slice(1), `${ID}00`, 'x'.repeat(400)]) {
      for (const answer of [
        await api.get(`${JOBS}/${path}`),
        await api.get(`${JOBS}/${path}/base`),
        await api.put(`${JOBS}/${path}`, {}),
        await api.del(`${JOBS}/${path}`),
      ]) {
        expect([path, answer.status, answer.body.content]).toEqual([path, 404, 'request resource not found.']);
      }
    }
    expect((await api.get(`${JOBS}/%20`)).status).toBe(400);
    expect((await api.get(`${JOBS}/%20${ID}%20`)).status).toBe(200);
  });

  test('a refused job of Cloudtask has a body that is no object, or none', async () => {
    const api = await anApi();
    for (const body of ['', '[]', '7', 'null', '{', '"x"']) {
      const answer = await api.post(JOBS, body);
      expect([body, answer.status, answer.body.content]).toEqual([body, 400, 'request resolve invaild.']);
    }
  });
});

describe('a change through Cloudtask', () => {
  test('a change through Cloudtask applies the fields that it names, and counts as one edit', async () => {
    const api = await anApi();
    const before = await posted(api, { jobid: ID, env: ['A=1'], schedule: [item()] });
    const answer = await api.put(`${JOBS}/${ID.toUpperCase()}`, { CMD: 'date', timeout: 5, schedule: [item({ interval: 3 })] });
    expect([answer.status, answer.body.data.job]).toEqual([
      200,
      { ...before, cmd: 'date', timeout: 5, schedule: [item({ interval: 3 })], nextat: '2026-11-22T08:03:00.000Z', version: 2 },
    ]);
  });

  test('a change through Cloudtask with another name or jobid is refused, with the same ones it is not', async () => {
    const api = await anApi();
    const job = await posted(api, { jobid: ID });
    for (const [field, value] of [
      ['name', 'other'],
      ['name', ''],
      ['jobid', 'ab'.repeat(12)],
      ['jobid', ''],
    ] as const) {
      const { status, body } = await api.put(`${JOBS}/${ID}`, { [field]: value });
      expect([status, body.error]).toEqual([400, `${field} is "${value}", but must stay "${job[field]}".`]);
    }
    expect((await api.put(`${JOBS}/${ID}`, { name: job.name, jobid: ID.toUpperCase(), description: 'd' })).status).toBe(200);
  });

  test('a change through Cloudtask moves a job to another runtime', async () => {
    const api = await anApi();
    await api.post('/cloudtask/v2/runtimes', { location: 'west', timezone: 'Asia/Tokyo' });
    const { jobid } = await posted(api);
    expect((await api.put(`${JOBS}/${jobid}`, { location: 'west', timezone: '' })).body.data.job).toMatchObject({
      location: 'west',
      timezone: 'Asia/Tokyo',
    });
    expect(await native(api, 'ACCT.ShippingCost.job')).toMatchObject({ pool: 'west', timeZone: 'Asia/Tokyo' });
  });

  test('a change through Cloudtask of nothing but enabled switches the job', async () => {
    const api = await anApi();
    const { jobid } = await posted(api, { schedule: [item()] });
    const none = '0001-01-01T00:00:00Z';
    expect((await api.put(`${JOBS}/${jobid}`, { enabled: 0 })).body.data.job).toMatchObject({ enabled: 0, stat: 0, nextat: none });
    expect((await native(api, 'ACCT.ShippingCost.job')).status).toBe('disabled');
    expect((await api.put(`${JOBS}/${jobid}`, { enabled: 1 })).body.data.job).toMatchObject({
      enabled: 1,
      nextat: '2026-11-22T08:02:00.000Z',
    });
  });

  test('a change through Cloudtask leaves alone what it has no word for: shards, retries, cron, an app, a zone of a schedule', async () => {
    const api = await anApi();
    await api.post('/v1/apps', { name: 'my_app', url: 'http://h/a.tar.gz', command: 'x' });
    const zoned = { type: 'calendar', turnmode: 4, interval: 1, startdate: '11/22/2026', starttime: '09:30', timeZone: 'Asia/Tokyo' };
    const cron = { type: 'cron', cron: '0 0 9 * * ?' };
    const crontab = { type: 'crontab', crontab: '0 9 * * 1-5' };
    const rest = {
      app: 'my_app',
      shards: { total: 3, parameters: { 1: 'b' } },
      retry: { attempts: 4 },
      timeoutMs: 1_500,
      placement: 'pack',
    };
    await api.post('/v1/jobs', { name: 'n', ...rest, schedules: [zoned, cron, crontab] });
    const [listed] = (await api.get(JOBS)).body.data.jobs;
    expect(listed).toMatchObject({
      cmd: '',
      timeout: 2,
      cron: ['0 0 9 * * ?', '0 9 * * 1-5'],
      schedule: [{ turnmode: 4, starttime: '09:30' }],
    });
    const added = item();
    expect((await api.put(`${JOBS}/${listed.jobid}`, { ...listed, description: 'd', schedule: [...listed.schedule, added] })).status).toBe(
      200,
    );
    const after = await native(api, 'n');
    expect(after).toMatchObject({ ...rest, command: null, shell: false, description: 'd' });
    expect(after.schedules.slice(0, 3)).toEqual([zoned, cron, crontab]);
    expect(after.schedules[3]).toMatchObject({ turnmode: 2, interval: 2 });
    expect((await api.put(`${JOBS}/${listed.jobid}`, { schedule: [] })).body.data.job.schedule).toEqual([]);
    expect((await native(api, 'n')).schedules).toEqual([cron, crontab]);
    expect((await api.put(`${JOBS}/${listed.jobid}`, { cmd: 'a | b' })).body.data.job.cmd).toBe('a | b');
    expect(await native(api, 'n')).toMatchObject({ app: 'my_app', command: 'a | b', shell: true, timeoutMs: 1_500 });
  });

  test('a change through Cloudtask of a schedule that is over already is not refused for it', async () => {
    const api = await anApi();
    const { jobid } = await posted(api, { schedule: [item({ enddate: '11/22/2026' })] });
    await api.clock.advance(2 * 86_400_000);
    expect((await api.put(`${JOBS}/${jobid}`, { ...(await read(api, jobid)), description: 'd' })).status).toBe(200);
  });

  test('a change through Cloudtask names the item of a refused schedule, whatever stands beside it in the job', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'n', command: 'x', schedules: [{ type: 'cron', cron: '0 0 9 * * ?' }] });
    const [{ jobid }] = (await api.get(JOBS)).body.data.jobs;
    const { body } = await api.put(`${JOBS}/${jobid}`, { schedule: [item(), item({ enddate: '11/21/2026' })] });
    expect(body.error).toStartWith('schedule[1].enddate is "11/21/2026", which is over');
  });

  test('a job that is deleted through Cloudtask is gone from every surface', async () => {
    const api = await anApi();
    const { jobid } = await posted(api);
    expect((await api.del(`${JOBS}/${jobid}`)).text).toBe('{"content":"request successed."}');
    expect([(await api.get(`${JOBS}/${jobid}`)).status, (await api.get('/v1/jobs/ACCT.ShippingCost.job')).status]).toEqual([404, 404]);
    expect((await posted(api, { jobid })).jobid).toBe(jobid);
  });
});

describe('the list of jobs of Cloudtask', () => {
  const names = async (api: TestApi, query: string) => {
    const { jobs, total } = (await api.get(`${JOBS}${query}`)).body.data;
    return [jobs.map((job: { name: string }) => job.name), total];
  };

  test('the list of jobs of Cloudtask is by name, in pages with a total, by runtime, group and part of a name', async () => {
    const api = await anApi();
    await api.post('/cloudtask/v2/runtimes', { location: 'west' });
    for (let n = 0; n < 25; n += 1) {
      const name = `Job.${String(n).padStart(2, '0')}`;
      await posted(api, { name, location: n % 2 === 0 ? 'west' : 'default', groupid: n % 5 === 0 ? 'fives' : '' });
    }
    const [first, total] = (await names(api, '')) as [string[], number];
    expect([first.length, first[0], first.at(-1), total]).toEqual([20, 'Job.00', 'Job.19', 25]);
    expect(await names(api, '?pageIndex=2')).toEqual([['Job.20', 'Job.21', 'Job.22', 'Job.23', 'Job.24'], 25]);
    expect(await names(api, '?pageIndex=9')).toEqual([[], 25]);
    expect(await names(api, '?pageIndex=3&pageSize=2&runtime=west')).toEqual([['Job.08', 'Job.10'], 13]);
    expect(await names(api, '?group=fives&runtime=west')).toEqual([['Job.00', 'Job.10', 'Job.20'], 3]);
    expect(await names(api, '?q=JOB.1&pageSize=3')).toEqual([['Job.10', 'Job.11', 'Job.12'], 10]);
    expect(await names(api, '?q=_&unknown=1')).toEqual([[], 0]);
    expect(await names(api, '?runtime=nowhere')).toEqual([[], 0]);
    expect((await names(api, '?runtime=&group=&q='))[1]).toBe(25);
    const { jobid } = (await api.get(`${JOBS}?q=Job.07`)).body.data.jobs[0];
    expect(await names(api, `?q=${jobid.toUpperCase()}`)).toEqual([['Job.07'], 1]);
    expect(await names(api, `?q=${jobid.slice(1)}`)).toEqual([[], 0]);
  });

  test.each([
    ['pageIndex=0', 'pageIndex'],
    ['pageIndex=x', 'pageIndex'],
    ['pageSize=201', 'pageSize'],
    ['stat=1', 'stat'],
  ])('the list of jobs of Cloudtask refuses %s', async (query, field) => {
    const api = await anApi();
    const { status, body } = await api.get(`${JOBS}?${query}`);
    expect([status, body.content]).toEqual([400, 'request resolve invaild.']);
    expect(body.error).toContain(field);
  });

  test('the list of jobs of Cloudtask by stat agrees with the stat that each job shows', async () => {
    const api = await anApi();
    await api.aHost('h1');
    for (const name of ['idle', 'runs', 'fine', 'stopped', 'failed', 'late', 'lost', 'off']) await posted(api, { name });
    await api.post('/v1/jobs', { name: 'anywhere', command: 'true' });
    await posted(api, { name: 'homeless', cpus: 1_000 });
    for (const name of ['runs', 'fine', 'stopped', 'failed', 'late', 'lost', 'off']) await api.post(`/v1/jobs/${name}/trigger`);
    await ends(api, 'fine', 'succeeded', Date.parse(AT) - 5_000);
    await ends(api, 'stopped', 'cancelled');
    await ends(api, 'failed', 'failed');
    await ends(api, 'late', 'timedOut');
    await ends(api, 'lost', 'lost');
    await ends(api, 'off', 'failed');
    await api.post('/v1/jobs/off/disable');
    const shown = Object.fromEntries(
      (await api.get(JOBS)).body.data.jobs.map((job: { name: string; stat: number }) => [job.name, job.stat]),
    );
    expect(shown).toEqual({
      anywhere: 0,
      homeless: 202,
      ...{ idle: 0, runs: 200, fine: 0, stopped: 0, failed: -1, late: -1, lost: -1, off: -1 },
    });
    for (const stat of [202, 200, 0, -1]) {
      const expected = Object.keys(shown).filter(name => shown[name] === stat);
      expect(await names(api, `?stat=${stat}`)).toEqual([expected.sort(), expected.length]);
    }
    expect((await api.get('/v1/jobs?status=idle')).body.items.map(({ name }: { name: string }) => name)).toContain('homeless');
    const [fine, late] = [(await api.get(`${JOBS}?q=fine`)).body.data.jobs[0], (await api.get(`${JOBS}?q=late`)).body.data.jobs[0]];
    expect([fine.execat, fine.execerr]).toEqual(['2026-11-22T07:59:55.000Z', '']);
    expect(late.execerr).toBe('the job has been executed for too long and has exceeded the timeout threshold.');
  });
});

describe('values of a job of Cloudtask that a read token may not see', () => {
  test('values of a job of Cloudtask that a read token may not see are hidden, come back unchanged, and can be kept one by one', async () => {
    const password = 'correct horse battery';
    const api = await anApi({ env: { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: password } });
    const { token } = (await api.post('/v1/login', { username: 'root', password })).body;
    const me = { ...json, Authorization: `Bearer ${token}` };
    const made = (await api.post('/v1/tokens', { name: 'r', scope: 'read', expiresInMs: 86_400_000 }, me)).body;
    const reader = { ...json, Authorization: `Bearer ${made.token}` };
    const writer = (await api.post('/v1/tokens', { name: 'deployer', scope: 'all', expiresInMs: 86_400_000 }, me)).body;
    const program = { ...json, Authorization: `Bearer ${writer.token}` };
    await api.post(JOBS, aJobBody({ jobid: ID, env: ['A=hunter2', 'B=b=hunter2'] }), me);
    for (const path of [`${JOBS}/${ID}`, `${JOBS}/${ID}/base`, JOBS]) {
      const { text } = await api.get(path, reader);
      expect(text).not.toContain('hunter2');
      expect(text).toContain('"env":["A=******","B=******"]');
    }
    expect((await api.put(`${JOBS}/${ID}`, { cmd: 'x' }, reader)).status).toBe(403);
    const { job } = (await api.get(`${JOBS}/${ID}`, reader)).body.data;
    const put = async (change: object) => (await api.put(`${JOBS}/${ID}`, { ...job, ...change }, program)).body;
    expect((await put({ description: 'd' })).data.job).toMatchObject({
      env: ['A=hunter2', 'B=b=hunter2'],
      createuser: 'root',
      edituser: 'token deployer',
    });
    expect((await put({ env: ['B=******', 'C=3'] })).data.job.env).toEqual(['B=b=hunter2', 'C=3']);
    expect((await put({ env: ['A=******'] })).error).toContain('env[0] is A=******, but the job has no A');
    expect((await api.get(JOBS)).body).toMatchObject({ content: 'request unauthorized.' });
  });
});
