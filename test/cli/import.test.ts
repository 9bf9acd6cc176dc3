/** `troupe import cloudtask` at the API of a center, with exports of the original's database. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { documentsIn } from '../../src/cli/import/documents.ts';
import { anApi, type TestApi } from '../api/support.ts';
import { aScheduleItem as schedule } from '../support/schedule-item.ts';
import { tempDir } from '../support/temp-dir.ts';
import { aShell, troupe } from './support/shell.ts';

const ID = '399d4b159c65c9b34d2a3c41';
const SECOND = '72ec7bb9decf1e8ea92ad3da';

const quiet = (subject: string) => ({ enabled: false, subject, to: '', content: '' });

/** A document of sys_jobs, in the extended JSON of mongoexport, version 1. */
const aJob = (difference: Record<string, unknown> = {}) => ({
  _id: { $oid: '5ab4b2d0c6a3f8001d2f6a11' },
  jobid: ID,
  name: 'ACCT.ShippingCost.job',
  location: 'myCluster',
  groupid: '5ab4b2',
  servers: ['192.168.2.81'],
  filename: '',
  files: [],
  cmd: 'ps aux',
  env: ['LEVEL=debug'],
  description: 'ships',
  timeout: 30,
  enabled: 1,
  schedule: [schedule(), schedule({ interval: 4 })],
  notifysetting: { succeed: quiet('Job Succeed'), failed: quiet('Job Failed') },
  stat: 0,
  execerr: '',
  execat: { $date: '2018-03-19T10:12:13.000Z' },
  nextat: { $date: { $numberLong: '-62135596800000' } },
  createuser: 'admin',
  createat: '2018-03-19T10:12:13+08:00',
  edituser: 'admin',
  editat: '2018-03-19T10:12:13+08:00',
  ...difference,
});
const aLocation = (difference: Record<string, unknown> = {}) => ({
  _id: { $oid: '5ab4b2d0c6a3f8001d2f6a12' },
  location: 'myCluster',
  description: 'the machines in Shanghai',
  owners: ['admin', 'ops@example.org'],
  group: [{ id: '5ab4b2', name: 'billing', owners: ['ada'], createuser: 'admin', createat: '2018-03-19T10:12:13+08:00' }],
  server: [{ key: 'k', name: 'web-1', ipaddr: '192.168.2.81', status: 1, alivestamp: { $numberLong: '1521276530' } }, { name: 'web-2' }],
  createat: '2018-03-19T10:12:13+08:00',
  editat: '2018-03-19T10:12:13+08:00',
  edituser: 'admin',
  ...difference,
});

let api: TestApi;
let server: ReturnType<typeof Bun.serve>;
let directory: string;
beforeAll(() => {
  server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: request => api.app.fetch(request, { address: '127.0.0.1' }) });
});
afterAll(() => server.stop(true));
beforeEach(async () => {
  api = await anApi();
  directory = tempDir('import');
});

const written = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};
const lines = (...documents: unknown[]): string => documents.map(each => `${JSON.stringify(each)}\n`).join('');
const imported = async (...words: string[]) => {
  const { exit, out, notices } = await troupe(
    ['import', 'cloudtask', ...words],
    aShell({ env: { TROUPE_URL: `http://127.0.0.1:${server.port}` } }),
  );
  return { exit, notices, out: out.split('\n').filter(line => line !== '' && !line.startsWith('Logs, users')) };
};
const read = async (path: string) => (await api.get(`/cloudtask/v2/${path}`)).body.data;

describe('an import from Cloudtask', () => {
  test('an import from Cloudtask makes pools and jobs with their ids, schedules and groups, and a second one changes nothing', async () => {
    const locations = written('sys_locations.json', JSON.stringify([aLocation()]));
    const jobs = written('sys_jobs.json', lines(aJob(), aJob({ jobid: SECOND.toUpperCase(), name: 'MKPL', enabled: 0 })));
    const first = await imported(jobs, locations, '--time-zone', 'Asia/Shanghai');
    expect(first.out).toEqual([
      'sys_jobs.json:1  job ACCT.ShippingCost.job  created',
      'sys_jobs.json:2  job MKPL  created',
      'sys_locations.json:1  runtime myCluster  created',
      '  not carried over: owner "admin", which is no address',
      '3 created',
    ]);
    expect(first.exit).toBe(0);
    const { runtime } = await read('runtimes/myCluster');
    expect(runtime).toMatchObject({
      description: 'the machines in Shanghai',
      owners: ['ops@example.org'],
      servers: ['web-1', '192.168.2.81', 'web-2'],
      group: [{ id: '5ab4b2', name: 'billing', owners: ['ada'] }],
      timezone: 'Asia/Shanghai',
    });
    const { job } = await read(`jobs/${ID}`);
    const { _id, stat, execat, nextat, createuser, createat, edituser, editat, ...own } = aJob();
    expect(job).toMatchObject(own);
    expect(job.timezone).toBe('Asia/Shanghai');
    expect((await read(`jobs/${SECOND}`)).job).toMatchObject({ name: 'MKPL', enabled: 0 });

    const before = JSON.stringify([await read('jobs'), await read('runtimes')]);
    const again = await imported(jobs, locations, '--time-zone', 'Asia/Shanghai');
    expect([again.exit, again.out.at(-1)]).toEqual([0, '3 unchanged']);
    expect(JSON.stringify([await read('jobs'), await read('runtimes')])).toBe(before);
  });

  test('an import from Cloudtask says in a dry run what it would do, and does nothing', async () => {
    const path = written(
      'all.json',
      lines(aLocation(), aJob(), aJob({ jobid: SECOND }), aJob({ jobid: '1'.repeat(24), name: 'x', location: 'y' })),
    );
    const dry = await imported(path, '--dry-run');
    expect(dry).toMatchObject({ exit: 1 });
    expect(dry.out.filter(line => !line.startsWith(' '))).toEqual([
      'all.json:1  runtime myCluster  created',
      'all.json:2  job ACCT.ShippingCost.job  created',
      'all.json:3  job ACCT.ShippingCost.job  refused: there is a job ACCT.ShippingCost.job already',
      'all.json:4  job x  refused: runtime not found: y',
      'dry run: 2 created, 2 refused',
    ]);
    expect([(await read('jobs')).total, (await read('runtimes')).runtimes.length]).toEqual([0, 1]);
  });

  test('an import from Cloudtask names bad documents by file and line, and goes on with the others', async () => {
    const path = written(
      'sys_jobs.json',
      `${lines(aLocation())}{"jobid":\n7\n${lines(
        aJob({ schedule: [schedule({ interval: 0 })] }),
        aJob({ jobid: 'short' }),
        { userid: 'ada', password: 'hunter2' },
        aJob({ jobid: null }),
        aJob(),
      )}`,
    );
    const { exit, out } = await imported(path);
    expect(exit).toBe(1);
    expect(out.filter(line => !line.startsWith(' '))).toEqual([
      'sys_jobs.json:1  runtime myCluster  created',
      expect.stringMatching(/^sys_jobs.json:2 {2}document {2}refused: it is not extended JSON: /),
      'sys_jobs.json:3  document  refused: it must be a JSON object',
      'sys_jobs.json:4  job ACCT.ShippingCost.job  refused: interval is 0, but must be a whole number from 1.',
      'sys_jobs.json:5  job ACCT.ShippingCost.job  refused: jobid is "short", but must be 24 hex digits.',
      'sys_jobs.json:6  document  refused: it is neither a job (sys_jobs) nor a runtime (sys_locations)',
      'sys_jobs.json:7  job ACCT.ShippingCost.job  refused: name and jobid must be texts',
      'sys_jobs.json:8  job ACCT.ShippingCost.job  created',
      '2 created, 6 refused',
    ]);
    expect(out.join()).not.toContain('hunter2');
  });

  test('an import from Cloudtask uploads the file of a job and binds the job to it, and makes no job whose file is missing', async () => {
    const files = join(directory, 'files');
    mkdirSync(files);
    writeFileSync(join(files, 'a.tar.gz'), 'content');
    const path = written(
      'sys_jobs.json',
      lines(
        aLocation(),
        aJob({ filename: 'a.tar.gz', files: [{ name: 'old.tar.gz', createat: { $numberLong: '1521276530000' } }] }),
        aJob({ jobid: SECOND, name: 'without', filename: 'b.tar.gz' }),
      ),
    );
    const { exit, out } = await imported(path, '--files', files);
    expect([exit, out.slice(-5)]).toEqual([
      1,
      [
        expect.stringContaining('owner "admin"'),
        'sys_jobs.json:2  job ACCT.ShippingCost.job  created',
        '  not carried over: 1 earlier file',
        `sys_jobs.json:3  job without  refused: filename is "b.tar.gz", which is not in ${files} nor in the center`,
        '2 created, 1 refused',
      ],
    ]);
    const { job } = await read(`jobs/${ID}`);
    expect([job.filename, job.filecode]).toEqual(['a.tar.gz', '9a0364b9e99bb480dd25e1f0284c8555']);
    expect((await imported(path, '--files', files)).out.at(-1)).toBe('2 unchanged, 1 refused');
    // Without the directory the newest content of the name counts.
    expect((await imported(path)).out.at(-1)).toBe('2 unchanged, 1 refused');
    writeFileSync(join(files, 'a.tar.gz'), 'other');
    expect((await imported(path, '--files', files)).out).toContain(
      'sys_jobs.json:2  job ACCT.ShippingCost.job  differs in filecode; it stays as it is',
    );
  });

  test('an import from Cloudtask makes the other jobs where the center does not take the name of a file', async () => {
    const files = join(directory, 'files');
    mkdirSync(files);
    writeFileSync(join(files, 'two words.sh'), 'content');
    const path = written('sys_jobs.json', lines(aLocation(), aJob({ filename: 'two words.sh' }), aJob({ jobid: SECOND, name: 'other' })));
    const { exit, out } = await imported(path, '--files', files);
    expect([exit, out.slice(-3)]).toEqual([
      1,
      [
        expect.stringContaining('sys_jobs.json:2  job ACCT.ShippingCost.job  refused: filename is "two words.sh", but must be a file name'),
        'sys_jobs.json:3  job other  created',
        '2 created, 1 refused',
      ],
    ]);
  });

  test('an import from Cloudtask carries notifications over, without what is no address, and switches off what is over', async () => {
    const path = written(
      'sys_jobs.json',
      lines(
        aLocation({ owners: [] }),
        aJob({
          schedule: [schedule({ enddate: '11/21/2026' }), schedule()],
          notifysetting: {
            succeed: { enabled: true, subject: 'Done', to: 'ada', content: '' },
            failed: {
              enabled: true,
              subject: 'Job Failed',
              to: 'ops@example.org; ada;https://hooks.example.org/x',
              content: 'please check',
            },
          },
        }),
      ),
    );
    const { exit, out } = await imported(path);
    expect(out).toEqual([
      'sys_jobs.json:1  runtime myCluster  created',
      'sys_jobs.json:2  job ACCT.ShippingCost.job  created',
      '  not carried over: schedule[0], which ended on 11/21/2026: it is switched off',
      '  not carried over: notifysetting.succeed.to "ada", which is no address',
      '  not carried over: notifysetting.succeed, which has no address: it is switched off',
      '  not carried over: notifysetting.failed.to "ada", which is no address',
      '2 created',
    ]);
    expect(exit).toBe(0);
    const { job } = await read(`jobs/${ID}`);
    expect(job.notifysetting.succeed.enabled).toBe(false);
    expect(job.notifysetting.failed).toEqual({
      enabled: true,
      subject: 'Job Failed',
      to: 'ops@example.org;https://hooks.example.org/x',
      content: 'please check',
    });
    expect(job.schedule.map((item: { enabled: number }) => item.enabled)).toEqual([0, 1]);
    expect((await imported(path)).out.at(-1)).toBe('2 unchanged');
  });

  test('an import from Cloudtask leaves a job that was edited here as it is, and changes it with --update', async () => {
    const path = written('sys_jobs.json', lines(aLocation(), aJob()));
    await imported(path);
    await api.put(`/cloudtask/v2/jobs/${ID}`, { cmd: 'true', timeout: 5 });
    const { exit, out } = await imported(path);
    expect([exit, out.at(-2), out.at(-1)]).toEqual([
      1,
      'sys_jobs.json:2  job ACCT.ShippingCost.job  differs in cmd, timeout; it stays as it is',
      '1 unchanged, 1 differs',
    ]);
    expect((await read(`jobs/${ID}`)).job.cmd).toBe('true');
    expect((await imported(path, '--update', '--dry-run')).out.at(-1)).toBe('dry run: 1 updated, 1 unchanged');
    expect((await read(`jobs/${ID}`)).job.cmd).toBe('true');
    expect(await imported(path, '--update')).toMatchObject({ exit: 0 });
    expect((await read(`jobs/${ID}`)).job).toMatchObject({ cmd: 'ps aux', timeout: 30 });
  });

  test('an import from Cloudtask needs a file that can be read', async () => {
    const { exit, notices } = await imported(join(directory, 'nothing.json'));
    expect([exit, notices.join()]).toEqual([2, expect.stringContaining('nothing.json cannot be read')]);
    expect((await imported()).exit).toBe(2);
  });
});

describe('documents of an export', () => {
  const forms: [what: string, text: string, found: [number, unknown][]][] = [
    [
      'one a line',
      '{"a":1}\n\n{"a":2}\r\n',
      [
        [1, { a: 1 }],
        [3, { a: 2 }],
      ],
    ],
    [
      'a list',
      '[{"a":1},\n{"a":"]}"}, {"a":{"b":[]}}]\n',
      [
        [1, { a: 1 }],
        [2, { a: ']}' }],
        [2, { a: { b: [] } }],
      ],
    ],
    [
      'over several lines',
      '{\n  "a": 1\n}\n{\n  "a": [\n    { "b": 1 }\n  ]\n}\n',
      [
        [1, { a: 1 }],
        [4, { a: [{ b: 1 }] }],
      ],
    ],
    ['a list over several lines, with a mark of its bytes', '\ufeff[\n  {\n    "a": 1\n  }\n]', [[2, { a: 1 }]]],
    ['nothing', ' \n', []],
    ['an empty list', '[]', []],
  ];
  test.each(forms)('documents of an export are found with their lines: %s', async (_, text, found) => {
    const values = (await documentsIn(text)).map((each): [number, unknown] => [each.line, 'value' in each && each.value]);
    expect(values).toEqual(found);
  });

  test('documents of an export have dates and ids as texts and numbers as numbers, in both versions of extended JSON', async () => {
    const [old, canonical] = await documentsIn(
      lines(
        { id: { $oid: '5ab4b2d0c6a3f8001d2f6a11' }, at: { $date: '2018-03-19T10:12:13.000Z' }, n: { $numberLong: '1521276530' }, m: 5 },
        {
          id: { $oid: '5ab4b2d0c6a3f8001d2f6a11' },
          at: { $date: { $numberLong: '1521454333000' } },
          n: { $numberInt: '7' },
          m: { $numberDouble: '1.5' },
        },
      ),
    );
    const id = '5ab4b2d0c6a3f8001d2f6a11';
    expect(old).toEqual({ line: 1, value: { id, at: '2018-03-19T10:12:13.000Z', n: 1_521_276_530, m: 5 } });
    expect(canonical).toEqual({ line: 2, value: { id, at: '2018-03-19T10:12:13.000Z', n: 7, m: 1.5 } });
  });

  test.each([
    ['{"a":1}\n{"a":\n{"a":3}\n', [1, 3], [2]],
    ['[{"a":1}, 7, {"a" 2}, {"a":3}]', [1, 1], [1, 1]],
    ['[{"a":1},\n{"a":2', [1], [2]],
  ])('documents of an export that cannot be read are named by their lines, and the others are there: %j', async (text, good, bad) => {
    const found = await documentsIn(text);
    expect(found.filter(each => 'value' in each).map(({ line }) => line)).toEqual(good);
    expect(found.filter(each => 'error' in each).map(({ line }) => line)).toEqual(bad);
  });
});
