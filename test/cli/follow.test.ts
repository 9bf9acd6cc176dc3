/** Verbs that follow: trigger, logs, watch. */
import { afterEach, describe, expect, test } from 'bun:test';
import type { Clock } from '../../src/lib/clock.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { aFact, aHost, aJob, anExecution, aShard } from './support/builders.ts';
import { aCenter, error, type ScriptedCenter } from './support/center.ts';
import { aShell, type TestShell, troupe } from './support/shell.ts';

const centers: ScriptedCenter[] = [];
afterEach(() => Promise.all(centers.splice(0).map(center => center.stop())));

/** Looks again at once; deadlines stay what they are. */
const impatient: Clock = { ...systemClock, after: (ms, fn) => systemClock.after(ms > 1_000 ? ms : 1, fn) };

function at(
  replies: Parameters<typeof aCenter>[0],
  shell: Parameters<typeof aShell>[0] = {},
): { center: ScriptedCenter; shell: TestShell } {
  const center = aCenter(replies);
  centers.push(center);
  return { center, shell: aShell({ clock: impatient, ...shell, env: { TROUPE_URL: center.url } }) };
}

const piece = (seq: number, text: string, item = 0) =>
  `${JSON.stringify({ item, attempt: 1, seq, at: '2026-11-22T08:00:00.000Z', stream: 'stdout', text })}\n`;
const trigger = { 'POST /v1/jobs/nightly/trigger': { execution: 'e1' } };
const script = (...steps: (() => unknown)[]) => {
  let step = 0;
  return () => (steps[Math.min(step++, steps.length - 1)] as () => unknown)();
};

describe('troupe trigger', () => {
  test('troupe trigger prints the execution, and sends a key that makes a repeat the same trigger', async () => {
    const { center, shell } = at(trigger);
    expect((await troupe('trigger nightly', shell)).out).toBe('e1\n');
    expect(center.asked[0]?.headers.get('idempotency-key')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('troupe trigger follows the output and ends with 0 when it succeeded', async () => {
    const { center, shell } = at({
      ...trigger,
      'GET /v1/executions/e1': script(
        () => error(404, 'notFound', 'not there yet'),
        () =>
          anExecution({
            id: 'e1',
            status: 'pending',
            outcome: null,
            reason: 'no host has room',
            shards: [aShard({ status: 'waiting', outcome: null })],
          }),
        () => anExecution({ id: 'e1' }),
      ),
      'GET /v1/executions/e1/logs': () => new Response(`${piece(1, 'one\n')}${piece(2, 'two\n')}`),
    });
    const { exit, out, notices } = await troupe('trigger nightly --follow', shell);
    expect({ exit, out }).toEqual({ exit: 0, out: 'one\ntwo\n' });
    // This center gives no explanation, so the reason of the execution is shown.
    expect(notices).toEqual(['e1', 'e1 pending: no host has room', 'e1 succeeded in 0.4s']);
    expect(center.asked.find(({ path }) => path.endsWith('/logs'))?.query).toEqual({ stream: 'both', follow: 'true' });
  });

  test('troupe trigger says what an execution waits for at once and every 10 s, and nothing once it runs', async () => {
    const clock = { ...impatient, monotonic: () => seconds * 1_000 };
    let seconds = 0;
    const of = (status: 'pending' | 'running', shard: 'waiting' | 'starting' | 'running', at: number) => () => {
      seconds = at;
      return anExecution({ id: 'e1', status, outcome: null, reason: null, shards: [aShard({ status: shard, outcome: null })] });
    };
    const { shell } = at(
      {
        ...trigger,
        'GET /v1/executions/e1': script(
          of('pending', 'waiting', 0),
          of('pending', 'waiting', 1),
          of('pending', 'waiting', 10),
          of('pending', 'waiting', 11),
          of('running', 'starting', 21),
          of('running', 'running', 40),
          () => anExecution({ id: 'e1' }),
        ),
        'GET /v1/executions/e1/why': () => ({ sentence: `execution e1 waits for room (${seconds})`, at: '', facts: [] }),
        'GET /v1/executions/e1/logs': () => new Response(''),
      },
      { clock },
    );
    const { notices } = await troupe('trigger nightly --follow', shell);
    expect(notices.slice(1, -1)).toEqual([1, 11, 21].map(second => `execution e1 waits for room (${second})`));
  });

  test.each(['failed', 'timedOut', 'cancelled', 'lost'] as const)('troupe trigger ends with 1 when it is %s', async outcome => {
    const { shell } = at({
      ...trigger,
      'GET /v1/executions/e1': anExecution({ id: 'e1', outcome, reason: 'because' }),
      'GET /v1/executions/e1/logs': new Response(''),
    });
    const { exit, notices } = await troupe('trigger nightly -f', shell);
    expect({ exit, last: notices.at(-1) }).toEqual({ exit: 1, last: `e1 ${outcome} in 0.4s: because` });
  });

  test('troupe trigger keeps lines of several shards apart, and mixes none', async () => {
    const { shell } = at({
      ...trigger,
      'GET /v1/executions/e1': anExecution({ id: 'e1', shards: [aShard(), aShard({ item: 1 })] }),
      'GET /v1/executions/e1/logs': new Response(
        [piece(1, 'be', 0), piece(1, 'be', 1), piece(2, 'gin\nen', 1), piece(2, 'gin\n', 0), piece(3, 'd', 1)].join(''),
      ),
    });
    const { out } = await troupe('trigger nightly -f', shell);
    expect(out).toBe('[1] begin\n[0] begin\n[1] end\n');
  });

  test('troupe trigger refuses what the center refuses', async () => {
    const { shell } = at({
      'POST /v1/jobs/nightly/trigger': error(409, 'refused', 'job/nightly does not take "job.trigger" while disabled'),
    });
    const { exit, notices } = await troupe('trigger nightly -f', shell);
    expect({ exit, notices }).toEqual({ exit: 3, notices: ['troupe: job/nightly does not take "job.trigger" while disabled'] });
  });

  test('troupe trigger stops following at Ctrl-C, and says that the job goes on', async () => {
    const { shell } = at({
      ...trigger,
      'GET /v1/executions/e1': () => {
        shell.end();
        return anExecution({ id: 'e1', status: 'running', outcome: null, shards: [aShard({ outcome: null })] });
      },
      'GET /v1/executions/e1/logs': () => new Response(new ReadableStream()),
    });
    const { exit, notices } = await troupe('trigger nightly -f', shell);
    expect({ exit, notices }).toEqual({
      exit: 130,
      notices: ['e1', 'troupe: no longer following; e1 goes on, and "troupe executions cancel e1" would end it'],
    });
  });

  test('troupe trigger that is interrupted before the center answered says that it may have been taken, and how to find out', async () => {
    const { shell } = at({
      'POST /v1/jobs/nightly/trigger': () => {
        shell.end();
        return new Promise(() => {});
      },
    });
    const { exit, notices } = await troupe('trigger nightly --key k1', shell);
    expect({ exit, notices }).toEqual({
      exit: 130,
      notices: [
        'troupe: interrupted before the center answered; it may run: "troupe trigger nightly --key k1" names the execution, or starts it',
      ],
    });
  });
});

describe('troupe logs', () => {
  test('troupe logs copies bytes as they are, and sends the query that was given', async () => {
    const { center, shell } = at({
      'GET /v1/executions/n%401': anExecution({ id: 'n@1' }),
      'GET /v1/executions/n%401/logs': new Response(`${piece(1, 'no end of line')}`),
    });
    const { exit, out } = await troupe('logs n@1 --shard 0 --stream stdout', shell);
    expect({ exit, out }).toEqual({ exit: 0, out: 'no end of line' });
    expect(center.asked[1]?.query).toEqual({ shard: '0', stream: 'stdout', follow: 'false' });
  });

  test('troupe logs goes on behind the last piece when the connection breaks', async () => {
    const breaking = () =>
      new Response(
        new ReadableStream({
          async start(controller) {
            controller.enqueue(new TextEncoder().encode(piece(7, 'a')));
            await shell.shows('a');
            controller.error(new Error('cut'));
          },
        }),
      );
    const { center, shell } = at({
      'GET /v1/executions/n%401': anExecution({ id: 'n@1' }),
      'GET /v1/executions/n%401/logs': script(breaking, () => new Response(piece(8, 'b'))),
    });
    const { exit, out } = await troupe('logs n@1 -f', shell);
    expect({ exit, out }).toEqual({ exit: 0, out: 'ab' });
    expect(center.asked.at(-1)?.query).toEqual({ stream: 'both', follow: 'true', after: '0:7' });
  });

  test('troupe logs says where output is left out', async () => {
    const gap = `${JSON.stringify({ item: 0, seq: 2, at: '2026-11-22T08:00:00.000Z', stream: 'stdout', text: '', leftOut: 5000 })}\n`;
    const { shell } = at({
      'GET /v1/executions/n%401': anExecution({ id: 'n@1' }),
      'GET /v1/executions/n%401/logs': new Response(piece(1, 'head') + gap + piece(3, 'tail')),
    });
    expect((await troupe('logs n@1', shell)).out).toBe('head\n[5000 bytes of stdout are left out here]\ntail');
  });

  test('troupe logs prints one line of JSON per piece', async () => {
    const { shell } = at({
      'GET /v1/executions/n%401': anExecution({ id: 'n@1' }),
      'GET /v1/executions/n%401/logs': new Response(piece(1, 'x')),
    });
    expect(JSON.parse((await troupe('logs n@1 --json', shell)).out)).toMatchObject({ seq: 1, item: 0, text: 'x' });
  });

  /** Seconds of the minute 08:00, a text, and where it came from. */
  const notices = (second: number, text: string, { item = 0, attempt = 1, stream = 'stdout' } = {}) =>
    `${JSON.stringify({ item, attempt, seq: (attempt - 1) * 1e9 + second + 1, at: `2026-11-22T08:00:${String(second).padStart(2, '0')}.000Z`, stream, text })}\n`;
  const logsOf = (...pieces: string[]) => ({
    'GET /v1/executions/n%401': anExecution({ id: 'n@1' }),
    'GET /v1/executions/n%401/logs': () => new Response(pieces.join('')),
  });

  test('troupe logs sends each stream to its own', async () => {
    const { shell } = at(logsOf(notices(1, 'fine\n'), notices(2, 'wrong\n', { stream: 'stderr' }), notices(3, 'fine again\n')));
    await troupe('logs n@1', shell);
    expect([shell.out(), shell.err(), shell.notices]).toEqual(['fine\nfine again\n', 'wrong\n', []]);
  });

  test('troupe logs keeps attempts apart', async () => {
    const { shell } = at({
      ...logsOf(notices(1, 'a'), notices(1, 'b\n', { attempt: 2 }), notices(2, 'c\n', { attempt: 2 })),
      'GET /v1/executions/n%401': anExecution({ id: 'n@1', shards: [aShard({ attempt: 2 })] }),
    });
    const { out, notices: headings } = await troupe('logs n@1', shell);
    expect(headings).toEqual(['--- attempt 1 of shard 0 ---', '--- attempt 2 of shard 0 ---']);
    expect(out).toBe('ab\nc\n');
  });

  test.each([
    ['--tail 2', 'c\nd'],
    ['--tail 9', 'a\nb\nc\nd'],
    ['--tail 0', ''],
    ['--since 2026-11-22T08:00:02Z', 'c\nd'],
    ['--timestamps --utc', ['01.000Z a', '01.000Z b', '02.000Z c', '03.000Z d'].map(line => `2026-11-22 08:00:${line}\n`).join('')],
    ['-t --utc --tail 1', '2026-11-22 08:00:03.000Z d\n'],
  ])('troupe logs %s shows %p', async (flags, out) => {
    const { shell } = at(logsOf(notices(1, 'a\nb\n'), notices(2, 'c\n'), notices(3, 'd')));
    expect(await troupe(`logs n@1 ${flags}`, shell)).toMatchObject({ exit: 0, out });
  });

  test('troupe logs --tail counts for each shard, and --follow shows later lines as they come', async () => {
    const { center, shell } = at({
      'GET /v1/executions/n%401': anExecution({ id: 'n@1', shards: [aShard(), aShard({ item: 1 })] }),
      'GET /v1/executions/n%401/logs': script(
        () => new Response([notices(1, 'a\nb\n'), notices(2, 'c\nd\nhalf', { item: 1 })].join('')),
        () => new Response([notices(3, ' done\n', { item: 1 }), notices(4, 'e\nf\n')].join('')),
      ),
    });
    const { out } = await troupe('logs n@1 --tail 1 -f', shell);
    expect(out).toBe('[0] b\n[1] d\n[1] half done\n[0] e\n[0] f\n');
    expect(center.asked.slice(1).map(({ query }) => query)).toEqual([
      { stream: 'both', follow: 'false' },
      { stream: 'both', follow: 'true', after: '0:2,1:3' },
    ]);
  });

  test('troupe logs of a job prints those of its last execution', async () => {
    const { center, shell } = at({
      ...logsOf(notices(1, 'x\n')),
      'GET /v1/executions': { items: [anExecution({ id: 'n@1' })], next: null },
    });
    expect(await troupe('logs nightly', shell)).toEqual({ exit: 0, out: 'x\n', notices: ['n@1'] });
    expect(center.asked[0]?.query).toEqual({ job: 'nightly', limit: '1' });
  });

  test('troupe logs of a job that never ran says so, and of an unknown job suggests a name', async () => {
    const { shell, center } = at({
      'GET /v1/executions': { items: [], next: null },
      'GET /v1/jobs/nightly': aJob(),
      'GET /v1/jobs/nihgtly': error(404, 'notFound', 'job not found: nihgtly; did you mean "nightly"?'),
    });
    expect(await troupe('logs nightly', shell)).toEqual({
      exit: 1,
      out: '',
      notices: ['troupe: job nightly has no executions; "troupe why nightly" explains why, "troupe trigger nightly -f" runs it now'],
    });
    const again = aShell({ env: { TROUPE_URL: center.url } });
    expect((await troupe('logs nihgtly', again)).notices).toEqual(['troupe: job not found: nihgtly; did you mean "nightly"?']);
  });
});

describe('troupe watch', () => {
  const open = { 'GET /v1/feed': () => new Response(''), 'GET /v1/history/job/nightly': { items: [], next: null } };

  test('troupe watch shows a line per fact, with its filter', async () => {
    const { center, shell } = at(open);
    const ended = troupe('watch --job nightly --kinds job,execution', shell);
    const { socket, query } = await center.watcher(0);
    socket.send(JSON.stringify(aFact()));
    socket.send(JSON.stringify(aFact({ address: 'host/h1', type: 'host.suspect', data: { reason: 'silent\n60 s' } })));
    await shell.shows('host.suspect');
    shell.end();
    expect((await ended).exit).toBe(0);
    expect(query).toEqual({ job: 'nightly', kinds: 'job,execution' });
    expect(shell.out().split('\n')).toEqual([
      '2026-11-22 08:00:00.000+00:00  job.triggered         job nightly is triggered: nightly@x',
      '2026-11-22 08:00:00.000+00:00  host.suspect          host h1 is suspect: silent 60 s',
      '',
    ]);
  });

  test('troupe watch keeps each fact on one line of a narrow terminal, and what became of it is the last thing to be cut', async () => {
    const center = aCenter(open);
    centers.push(center);
    const shell = aShell({ columns: 80, env: { TROUPE_URL: center.url } });
    const over = troupe('watch', shell);
    const { socket } = await center.watcher(0);
    const address = 'execution/nightly@20261122T080000.000Z~7b468b';
    const ended = { item: 0, attempt: 2, outcome: 'failed', exitCode: 3, signal: null, reason: null };
    socket.send(JSON.stringify(aFact({ address, type: 'shard.ended', data: ended })));
    socket.send(JSON.stringify(aFact({ address: address.replace('nightly', 'n'.repeat(60)), type: 'shard.ended', data: ended })));
    socket.send(JSON.stringify(aFact({ address: 'host/h1', type: 'host.suspect', data: { reason: 'silent '.repeat(40) } })));
    await shell.shows('host h1');
    shell.end();
    await over;
    expect(shell.out().split('\n')).toEqual([
      '08:00:00.000+00:00  nightly@20261122T08… shard 0, attempt 2, failed: exit code 3',
      '08:00:00.000+00:00  nnnnnnnnnnnnnnnnnnn… shard 0, attempt 2, failed: exit code 3',
      '08:00:00.000+00:00  host h1 is suspect: silent silent silent silent silent sile…',
      '',
    ]);
  });

  test.each([
    ['--job nihgtly', 'GET /v1/history/job/nihgtly', 'job not found: nihgtly; did you mean "nightly"?'],
    ['--execution n@1', 'GET /v1/history/execution/n%401', 'execution not found: n@1'],
    ['--host wets-1', 'GET /v1/hosts/wets-1', 'host not found: wets-1; did you mean "west-1"?'],
  ])('troupe watch %s refuses an unknown name instead of waiting for it', async (flags, route, sentence) => {
    const { shell } = at({ ...open, [route]: error(404, 'notFound', sentence) });
    expect(await troupe(`watch ${flags}`, shell)).toEqual({ exit: 1, out: '', notices: [`troupe: ${sentence}`] });
  });

  test('troupe watch of a host goes by its name', async () => {
    const { center, shell } = at({ ...open, 'GET /v1/hosts/west-1': aHost() });
    const ended = troupe('watch --host west-1', shell);
    expect((await center.watcher(0)).query).toEqual({ host: 'h1' });
    shell.end();
    await ended;
  });

  test('troupe watch refuses kinds that no fact has, instead of waiting for them', async () => {
    const { shell } = at(open);
    expect(await troupe('watch --kinds host,jobs', shell)).toMatchObject({
      exit: 2,
      notices: ['troupe: --kinds is "host,jobs", but must be some of job, execution, app, host, pool, table, notice; did you mean job?'],
    });
    expect(await troupe('watch --kinds shard', shell)).toMatchObject({ exit: 2 });
  });

  test('troupe watch resumes after a broken connection behind the last fact it showed', async () => {
    const { center, shell } = at(open);
    const ended = troupe('watch --json', shell);
    const first = await center.watcher(0);
    first.socket.send(JSON.stringify(aFact({ cursor: 'c7' })));
    await shell.shows('c7');
    first.socket.close(1011, 'the center stops');
    const second = await center.watcher(1);
    expect(second.query).toEqual({ after: 'c7' });
    shell.end();
    expect((await ended).exit).toBe(0);
    expect(shell.notices).toEqual(['troupe: the connection is lost: the center stops; trying again']);
  });

  test('troupe watch resumes at its cursor when the center closes it as too slow', async () => {
    const { center, shell } = at(open);
    const ended = troupe('watch --after c3', shell);
    (await center.watcher(0)).socket.close(4008, 'c3');
    expect((await center.watcher(1)).query).toEqual({ after: 'c3' });
    shell.end();
    await ended;
    expect(shell.notices).toEqual(['troupe: this terminal is slower than the feed; reconnecting where it stopped']);
  });

  test('troupe watch waits for a center that is away, and gives up on one that does not know it any more', async () => {
    const { center, shell } = at({
      'GET /v1/feed': script(
        open['GET /v1/feed'],
        () => error(503, 'unavailable', 'starting'),
        () => error(401, 'unauthorized', 'who?'),
      ),
    });
    const ended = troupe('watch', shell);
    (await center.watcher(0)).socket.close(1001);
    expect((await ended).exit).toBe(3);
    expect(center.asked).toHaveLength(3);
  });

  test('troupe watch says at once what is wrong with its arguments', async () => {
    const { shell } = at({ 'GET /v1/feed': error(400, 'invalid', 'after is not a cursor of this feed', 'after') });
    const { exit, notices } = await troupe('watch --after nonsense', shell);
    expect({ exit, notices }).toEqual({ exit: 2, notices: ['troupe: after is not a cursor of this feed'] });
  });

  test('troupe watch sends its token', async () => {
    const { center, shell } = at(open);
    shell.env.TROUPE_API_TOKEN = 'mine';
    const ended = troupe('watch', shell);
    expect((await center.watcher(0)).headers.get('authorization')).toBe('Bearer mine');
    shell.end();
    await ended;
  });

  test('troupe watch exits with 4 where nobody answers at first', async () => {
    expect((await troupe('watch', aShell({ env: { TROUPE_URL: 'http://127.0.0.1:1' } }))).exit).toBe(4);
  });

  test('troupe watch says where it begins when older facts are gone', async () => {
    const { center, shell } = at(open);
    const ended = troupe('watch --after old', shell);
    const first = await center.watcher(0);
    first.socket.send(JSON.stringify({ type: 'feed.truncated', data: { from: 'c7', at: '2026-11-22T08:00:00.000Z' } }));
    await shell.shows('older facts');
    // There is no cursor to resume from: that stream is still at its beginning.
    first.socket.close(1011, 'the center stops');
    expect((await center.watcher(1)).query).toEqual({ after: 'old' });
    shell.end();
    await ended;
    expect(shell.out()).toBe('… older facts are no longer kept; this begins at 2026-11-22 08:00:00.000+00:00\n');
  });
});
