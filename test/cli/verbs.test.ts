/** Verbs against a scripted center: exit codes, help, lists, jobs. */
import { afterEach, describe, expect, test } from 'bun:test';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/lib/clock.ts';
import { aHost, aJob, anExecution, aSavedJob, aShard } from './support/builders.ts';
import { aCenter, error, type ScriptedCenter } from './support/center.ts';
import { aShell, type TestShell, troupe } from './support/shell.ts';

const centers: ScriptedCenter[] = [];
afterEach(() => Promise.all(centers.splice(0).map(center => center.stop())));

function at(
  replies: Parameters<typeof aCenter>[0],
  shell: Parameters<typeof aShell>[0] = {},
): { center: ScriptedCenter; shell: TestShell } {
  const center = aCenter(replies);
  centers.push(center);
  return { center, shell: aShell({ ...shell, env: { TROUPE_URL: center.url, ...shell.env } }) };
}

describe('troupe', () => {
  test.each([
    ['', 2, 'troupe <verb>: runs jobs on a fleet of hosts'],
    ['jbos', 2, 'troupe: "troupe jbos" is no verb; did you mean "troupe jobs"?'],
    ['dance', 2, 'troupe: "troupe dance" is no verb; "troupe --help" lists them'],
    ['job', 2, 'troupe: "troupe job" is no verb; did you mean "troupe jobs"?'],
    ['jobs lst', 2, 'troupe: "troupe jobs lst" is no verb; did you mean "troupe jobs list"?'],
    ['jobs show', 2, 'troupe: JOB is missing: troupe jobs show JOB'],
    ['jobs show a b', 2, 'troupe: "b" is one word too many: troupe jobs show JOB'],
    [
      'jobs create a --crontab @daily echo b',
      2,
      'troupe: "echo" is one word too many: troupe jobs create [JOB] [flags] [-- COMMAND …]; the command comes after "--", and a word with a space or a "*" needs quotes',
    ],
    ['trigger a -- b', 2, 'troupe: troupe trigger takes no "--"'],
    ['jobs create', 2, 'troupe: JOB is missing: troupe jobs create JOB, or a "name" in the file'],
    ['jobs update a', 2, 'troupe: no setting to change is given; --help lists the settings'],
    [
      'jobs list --center nonsense',
      2,
      'troupe: --center is "nonsense", but must be an address such as http://127.0.0.1:8899, or a name from "troupe centers"',
    ],
    ['jobs list --center ftp://x', 2, 'troupe: --center is "ftp://x", but must be an address such as http://127.0.0.1:8899'],
    [
      'run hello',
      2,
      'troupe: "troupe run" is no verb; "troupe trigger JOB" runs a job now, "troupe jobs create JOB -- COMMAND" registers one',
    ],
    ['version', 2, 'troupe: "troupe version" is no verb; "troupe --version" prints the version'],
    ['-v', 2, 'troupe: there is no -v here; "troupe --version" prints the version'],
    ['jobs run hello', 2, 'troupe: "troupe jobs run" is no verb; "troupe trigger JOB" runs a job now'],
    ['jobs rm hello', 2, 'troupe: "troupe jobs rm" is no verb; did you mean "troupe jobs delete"?'],
    ['tokens remove a', 2, 'troupe: "troupe tokens remove" is no verb; did you mean "troupe tokens delete"?'],
    ['apps create a', 2, 'troupe: "troupe apps create" is no verb; did you mean "troupe apps publish"?'],
    ['apps update a', 2, 'troupe: "troupe apps update" is no verb; did you mean "troupe apps modify"?'],
    ['jobs modify a', 2, 'troupe: "troupe jobs modify" is no verb; did you mean "troupe jobs update"?'],
    ['apps get a', 2, 'troupe: "troupe apps get" is no verb; did you mean "troupe apps show"?'],
    ['executions kill a', 2, 'troupe: "troupe executions kill" is no verb; did you mean "troupe executions cancel"?'],
    ['hosts ls', 2, 'troupe: "troupe hosts ls" is no verb; did you mean "troupe hosts list"?'],
    ['centers kill', 2, 'troupe: "troupe centers kill" is no verb; "troupe centers --help" lists them'],
    ['executions --since -2h', 2, 'troupe: there is no --since here; did you mean --from?'],
    ['history a --until now', 2, 'troupe: there is no --until here; did you mean --to?'],
    ['jobs create a --tz UTC -- b', 2, 'troupe: there is no --tz here; did you mean --time-zone?'],
    ['next a --until now', 2, 'troupe: there is no --until here; --help lists the flags'],
    ['jobs create a --every 5m -- b', 2, 'troupe: there is no --every here; --crontab "*/5 * * * *" is every 5 minutes, as an example'],
    [
      'jobs create a --retry 3 -- b',
      2,
      'troupe: there is no --retry here; --attempts sets the number of tries of a shard, the first one included',
    ],
    ['jobs create --name a -- b', 2, 'troupe: there is no --name here; the name comes first: troupe jobs create JOB'],
    ['jobs logs hello', 2, 'troupe: "troupe jobs logs" is no verb; "troupe logs JOB" shows the output of its last execution'],
    [
      'trigger hello --timeout 5m',
      2,
      'troupe: there is no --timeout here; the timeout is a setting of the job: "troupe jobs update JOB --timeout 5m"',
    ],
    ['jobs create x --timeout-ms 5', 2, 'troupe: there is no --timeout-ms here; durations have a unit: --timeout 90s'],
    ['jobs update x --disconnect-ms 5', 2, 'troupe: there is no --disconnect-ms here; durations have a unit: --disconnect-after 90s'],
    [
      'jobs create x --timeout 90',
      2,
      'troupe: --timeout is "90", but must be a duration such as 90s, 5m or 1h30m; a number needs its unit, 90s or 90ms',
    ],
    ['--limit 5 jobs', 2, 'troupe: there is no --limit here; --help lists the flags'],
  ])('troupe answers "%s" with exit code %d', async (line, exit, sentence) => {
    const answer = await troupe(line);
    expect(answer.exit).toBe(exit);
    expect(answer.notices[0]).toBe(sentence);
    expect(answer.out).toBe('');
  });

  test.each([
    '--help',
    'help',
    'jobs --help',
    'jobs create --help',
    'help jobs create',
    'trigger -h',
    'up --help',
    'center --help',
    'keeper --help',
    'watch --help --nonsense',
  ])('troupe shows help for "%s" and exits', async line => {
    const answer = await troupe(line);
    expect(answer.exit).toBe(0);
    expect(answer.out).toContain('troupe');
    expect(answer.notices).toEqual([]);
  });

  test('troupe exits with 4 where nobody answers', async () => {
    const { exit, notices } = await troupe('jobs', aShell({ env: { TROUPE_URL: 'http://127.0.0.1:1' } }));
    expect(exit).toBe(4);
    expect(notices).toEqual([
      'troupe: the center at http://127.0.0.1:1 cannot be reached: no server answers there; TROUPE_URL or --center names another',
    ]);
  });

  test.each([
    [400, 'invalid', 2],
    [403, 'forbidden', 3],
    [404, 'notFound', 1],
    [409, 'refused', 3],
    [429, 'tooMany', 3],
    [500, 'internal', 1],
    [503, 'unavailable', 4],
  ])('troupe turns status %d into exit code %d', async (status, code, exit) => {
    const { shell } = at({ 'GET /v1/jobs/x': error(status, code, 'one plain sentence') });
    const answer = await troupe('jobs show x', shell);
    expect(answer.exit).toBe(exit);
    expect(answer.notices).toEqual(['troupe: one plain sentence']);
  });

  test('troupe names the field of a refused request', async () => {
    const { shell } = at({ 'POST /v1/jobs': error(400, 'invalid', 'hour is "25", but must be 0 to 23', 'schedules[0].cron') });
    const answer = await troupe(['jobs', 'create', 'x', '--cron', '0 0 25 * * ?', '--command', 'true'], shell);
    expect(answer.exit).toBe(2);
    expect(answer.notices).toEqual(['troupe: schedules[0].cron: hour is "25", but must be 0 to 23']);
  });

  test('troupe prints errors as JSON where JSON was asked for', async () => {
    const { shell } = at({ 'POST /v1/jobs': error(400, 'invalid', 'wrong', 'command') });
    const { notices } = await troupe('jobs create x --json', shell);
    expect(JSON.parse(notices[0] ?? '')).toEqual({ error: { code: 'invalid', message: 'command: wrong', field: 'command' } });
  });

  test('troupe says what is wrong when another program answers at the address', async () => {
    const { center, shell } = at({ 'GET /v1/jobs': new Response('<html>') });
    expect((await troupe('jobs', shell)).notices).toEqual([`troupe: the server at ${center.url} is no Troupe center: it sent no JSON`]);
  });
});

describe('the help', () => {
  test('the help shows defaults of verbs that create, and none of verbs that change', async () => {
    expect((await troupe('jobs create --help')).out).toContain('(default: 0.1)');
    expect((await troupe('apps publish --help')).out).toContain('(default: 128)');
    for (const line of ['jobs update --help', 'apps modify --help'])
      expect((await troupe(line)).out.replace(/--center.*/, '')).not.toContain('default');
  });
});

describe('a list', () => {
  test('a list is a table for people', async () => {
    const { shell } = at({
      'GET /v1/jobs': {
        items: [aJob(), aJob({ name: 'b', status: 'running', lastOutcome: null, nextAt: null, schedules: [] })],
        next: null,
      },
    });
    expect((await troupe('jobs', shell)).out.split('\n')).toEqual([
      'NAME     STATUS   LAST       NEXT                       SHARDS  POOL     SCHEDULE     RUNS',
      "nightly  idle     succeeded  2026-11-22 08:00:00+00:00       1  default  0 0 8 * * ?  sh -c 'echo hi'",
      "b        running                                             1  default               sh -c 'echo hi'",
      '',
    ]);
  });

  test('a list of jobs shows the first of many schedules and how many there are', async () => {
    const schedules = [...'0123456789'].map(hour => ({ type: 'cron' as const, cron: `0 0 ${hour} * * ?` }));
    const { shell } = at({ 'GET /v1/jobs': { items: [aJob({ schedules })], next: null } });
    expect((await troupe('jobs', shell)).out).toContain('  0 0 0 * * ?, 0 0 1 * * ?, 0 0 2 * * ? and 7 more  sh');
  });

  test.each(['jobs', 'executions', 'pools', 'apps'])('a list of %s sends no filter that was not given', async family => {
    const { center, shell } = at({ [`GET /v1/${family}`]: { items: [], next: null } });
    await troupe(`${family} --json --center ${center.url} --limit 7`, shell);
    expect(center.asked.map(({ query }) => query)).toEqual([{ limit: '7' }]);
  });

  test.each([
    ['', { status: 'joining,ready,draining,suspect,lost' }],
    [' --all', {}],
    [' --status retired', { status: 'retired' }],
  ])('a list of hosts%s asks for %p: retired hosts only on request', async (flags, query) => {
    const { center, shell } = at({ 'GET /v1/hosts': { items: [], next: null } });
    await troupe(`hosts${flags} --json`, shell);
    expect(center.asked.map(asked => asked.query)).toEqual([{ ...query, limit: '50' }]);
  });

  test('a list is the answer of the center for programs', async () => {
    const page = { items: [aHost()], next: null };
    const { shell } = at({ 'GET /v1/hosts': page });
    expect(JSON.parse((await troupe('hosts --json', shell)).out)).toEqual(page);
  });

  test('a list says so when it is empty', async () => {
    const { shell } = at({ 'GET /v1/pools': { items: [], next: null } });
    expect((await troupe('pools', shell)).out).toBe('no pools\n');
  });

  test('a list of executions of an unknown job says that the job is unknown', async () => {
    const none = { items: [], next: null };
    const missing = error(404, 'notFound', 'job not found: helo; did you mean "hello"?');
    const { shell, center } = at({
      'GET /v1/executions': none,
      'GET /v1/jobs/helo': missing,
      'GET /v1/jobs/hello': aJob({ name: 'hello' }),
    });
    expect(await troupe('executions --job helo', shell)).toEqual({
      exit: 1,
      out: '',
      notices: ['troupe: job not found: helo; did you mean "hello"?'],
    });
    expect(await troupe('executions --job hello', aShell({ env: { TROUPE_URL: center.url } }))).toEqual({
      exit: 0,
      out: 'no executions\n',
      notices: [],
    });
  });

  test('a list takes as many pages as its limit needs, and shows how to go on', async () => {
    const all = Array.from({ length: 450 }, (_, place) => anExecution({ id: `e${place}` }));
    const { center, shell } = at({
      'GET /v1/executions': ({ query: { limit, cursor = '0' } }: { query: Record<string, string> }) => {
        const from = Number(cursor);
        return {
          items: all.slice(from, from + Number(limit)),
          next: from + Number(limit) < all.length ? String(from + Number(limit)) : null,
        };
      },
    });
    const { out, notices } = await troupe('executions --job nightly --limit 410', shell);
    expect(out.trimEnd().split('\n')).toHaveLength(411);
    expect(center.asked.map(({ query }) => query)).toEqual([
      { job: 'nightly', limit: '200' },
      { job: 'nightly', limit: '200', cursor: '200' },
      { job: 'nightly', limit: '10', cursor: '400' },
    ]);
    expect(notices).toEqual(['the list goes on; use a larger --limit, or --cursor 410']);
  });
});

describe('a job', () => {
  const created = { 'POST /v1/jobs': ({ body }: { body: unknown }) => ({ ...aSavedJob(), ...(body as object) }) };

  test('a job is made from flags; what stands behind -- is its argv', async () => {
    const { center, shell } = at(created);
    const line = 'jobs create hello --shards 2 --shard-parameter 0=a --cpus 0.5 --env A=1 --attempts 3 --no-partial --disabled -- sh -c';
    const { exit, out } = await troupe([...line.split(' '), 'echo $A'], shell);
    expect(exit).toBe(0);
    expect(out).toBe('created hello\n  due at 08:00, every day (UTC)\n  next 2026-11-22 08:00:00+00:00, 2026-11-23 08:00:00+00:00\n');
    expect(center.asked[0]?.body).toEqual({
      name: 'hello',
      command: ['sh', '-c', 'echo $A'],
      shards: { total: 2, parameters: { '0': 'a' } },
      resources: { cpus: 0.5 },
      env: { A: '1' },
      retry: { attempts: 3 },
      partial: false,
      enabled: false,
    });
  });

  test('a job for a shell has one text behind --', async () => {
    const { center, shell } = at({ ...created, 'PATCH /v1/jobs/hello': aSavedJob({ name: 'hello' }) });
    expect((await troupe(['jobs', 'create', 'hello', '--shell', '--', 'echo $A | wc'], shell)).exit).toBe(0);
    expect(center.asked[0]?.body).toEqual({ name: 'hello', command: 'echo $A | wc', shell: true });
    const several = await troupe(['jobs', 'update', 'hello', '--shell', '--', 'echo', 'a b'], aShell({ env: shell.env }));
    expect(several).toMatchObject({
      exit: 2,
      notices: ['troupe: a shell takes one text, and 2 words came after "--"; put quotes around the whole command'],
    });
    await troupe(['jobs', 'update', 'hello', '--no-shell', '--', 'echo', 'a b'], aShell({ env: shell.env }));
    expect(center.asked[1]?.body).toEqual({ command: ['echo', 'a b'], shell: false });
  });

  test('a job is shown with its warnings on standard error, as text and as JSON, when it is created and when it is changed', async () => {
    const warnings = [{ field: 'command', message: 'nothing splits "|" here.' }];
    const { shell } = at({ 'POST /v1/jobs': aSavedJob({ warnings }), 'PATCH /v1/jobs/nightly': aSavedJob({ warnings, scheduleText: [] }) });
    const warning = 'warning: command: nothing splits "|" here.';
    expect((await troupe('jobs create nightly --command a', shell)).notices).toEqual([warning]);
    const json = aShell({ env: shell.env });
    const { out, notices } = await troupe('jobs update nightly --json --command a', json);
    expect([JSON.parse(out).warnings, notices]).toEqual([warnings, [warning]]);
  });

  test('a job takes a flag for each number of its policies', async () => {
    const { center, shell } = at(created);
    const line = 'jobs create x --overlap allow --overlap-limit 4 --misfire-grace 5ms --failover --failover-limit 2 --failover-on-failure';
    await troupe(`${line} --disconnect stop --disconnect-after 9s --run-as www-data --command true`, shell);
    expect(center.asked[0]?.body).toEqual({
      ...{ name: 'x', command: 'true', overlap: 'allow', overlapLimit: 4, misfireGraceMs: 5 },
      ...{ failover: true, failoverLimit: 2, failoverOnFailure: true, disconnect: 'stop', disconnectMs: 9_000, runAs: 'www-data' },
    });
  });

  test('business group and servers of a job are cleared with --no-group and --no-server, and not given at the same time', async () => {
    const { center, shell } = at({ 'PATCH /v1/jobs/nightly': aSavedJob() });
    await troupe('jobs update nightly --no-group --no-server', shell);
    expect(center.asked[0]?.body).toEqual({ group: null, servers: [] });
    const { exit, notices } = await troupe('jobs update nightly --no-server --server web-1', shell);
    expect([exit, notices.join()]).toEqual([
      2,
      expect.stringContaining('--no-server clears a setting that --server gives; one of them is enough'),
    ]);
  });

  test('jobs are listed by business group and by a part of their name', async () => {
    const { center, shell } = at({ 'GET /v1/jobs': { items: [aJob()], next: null } });
    expect((await troupe('jobs list --group billing --text rep', shell)).exit).toBe(0);
    expect(center.asked[0]?.query).toMatchObject({ group: 'billing', text: 'rep' });
  });

  test('a job is created with the id that --id gives', async () => {
    const { center, shell } = at({ 'POST /v1/jobs': aSavedJob() });
    await troupe(['jobs', 'create', 'nightly', '--id', '0'.repeat(24), '--', 'true'], shell);
    expect(center.asked[0]?.body).toMatchObject({ name: 'nightly', id: '0'.repeat(24) });
  });

  test('a job is given back to the users of its hosts with --no-run-as', async () => {
    const { center, shell } = at({ 'PATCH /v1/jobs/nightly': aSavedJob() });
    await troupe('jobs update nightly --no-run-as', shell);
    expect(center.asked[0]?.body).toEqual({ runAs: null });
  });

  test('a job notifies the addresses of --notify-failed, and nobody any more with --no-notify-failed', async () => {
    const { center, shell } = at({ ...created, 'PATCH /v1/jobs/nightly': aSavedJob() });
    await troupe(
      'jobs create nightly --notify-failed a@x.org --notify-failed https://h/x --notify-succeed b@x.org --notify-succeed-subject done -- true',
      shell,
    );
    expect(center.asked[0]?.body).toMatchObject({
      notify: { failed: { to: ['a@x.org', 'https://h/x'] }, succeed: { to: ['b@x.org'], subject: 'done' } },
    });
    await troupe('jobs update nightly --no-notify-failed', shell);
    expect(center.asked[1]?.body).toEqual({ notify: { failed: null } });
    const { exit, notices } = await troupe('jobs update nightly --no-notify-failed --notify-failed a@x.org', shell);
    expect([exit, notices[0]]).toEqual([2, expect.stringContaining('--no-notify-failed and --notify-failed exclude each other')]);
  });

  test('a job is made from standard input; flags win over it, part by part', async () => {
    const { center, shell } = at(created, { input: JSON.stringify({ name: 'x', command: 'true', retry: { attempts: 2, backoffMs: 5 } }) });
    await troupe('jobs create y --settings - --attempts 4', shell);
    expect(center.asked[0]?.body).toEqual({ name: 'y', command: 'true', retry: { attempts: 4, backoffMs: 5 } });
  });

  test('a job takes schedules of both dialects of cron', async () => {
    const { center, shell } = at(created);
    await troupe(
      ['jobs', 'create', 'x', '--crontab', '0 9 * * 1-5', '--crontab', '@daily', '--cron', '0 0 2 * * ?', '--command', 'true'],
      shell,
    );
    expect(center.asked[0]?.body).toMatchObject({
      schedules: [
        { type: 'cron', cron: '0 0 2 * * ?' },
        { type: 'crontab', crontab: '0 9 * * 1-5' },
        { type: 'crontab', crontab: '@daily' },
      ],
    });
  });

  test('a job is changed as a merge patch: variables one by one, schedules as a whole', async () => {
    const { center, shell } = at({ 'PATCH /v1/jobs/nightly': aSavedJob() });
    const flags = '--env NEW=1 --env B= --unset-env OLD --shard-parameter 0=a --unset-shard-parameter 1 --no-schedule';
    expect((await troupe(`jobs update nightly ${flags}`, shell)).exit).toBe(0);
    expect(center.asked[0]?.body).toEqual({
      env: { NEW: '1', B: '', OLD: null },
      shards: { parameters: { '0': 'a', '1': null } },
      schedules: [],
    });
    const both = await troupe('jobs update nightly --env A=1 --unset-env A', shell);
    expect([both.exit, both.notices[0]]).toEqual([2, 'troupe: --env and --unset-env both name A; one is enough']);
    expect((await troupe(['jobs', 'update', 'nightly', '--no-schedule', '--cron', '0 0 9 * * ?'], shell)).exit).toBe(2);
  });

  test('a job is bound to a file by name, or by name and digest, over the one in its settings', async () => {
    const { center, shell } = at(created, { input: JSON.stringify({ name: 'x', command: 'true', file: { name: 'a', sha256: 'b' } }) });
    await troupe('jobs create --settings - --file c.tar', shell);
    expect(center.asked[0]?.body).toEqual({ name: 'x', command: 'true', file: { name: 'c.tar' } });
    await troupe(`jobs create y --file c.tar@${'a'.repeat(64)} --command true`, shell);
    expect(center.asked[1]?.body).toEqual({ name: 'y', command: 'true', file: { name: 'c.tar', sha256: 'a'.repeat(64) } });
  });

  test('a job loses its file with --no-file, which does not go with --file', async () => {
    const { center, shell } = at({ 'PATCH /v1/jobs/nightly': aSavedJob() });
    await troupe('jobs update nightly --no-file', shell);
    expect(center.asked[0]?.body).toEqual({ file: null });
    const both = await troupe('jobs update nightly --no-file --file a.tar', shell);
    expect([both.exit, both.notices[0]]).toEqual([2, 'troupe: --no-file removes the file, and --file gives one; one of them is enough']);
  });

  test('a job is made from a file', async () => {
    const { center, shell } = at(created);
    const file = join(shell.env.HOME ?? '', 'job.json');
    await writeFile(file, '{"name":"x","command":"true"}');
    expect((await troupe(`jobs create --settings ${file}`, shell)).exit).toBe(0);
    expect(center.asked[0]?.body).toEqual({ name: 'x', command: 'true' });
  });

  test.each([
    ['not json', 'standard input must hold a JSON object: '],
    ['[1]', 'standard input must hold a JSON object, the settings of one job'],
  ])('a job is not made from %s', async (input, sentence) => {
    const { exit, notices } = await troupe('jobs create --settings -', aShell({ input }));
    expect(exit).toBe(2);
    expect(notices[0]).toStartWith(`troupe: ${sentence}`);
  });

  test('a job has its name quoted in paths', async () => {
    const { shell } = at({ 'DELETE /v1/jobs/a%2Fb': null });
    const { exit, out } = await troupe('jobs delete a/b', shell);
    expect({ exit, out }).toEqual({ exit: 0, out: 'deleted a/b\n' });
  });

  test('a job is disabled, and its runs ended with --kill', async () => {
    const { center, shell } = at({ 'POST /v1/jobs/nightly/disable': aJob({ status: 'disabled' }) });
    await troupe('jobs disable nightly --kill', shell);
    expect(center.asked[0]?.query).toEqual({ kill: 'true' });
  });

  test('a job is stopped', async () => {
    const { center, shell } = at({ 'POST /v1/jobs/nightly/stop': aJob() });
    const { exit, out } = await troupe('jobs stop nightly', shell);
    expect({ exit, out, asked: center.asked.length }).toEqual({ exit: 0, out: 'stopped nightly\n', asked: 1 });
  });

  test('a job is triggered only while it is idle with --only-idle', async () => {
    const { center, shell } = at({ 'POST /v1/jobs/nightly/trigger': { execution: 'nightly@1' } });
    await troupe('trigger nightly --only-idle', shell);
    expect(center.asked[0]?.query).toEqual({ onlyIdle: 'true' });
  });

  test('a job has its due times counted by verdict', async () => {
    const { center, shell } = at({ 'GET /v1/jobs/nightly/occurrences': { ran: 3, missedDown: 12 } });
    const { out } = await troupe('jobs occurrences nightly --summary --from 2026-11-22', shell);
    expect(out.split('\n')).toEqual(['VERDICT     TIMES', 'ran             3', 'missedDown     12', '']);
    expect(center.asked[0]?.query).toEqual({ summary: 'true', from: '2026-11-22T00:00:00.000Z' });
  });

  test('a job has its posted logs listed, and one of them shows its output', async () => {
    const log = { id: 'm1', outcome: 'failed', finishedAt: '2026-11-22T08:00:00.000Z', host: '192.168.2.80', reason: 'exit status 1' };
    const { center, shell } = at({
      'GET /v1/jobs/nightly/posted-logs': { items: [log], next: null },
      'GET /v1/jobs/nightly/posted-logs/m1': { ...log, stdout: 'done\n', stderr: '' },
    });
    expect((await troupe('jobs posted nightly --outcome failed', shell)).out).toMatch(/192\.168\.2\.80 +.*exit status 1/);
    expect(center.asked[0]?.query).toMatchObject({ outcome: 'failed' });
    expect((await troupe('jobs posted nightly m1', shell)).out).toContain('done');
  });

  test('a job shows when it is due', async () => {
    const items = [{ dueAt: '2026-11-22T08:00:00.000Z', local: '2026-11-22T09:00:00.000+01:00' }];
    const { center, shell } = at({ 'GET /v1/jobs/nightly/next': { items, next: null } });
    const { out } = await troupe('next nightly --count 1', shell);
    expect(out).toContain('2026-11-22 08:00:00+00:00  2026-11-22 09:00:00+01:00');
    expect(center.asked[0]?.query).toEqual({ count: '1' });
  });

  test('a job without a schedule has no due time ahead', async () => {
    const { shell } = at({ 'GET /v1/jobs/manual/next': { items: [], next: null } });
    expect((await troupe('next manual', shell)).out).toBe('manual has no due time ahead\n');
  });
});

describe('jobs show', () => {
  test('jobs show prints every set field, also what a newer center has', async () => {
    const job = {
      ...aJob({ description: 'words', kind: 'resident', app: 'shop', parameter: 'p 1', env: { A: '1', SECRET: null }, partial: true }),
      ...{
        shell: true,
        shardingContext: true,
        overlap: 'queue',
        overlapLimit: 7,
        misfire: { policy: 'all', limit: 9 },
        misfireGraceMs: 61_000,
      },
      ...{ shards: { total: 2, parameters: { 1: 'west' } }, resources: { cpus: 0.7, memoryMB: 77 }, placement: 'spread' },
      ...{ retry: { attempts: 3, backoffMs: 1_500, maxBackoffMs: 90_000, jitter: 'full' }, failover: true, failoverLimit: 4 },
      ...{
        failoverOnFailure: true,
        disconnect: 'stop',
        disconnectMs: 120_000,
        timeoutMs: 5_400_000,
        startWithinMs: 300_000,
        killGraceMs: 11_000,
      },
      ...{
        schedules: [
          { type: 'crontab', crontab: '@daily', timeZone: 'Asia/Tokyo' },
          { type: 'calendar', turnmode: 4, interval: 2 },
        ],
      },
      ...{
        file: { name: 'r.tar', sha256: 'a'.repeat(64), filecode: 'b'.repeat(32), size: 7 },
        files: [{ name: 'q.tar', sha256: 'c'.repeat(64), filecode: 'd'.repeat(32), replacedAt: '2026-11-20T08:00:00.000Z' }],
      },
      ...{ timeZone: 'Europe/Berlin', version: 5, lateAfterMs: 60_000, limits: [{ name: 'db', units: 1 }] },
    };
    const { shell } = at({ 'GET /v1/jobs/nightly': job });
    const { out } = await troupe('jobs show nightly', shell);
    const wanted = [
      ...['words', 'resident', 'shop', 'p 1', 'A=1', 'SECRET=(hidden)', 'what fits starts', '(by a shell)', 'the sharding context'],
      ...[
        'queue, at most 7',
        'all, at most 9, later than 61s',
        'shard 1  ',
        'west',
        '0.7 cpus, 77 MB, spread',
        '3 attempts, from 1s500ms to 90s apart',
      ],
      ...['jitter full', 'up to 4 times, also after a failure', 'stop, after 2m', '1h30m', '5m', '11s', 'crontab @daily (Asia/Tokyo)'],
      ...[`r.tar  ${'a'.repeat(64)}`, `q.tar  ${'c'.repeat(64)}  until 2026-11-20 08:00:00+00:00`],
      ...['calendar turnmode=4 interval=2', 'Europe/Berlin', 'lateAfterMs', '1m', '{"name":"db","units":1}', '2026-11-21 08:00:00+00:00'],
    ];
    for (const text of wanted) expect(out).toContain(text);
  });
});

describe('a token of a program', () => {
  test('the token of a new program is all of standard output, with scope and days as they were given', async () => {
    const { center, shell } = at({ 'POST /v1/tokens': { name: 'p', token: 'troupe_api_x', expiresAt: '2026-11-24T08:00:00.000Z' } });
    expect(await troupe('tokens create p --scope metrics --days 2', shell)).toEqual({
      exit: 0,
      out: 'troupe_api_x\n',
      notices: ['valid until 2026-11-24 08:00:00+00:00'],
    });
    expect(center.asked[0]?.body).toEqual({ name: 'p', scope: 'metrics', expiresInMs: 172_800_000 });
  });
});

describe('a quarantine', () => {
  const quarantine = { reason: 'three faults', since: '2026-11-22T08:00:00.000Z' };

  test.each([
    ['jobs', 'nightly'],
    ['apps', 'shop'],
    ['hosts', 'west-1'],
    ['pools', 'default'],
    ['executions', 'e1'],
  ])('a quarantine is ended by "%s release"', async (family, name) => {
    const { center, shell } = at({ [`POST /v1/${family}/${name}/release`]: { name } });
    expect(await troupe(`${family} release ${name}`, shell)).toEqual({ exit: 0, out: `released ${name}\n`, notices: [] });
    expect(center.asked).toHaveLength(1);
  });

  test('a quarantine is a status with its reason', async () => {
    const host = aHost({ quarantine });
    const { shell, center } = at({ 'GET /v1/hosts': { items: [host], next: null }, 'GET /v1/hosts/west-1': host });
    expect((await troupe('hosts', shell)).out).toContain('quarantined');
    const { out } = await troupe('hosts show west-1', aShell({ env: { TROUPE_URL: center.url } }));
    expect(out).toContain('quarantined: three faults');
  });
});

describe('an execution', () => {
  test('an execution is shown with its shards', async () => {
    const one = anExecution({
      outcome: 'failed',
      shards: [aShard(), aShard({ item: 1, outcome: 'failed', exitCode: 7, reason: 'exit code 7' })],
    });
    const { shell } = at({ [`GET /v1/executions/${encodeURIComponent(one.id)}`]: one });
    const { out } = await troupe(`executions show ${one.id}`, shell);
    expect(out.trimEnd().split('\n').slice(-3)).toEqual([
      'SHARD  STATE      HOST  ATTEMPT  EXIT  TOOK  PARAMETER  WHY',
      '    0  succeeded  h1          1     0  0.4s',
      '    1  failed     h1          1     7  0.4s             exit code 7',
    ]);
  });

  test('an execution is run again once per key', async () => {
    const { center, shell } = at({ 'POST /v1/executions/e1/retry': { execution: 'e2' } });
    expect((await troupe('executions retry e1 --key k', shell)).out).toBe('e2\n');
    expect(center.asked[0]?.headers.get('idempotency-key')).toBe('k');
  });
});

describe('logging in', () => {
  const login = { 'POST /v1/login': { token: 'troupe_t', expiresAt: '2026-11-22T20:00:00.000Z' } };

  test('logging in keeps the token for this center alone, readable by its owner alone', async () => {
    const { center, shell } = at({ ...login, 'GET /v1/pools': { items: [], next: null } }, { input: 'secret\n' });
    expect((await troupe('login --password-stdin', shell)).exit).toBe(0);
    expect(center.asked[0]?.body).toEqual({ username: 'root', password: 'secret' });
    const file = Bun.file(join(shell.env.HOME ?? '', '.config/troupe/logins.json'));
    expect((await file.stat()).mode & 0o777).toBe(0o600);

    await troupe('pools', shell);
    expect(center.asked[1]?.headers.get('authorization')).toBe('Bearer troupe_t');
    // Without an address, the center that was logged in to last; another one never sees its token.
    await troupe('pools', aShell({ env: { HOME: shell.env.HOME } }));
    expect(center.asked[2]?.headers.get('authorization')).toBe('Bearer troupe_t');
    const other = aCenter({ 'GET /v1/pools': { items: [], next: null } });
    centers.push(other);
    await troupe(`pools --center ${other.url}`, shell);
    expect(other.asked[0]?.headers.get('authorization')).toBeNull();
  });

  test('logging in follows XDG_CONFIG_HOME', async () => {
    const shell = at(login, { input: 'secret' }).shell;
    shell.env.XDG_CONFIG_HOME = join(shell.env.HOME ?? '', 'elsewhere');
    await troupe('login', shell);
    expect(await Bun.file(join(shell.env.XDG_CONFIG_HOME, 'troupe/logins.json')).exists()).toBe(true);
  });

  test('logging in fails with one message for a wrong user or password', async () => {
    const { shell } = at({ 'POST /v1/login': error(401, 'unauthorized', 'user or password is wrong') }, { input: 'guess' });
    const { exit, notices } = await troupe('login', shell);
    expect({ exit, notices }).toEqual({ exit: 3, notices: ['troupe: user or password is wrong'] });
  });

  test('logging in is asked for where the center does not know the caller', async () => {
    const { center, shell } = at({ 'GET /v1/jobs': error(401, 'unauthorized', 'a valid token is needed') });
    const { exit, notices } = await troupe('jobs', shell);
    expect({ exit, notices }).toEqual({
      exit: 3,
      notices: [`troupe: ${center.url} does not accept your token; "troupe login" gets one, or set TROUPE_API_TOKEN`],
    });
  });

  test('a login ends with logout, even when the center has deleted the token already', async () => {
    const { center, shell } = at({ ...login, 'POST /v1/logout': error(401, 'unauthorized', 'who?') }, { input: 'secret' });
    await troupe('login', shell);
    expect((await troupe('logout', shell)).exit).toBe(0);
    expect(center.asked[1]?.headers.get('authorization')).toBe('Bearer troupe_t');
    expect(shell.out()).toEndWith(`logged out at ${center.url}\n`);
    await troupe('logout', shell);
    expect(shell.out()).toEndWith(`no login is stored for ${center.url}\n`);
  });

  test('a login gives way to TROUPE_API_TOKEN', async () => {
    const { center, shell } = at({ 'GET /v1/pools': { items: [], next: null } }, { env: { TROUPE_API_TOKEN: 'mine' } });
    await troupe('pools', shell);
    expect(center.asked[0]?.headers.get('authorization')).toBe('Bearer mine');
  });
});

describe('a join token', () => {
  test('a join token stands alone on standard output, for a shell to read', async () => {
    const { center, shell } = at({ 'POST /v1/join-tokens': { token: 'troupe_join_x', expiresAt: '2026-11-22T09:00:00.000Z' } });
    const { out, notices } = await troupe('join-token --pool west --uses 3', shell);
    expect(out).toBe('troupe_join_x\n');
    expect(notices).toEqual(['valid until 2026-11-22 09:00:00+00:00']);
    expect(center.asked[0]?.body).toEqual({ pool: 'west', uses: 3 });
  });
});

describe('troupe ready', () => {
  test('troupe ready waits for a center that is about to serve', async () => {
    let asked = 0;
    const { shell } = at({
      'GET /v1/ready': () => (++asked < 3 ? error(503, 'unavailable', 'the center is starting or stopping') : { status: 'ready' }),
    });
    const { exit, out } = await troupe('ready --wait 10s', shell);
    expect({ exit, out, asked }).toEqual({ exit: 0, out: 'ready\n', asked: 3 });
  });

  test('troupe ready says why a center is not ready', async () => {
    const { shell } = at({ 'GET /v1/ready': error(503, 'unavailable', 'the store cannot commit now') });
    const { exit, notices } = await troupe('ready', shell);
    expect({ exit, notices }).toEqual({ exit: 4, notices: ['troupe: the store cannot commit now'] });
  });
});

describe('a host', () => {
  const draining = (running: number) => aHost({ status: 'draining', running });
  const queue =
    (...hosts: unknown[]) =>
    () =>
      hosts.length > 1 ? hosts.shift() : hosts[0];
  const impatient = { ...systemClock, after: (_: number, fn: () => void) => systemClock.after(1, fn) };

  test('a host is drained when nothing runs there any more', async () => {
    const { shell } = at(
      { 'POST /v1/hosts/west-1/drain': draining(2), 'GET /v1/hosts/h1': queue(draining(2), draining(1), draining(0)) },
      { clock: impatient },
    );
    expect(await troupe('hosts drain west-1 --wait --deadline 10m', shell)).toEqual({
      exit: 0,
      out: 'west-1 is drained\n',
      notices: ['west-1 is draining: 2 still running', 'west-1 is draining: 1 still running'],
    });
  });

  test('a host that is not drained in time goes on draining, and what runs there is named', async () => {
    let now = 0;
    const clock = { ...impatient, monotonic: () => (now += 200) };
    const executions = { 'GET /v1/executions': { items: [anExecution({ id: 'a@1' })], next: null } };
    const { shell } = at({ 'POST /v1/hosts/west-1/drain': draining(1), 'GET /v1/hosts/h1': draining(1), ...executions }, { clock });
    expect(await troupe('hosts drain west-1 --wait --deadline 1s', shell)).toEqual({
      exit: 1,
      out: '',
      notices: ['west-1 is draining: 1 still running', 'troupe: west-1 is not drained within 1s; it goes on draining, and runs a@1'],
    });
  });

  test('a host that was resumed is not waited for, nor is one that is lost', async () => {
    const drain = { 'POST /v1/hosts/west-1/drain': draining(1) };
    const resumed = at({ ...drain, 'GET /v1/hosts/h1': aHost({ running: 1 }) }, { clock: impatient }).shell;
    expect(await troupe('hosts drain west-1 --wait', resumed)).toMatchObject({
      exit: 1,
      notices: [expect.anything(), 'troupe: west-1 was resumed meanwhile and is ready again'],
    });
    const lost = at({ ...drain, 'GET /v1/hosts/h1': aHost({ status: 'lost', running: 0 }) }, { clock: impatient }).shell;
    expect(await troupe('hosts drain west-1 --wait', lost)).toMatchObject({ exit: 0, out: 'west-1 is lost, and nothing runs there\n' });
    expect((await troupe('hosts drain west-1 --deadline 1m')).exit).toBe(2);
  });

  test('a host is retired by its name, or with all that are lost', async () => {
    const retired = aHost({ status: 'retired' });
    const { center, shell } = at({
      'POST /v1/hosts/west-1/retire': retired,
      'POST /v1/hosts/h1/retire': retired,
      'GET /v1/hosts': { items: [aHost({ status: 'lost' })], next: null },
    });
    expect(await troupe('hosts retire west-1', shell)).toMatchObject({ exit: 0, out: 'west-1 is retired\n' });
    expect(await troupe('hosts retire --lost', aShell({ env: shell.env }))).toMatchObject({ exit: 0, out: 'west-1 is retired\n' });
    expect(center.asked[1]?.query).toEqual({ status: 'lost', limit: '200' });
    expect([(await troupe('hosts retire')).exit, (await troupe('hosts retire a --lost')).exit]).toEqual([2, 2]);
  });

  test('a host that is retired is pruned, alone or with all others', async () => {
    const items = [aHost({ id: 'h1', name: 'a' }), aHost({ id: 'h2', name: 'b' })];
    const { center, shell } = at({
      'GET /v1/hosts': { items, next: null },
      'GET /v1/hosts/a': items[0],
      'DELETE /v1/hosts/h1': null,
      'DELETE /v1/hosts/h2': null,
    });
    expect(await troupe('hosts prune', shell)).toEqual({ exit: 0, out: 'deleted a (h1)\ndeleted b (h2)\n', notices: [] });
    expect(center.asked[0]?.query).toEqual({ status: 'retired', limit: '200' });
    expect((await troupe('hosts prune a', aShell({ env: shell.env }))).out).toBe('deleted a (h1)\n');
  });
});
