/** Against a real center and a real agent. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { aCluster, type Cluster, until } from '../support/cluster.ts';
import { aShell, troupe } from './support/shell.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await aCluster({ cpus: 1, memoryMB: 512 });
  await cluster.startCenter();
  cluster.startAgent('west-1');
  await cluster.ready('west-1');
}, 60_000);
afterAll(() => cluster.close());

const type = (line: string | string[]) => troupe(line, aShell({ env: { TROUPE_URL: cluster.url } }));

describe('troupe why', () => {
  test('troupe why says of a job without a schedule what a trigger would do', async () => {
    await type('jobs create idle -- true');
    expect(await type('why idle')).toEqual({
      exit: 0,
      out: 'job idle has no schedule: it runs only when it is triggered\n  triggered now, it would start at once on host west-1\n',
      notices: [],
    });
  });

  test('troupe why says how much an execution waits for, and how much is free where', async () => {
    await type('jobs create big --cpus 1.5 -- true');
    const execution = (await type('trigger big')).out.trim();
    let out = '';
    await until('the pool has answered', async () => {
      out = (await type(`why ${execution}`)).out;
      return !out.includes('in transit');
    });
    expect(out.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3})?\+00:00/g, 'NOW').split('\n')).toEqual([
      `execution ${execution} waits for capacity in pool default since NOW: needs 1 x 1.5 cpu and 64 MB; the pool has 1 cpu and 512 MB free on its one host`,
      '  the request would not fit on the ready hosts of pool default even if they ran nothing else',
      '  host west-1 has 1 of 1 cpu and 512 of 512 MB free; a shard takes 1.5 cpu and 64 MB there: too little cpu',
      '',
    ]);
    expect((await type('why big')).out).toContain(out.split('\n')[0] ?? '');
  });

  test('troupe why says that a job is disabled, to programs too', async () => {
    await type('jobs create off --disabled --cron 0/10_*_*_*_*_? -- true'.split(' ').map(word => word.replaceAll('_', ' ')));
    expect((await type('why off')).out).toStartWith('job off is disabled\n');
    expect(JSON.parse((await type('why off --json')).out)).toMatchObject({
      sentence: 'job off is disabled',
      trigger: { does: 'refused', reason: 'is disabled' },
      facts: [{ type: 'refused', message: 'job off is disabled', job: 'off' }],
    });
  });

  test('troupe why of a failure says how the last attempt ended, with the end of its standard error and the command for the rest', async () => {
    const script = 'seq 1 12 >&2; printf "no file $TROUPE_ATTEMPT" >&2; echo fine; exit $TROUPE_ATTEMPT';
    await type(['jobs', 'create', 'bad', '--attempts', '2', '--backoff', '10ms', '--', 'sh', '-c', script]);
    expect((await type('trigger bad --follow')).exit).toBe(1);
    let out = '';
    await until('the job knows', async () => {
      out = (await type('why bad')).out;
      return out.includes('last execution');
    });
    const plain = (text: string) =>
      text.replaceAll(/bad@[^\s",]+/g, 'ID').replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3})?\+00:00/, 'NOW');
    const end = [4, 5, 6, 7, 8, 9, 10, 11, 12, 'no file 2'].map(line => `    | ${line}`);
    expect(plain(out).split('\n')).toEqual([
      'job bad has no schedule: it runs only when it is triggered; the last execution of job bad, ID, failed at NOW: attempt 2 of shard 0 ' +
        'failed on host west-1: exit code 2',
      '  the end of its standard error:',
      ...end,
      '  "troupe logs ID" shows the rest',
      '  triggered now, it would start at once on host west-1',
      '',
    ]);
    const id = /bad@[^\s",]+/.exec(out)?.[0] ?? '';
    expect(plain((await type(`why ${id}`)).out).split('\n')).toEqual([
      'execution ID failed at NOW; attempt 2 of shard 0 failed on host west-1: exit code 2',
      '  the end of its standard error:',
      ...end,
      '  "troupe logs ID" shows the rest',
      '  attempt 1 of shard 0 failed on host west-1: exit code 1',
      '',
    ]);
  });

  test('troupe why of a disabled job shows the standard error of its last failure behind the line about that failure', async () => {
    await type(['jobs', 'create', 'paused', '--', 'sh', '-c', 'echo no file >&2; exit 3']);
    const id = (await type('trigger paused --follow')).notices[0] ?? '';
    await type('jobs disable paused');
    let out = '';
    await until('the job knows', async () => {
      out = (await type('why paused')).out;
      return out.includes('last execution');
    });
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toBe('job paused is disabled');
    expect(lines[1]).toStartWith(`  the last execution of job paused, ${id}, failed at`);
    expect(lines.slice(2)).toEqual(['  the end of its standard error:', '    | no file', `  "troupe logs ${id}" shows the rest`]);
  });

  test('troupe why of a failure that wrote nothing to standard error says so', async () => {
    await type(['jobs', 'create', 'quiet', '--', 'sh', '-c', 'exit 3']);
    const id = (await type('trigger quiet --follow')).notices[0] ?? '';
    expect((await type(`why ${id}`)).out).toEndWith(
      `exit code 3\n  it wrote nothing to standard error; "troupe logs ${id}" shows its output\n`,
    );
  });

  test('troupe why breaks its lines between words where the terminal is narrow', async () => {
    await type('jobs create narrow --cpus 1.5 -- true');
    const { out } = await troupe('why narrow', aShell({ env: { TROUPE_URL: cluster.url }, columns: 40 }));
    const lines = out.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(3);
    expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(40);
    expect(lines.map(line => line.trim()).join(' ')).toBe(
      (await type('why narrow')).out
        .trimEnd()
        .split('\n')
        .map(line => line.trim())
        .join(' '),
    );
  });

  test('troupe why suggests a name for an unknown one', async () => {
    await type('jobs create nightly -- true');
    expect(await type('why nihgtly')).toEqual({ exit: 1, out: '', notices: ['troupe: job not found: nihgtly; did you mean "nightly"?'] });
  });
});

describe('troupe history', () => {
  test('troupe history shows every fact of an actor, the latest first, or in order', async () => {
    await type('jobs create told -- true');
    await type('jobs disable told');
    const history = async (flags: string) =>
      (await type(`history job/told${flags}`)).out.split('\n').map(line => line.slice('2026-11-22 09:00:00.000+00:00'.length).trim());
    const [registered, disabled] = ['job.registered  is registered', 'job.disabled    is disabled'];
    expect(await history('')).toEqual(['FACT            WHAT', disabled, registered, '']);
    expect(await history(' --oldest-first --from yesterday')).toEqual(['FACT            WHAT', registered, disabled, '']);
    expect((await type('history job/told --from tomorrow')).out).toBe('no facts\n');
    expect((await type('history job/tld')).notices).toEqual(['troupe: job not found: tld; did you mean "told"?']);
  });

  test('troupe history finds a job, host, app or pool by its name alone, and an execution by its id', async () => {
    await type('jobs create named -- true');
    expect((await type('history named')).out).toContain('job.registered');
    expect((await type('history west-1')).out).toContain('host.ready');
    expect((await type('history default')).out).toContain('pool.created');
    const execution = (await type('trigger named')).out.trim();
    expect((await type(`history ${execution}`)).out).toContain('is created by a trigger');
    expect(await type('history namd')).toMatchObject({
      exit: 1,
      notices: ['troupe: job, host, app or pool not found: namd; did you mean "named"?'],
    });
    expect((await type('history job/')).exit).toBe(2);
  });
});
