/** The keeper as a program of its own with real processes. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createKeeperConnector } from '../../src/agent/keeper-socket.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { until } from '../support/cluster.ts';
import { tempDir } from '../support/temp-dir.ts';
import { accounted, aKeeperSystem, alive, aShell, aSleep, aStartRequest, type KeeperSystem, textOf, zombiesOf } from './keeper-system.ts';

let system: KeeperSystem;
beforeAll(async () => {
  system = await aKeeperSystem();
});
afterAll(() => system.leave());
afterEach(async () => {
  for (const { run } of await system.keeper.list()) {
    await system.keeper.stop(run, 0);
    await system.ended(run);
    await system.keeper.remove(run);
  }
});

describe('a kept run', () => {
  test('a kept run ends with the exit code of its process and the bytes of both streams', async () => {
    await system.keeper.start(aShell('a', 'echo out; echo err >&2; exit 7'));
    expect(await system.ended('a')).toMatchObject({ cause: 'exit', exitCode: 7, signal: null, stdoutBytes: 4, stderrBytes: 4 });
    const chunks = await system.output('a');
    expect([textOf(chunks, 'stdout'), textOf(chunks, 'stderr')]).toEqual(['out\n', 'err\n']);
  });

  test('a kept run ends with the name of the signal that ended it', async () => {
    await system.keeper.start(aShell('a', 'kill -USR1 $$'));
    expect(await system.ended('a')).toMatchObject({ cause: 'exit', exitCode: null, signal: 'SIGUSR1' });
  });

  test('a kept run has exactly its own environment and its tag, nothing on standard input, a session of its own and real pipes', async () => {
    const script =
      'env | grep -v "^PWD=\\|^_=\\|^SHLVL=\\|^OLDPWD=" | sort; cat; ls /proc/self/fd | wc -l; echo piped > /dev/stdout; cut -d" " -f1,6 /proc/$$/stat';
    const { pid } = await system.keeper.start(aShell('a', script, { env: { PATH: '/usr/bin:/bin', B: '2' } }));
    await system.ended('a');
    const lines = textOf(await system.output('a'), 'stdout')
      .trim()
      .split('\n');
    expect(lines.slice(0, 2)).toEqual(['B=2', 'PATH=/usr/bin:/bin']);
    expect(lines[2]).toMatch(/^TROUPE_RUN_TAG=\d+$/);
    expect(lines.slice(3)).toEqual(['4', 'piped', `${pid} ${pid}`]);
  });

  test('a kept run runs in its working directory', async () => {
    await system.keeper.start(aStartRequest('a', ['pwd'], { cwd: '/usr/bin' }));
    await system.ended('a');
    expect(textOf(await system.output('a'), 'stdout')).toBe('/usr/bin\n');
  });

  test('a kept run is not started a second time', async () => {
    const first = await system.keeper.start(aShell('a', aSleep()));
    expect((await system.keeper.start(aShell('a', aSleep()))).pid).toBe(first.pid);
    expect(await system.keeper.list()).toHaveLength(1);
  });

  test('a kept run is deleted once it has ended, and not before', async () => {
    await system.keeper.start(aShell('a', aSleep()));
    await system.keeper.remove('a');
    expect(await system.keeper.list()).toHaveLength(1);
    await system.keeper.stop('a', 0);
    await system.ended('a');
    await system.keeper.remove('a');
    await system.keeper.remove('a');
    expect(await system.keeper.list()).toEqual([]);
    expect(await system.keeper.read('a', 0, 1000)).toEqual([]);
  });

  test('a kept run ends at its time limit', async () => {
    await system.keeper.start(aShell('a', aSleep(), { timeoutMs: 50 }));
    expect(await system.ended('a')).toMatchObject({ cause: 'timeout', signal: 'SIGTERM' });
  });

  test('a kept run is stopped by TERM and may end in its own way', async () => {
    await system.keeper.start(aShell('a', `trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.01; done`));
    await system.prints('a', 'up');
    await system.keeper.stop('a', 5_000);
    expect(await system.ended('a')).toMatchObject({ cause: 'stop', exitCode: 5 });
    expect(textOf(await system.output('a'), 'stdout')).toBe('up\nbye\n');
  });

  test('row 20: a kept run that ignores TERM is killed after the grace', async () => {
    await system.keeper.start(aShell('a', `trap '' TERM; echo up; while :; do :; done`));
    await system.prints('a', 'up');
    await system.keeper.stop('a', 100);
    expect(await system.ended('a')).toMatchObject({ cause: 'stop', signal: 'SIGKILL' });
  });
});

describe('a start that fails', () => {
  const script = join(tempDir('keeper'), 'script');
  writeFileSync(script, '#!/no/such/interpreter\n');

  test.each([
    [
      'a program that is not there',
      aStartRequest('a', ['no-such-program']),
      '"no-such-program" could not be started: it is in none of the directories of PATH (/usr/bin, /bin)',
    ],
    [
      'a file that may not be executed',
      aStartRequest('a', ['/etc/passwd']),
      '"/etc/passwd" could not be started: the file /etc/passwd is not executable',
    ],
    [
      'a working directory that is not there',
      aStartRequest('a', ['ls'], { cwd: '/no/where' }),
      '"ls" could not be started: its working directory /no/where does not exist',
    ],
    ['an interpreter that is not there', aStartRequest('a', [script]), 'the file, or the interpreter that it names, does not exist'],
  ])('a start that fails is reported: %s', async (_, order, reason) => {
    chmodSync(script, 0o755);
    const kept = await system.keeper.start(order);
    expect(kept).toMatchObject({ state: 'ended', cause: 'startFailed', pid: null, exitCode: null });
    expect(kept.reason).toContain(reason);
  });
});

describe('a run of another user', () => {
  test.if(process.getuid?.() === 0)(
    'a run of another user has the ids and exactly the groups of that user, and may open its output by name',
    async () => {
      const script = 'id -u; id -g; id -G; echo named > /dev/stdout; echo wrong > /dev/stderr';
      for (const [run, groups] of [
        ['one', [1]],
        ['more', [1, 24, 44]],
      ] as const) {
        await system.keeper.start({ ...aShell(run, script), cwd: '/', user: { uid: 1, gid: 1, groups: [...groups] } });
        expect(await system.ended(run)).toMatchObject({ cause: 'exit', exitCode: 0 });
        const chunks = await system.output(run);
        expect(textOf(chunks, 'stdout')).toBe(`1\n1\n${groups.join(' ')}\nnamed\n`);
        expect(textOf(chunks, 'stderr')).toBe('wrong\n');
      }
    },
  );

  test('a run of another user is not started as a third user where its user cannot be read', async () => {
    const order = { ...aStartRequest('a', ['id']), user: { uid: '1', gid: 1, groups: [1] } } as unknown as Parameters<
      typeof system.keeper.start
    >[0];
    expect(system.keeper.start(order)).rejects.toThrow('a field of the start request is missing or has the wrong type');
  });
});

describe('a script', () => {
  const directory = tempDir('scripts');
  const write = (name: string, content: string | Buffer) => {
    const path = join(directory, name);
    writeFileSync(path, content, { mode: 0o755 });
    return path;
  };

  test('a script without #! is run by /bin/sh, with its arguments', async () => {
    const script = write('plain', 'echo "hi $1 $2 from $0"\n');
    await system.keeper.start(aStartRequest('a', [script, 'a b', 'c'], { cwd: directory }));
    expect(await system.ended('a')).toMatchObject({ cause: 'exit', exitCode: 0 });
    expect(textOf(await system.output('a'), 'stdout')).toBe(`hi a b c from ${script}\n`);
  });

  test.each([
    ['line ends of Windows', '#!/bin/sh\r\necho hi\r\n', 'its script has Windows line ends'],
    ['line ends of Windows behind env', '#!/usr/bin/env sh\r\necho hi\r\n', 'its script has Windows line ends'],
    ['a byte order mark before #!', '\ufeff#!/bin/sh\necho hi\n', 'its script has a byte order mark before #!'],
    ['a byte order mark', '\ufeffecho hi\n', 'its script begins with a byte order mark'],
    ['bytes that are no text', Buffer.from('ab\0cd\n'), 'the file is neither a program nor a script with a #! line'],
    ['nothing in it', '', 'the file is neither a program nor a script with a #! line'],
  ])('a script with %s fails with that reason', async (_, content, reason) => {
    const kept = await system.keeper.start(aStartRequest('a', [write('script', content)], { cwd: directory }));
    expect(kept).toMatchObject({ state: 'ended', cause: 'startFailed', pid: null });
    expect(kept.reason).toContain(reason);
  });
});

describe('the output of a run', () => {
  test('the output of a run keeps characters whole over the borders of its pieces', async () => {
    const text = '€ä𝄞'.repeat(8_000);
    await system.keeper.start(aStartRequest('a', ['printf', '%s', text], { headBytes: 1 << 20 }));
    await system.ended('a');
    const chunks = await system.output('a');
    expect(chunks.length).toBeGreaterThan(2);
    expect(textOf(chunks, 'stdout')).toBe(text);
  });

  test('the output of a run counts bytes that are no text and what is left out, exactly', async () => {
    await system.keeper.start(
      aShell('a', 'head -c 3000000 /dev/urandom; head -c 500001 /dev/urandom >&2; printf end', { headBytes: 1_000, tailBytes: 20_000 }),
    );
    expect(await system.ended('a')).toMatchObject({ exitCode: 0, stdoutBytes: 3_000_003, stderrBytes: 500_001 });
    const chunks = await system.output('a');
    expect(accounted(chunks)).toEqual({ stdout: 3_000_003, stderr: 500_001 });
    expect(textOf(chunks, 'stdout')).toEndWith('end');
    expect(chunks.map(({ seq }) => seq)).toEqual(chunks.map(({ seq }) => seq).toSorted((a, b) => a - b));
  });

  // `KEEPER_FLOOD_BYTES=1000000000 bun test test/keeper/keeper.test.ts -t flood` is the long form.
  test('row 18: the output of a run may be a flood that neither fills the memory nor stops others', async () => {
    const flood = Number(process.env.KEEPER_FLOOD_BYTES ?? 200_000_000);
    const before = await megabytes(system.keeper.pid, 'VmRSS');
    await system.keeper.start(
      aStartRequest('flood', ['head', '-c', String(flood), '/dev/zero'], { headBytes: 1 << 20, tailBytes: 1 << 20 }),
    );
    for (let i = 0; i < 5; i++) {
      await system.keeper.start(aShell(`short${i}`, 'echo x'));
      await system.ended(`short${i}`);
    }
    expect(await system.ended('flood')).toMatchObject({ exitCode: 0, stdoutBytes: flood });
    expect(accounted(await system.output('flood')).stdout).toBe(flood);
    expect((await megabytes(system.keeper.pid, 'VmHWM')) - before).toBeLessThan(64);
  }, 60_000);

  test('the output of a run comes along with its event when it begins with little, and is announced once until it is read from then on', async () => {
    const texts: (string | undefined)[] = [];
    system.keeper.onEvent(event => {
      if (event.type === 'output') texts.push(event.chunks && textOf(event.chunks, 'stdout'));
    });
    await system.keeper.start(aShell('a', 'for i in 1 2 3 4 5; do echo $i; sleep 0.03; done'));
    await until('the run has ended', async () => (await system.keeper.list())[0]?.state === 'ended');
    expect(texts).toEqual(['1\n', undefined]);
    await system.reopen();
  });
});

async function megabytes(pid: number, field: string): Promise<number> {
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(await Bun.file(`/proc/${pid}/status`).text())?.[1]) / 1024;
}

describe('many runs', () => {
  test('200 short runs, 8 at a time, have the right exit code and every byte', async () => {
    let next = 0;
    const worker = async () => {
      while (next < 200) {
        const i = next++;
        await system.keeper.start(aShell(`r${i}`, `echo run ${i}; exit ${i % 100}`));
        const end = await system.ended(`r${i}`);
        expect(end).toMatchObject({ cause: 'exit', exitCode: i % 100 });
        expect(textOf(await system.output(`r${i}`), 'stdout')).toBe(`run ${i}\n`);
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    expect(zombiesOf(system.keeper.pid)).toEqual([]);
  });
});

describe('the socket of a keeper', () => {
  test('the socket of a keeper gives two agents that open it at once the same keeper', async () => {
    const directory = tempDir('keeper');
    const [one, two] = await Promise.all([aKeeperSystem(directory), aKeeperSystem(directory)]);
    expect(one.keeper.pid).toBe(two.keeper.pid);
    await until('one keeper is left', () => alive(directory).length === 1);
    expect(alive(directory)).toEqual([expect.stringContaining(`${one.keeper.pid} `)]);
    await one.leave();
  });

  test('the socket of a keeper works in a directory whose path is longer than a socket address', async () => {
    const deep = await aKeeperSystem(join(tempDir('keeper'), 'd'.repeat(120)));
    await deep.keeper.start(aShell('a', 'exit 3'));
    expect((await deep.ended('a')).exitCode).toBe(3);
    await deep.leave();
  });

  test('the keeper keeps the run when the agent goes, and the next agent finds it with output and exit code', async () => {
    const { pid } = await system.keeper.start(
      aShell('a', 'echo before; read line < /proc/self/cwd/nothing 2>/dev/null; echo after; exit 9'),
    );
    await system.reopen();
    const end = await system.ended('a');
    expect(end).toMatchObject({ pid, exitCode: 9, cause: 'exit' });
    expect(textOf(await system.output('a'), 'stdout')).toBe('before\nafter\n');
  });

  test('the socket of a keeper is for this user alone', () => {
    const inside = join(system.directory, 'keeper');
    expect(statSync(inside).mode & 0o777).toBe(0o700);
    expect(statSync(join(inside, 'socket')).mode & 0o777).toBe(0o600);
  });

  test('a keeper answers another version with the one it speaks', async () => {
    const socket = connect(join(system.directory, 'keeper', 'socket'));
    const said = new Promise<string>(resolve => socket.once('data', data => resolve(String(data))));
    socket.write('{"protocol": 99}\n');
    expect(await said).toContain('this keeper has protocol 1, the agent 99');
    socket.destroy();
  });

  test('a keeper hangs up on what is not an agent', async () => {
    const socket = connect(join(system.directory, 'keeper', 'socket'));
    const closed = new Promise(resolve => socket.once('close', resolve));
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await closed;
  });

  test('the socket of a keeper closes when the keeper is idle', async () => {
    const directory = tempDir('keeper');
    const keeper = await createKeeperConnector({ directory, clock: systemClock, idleMs: 1 }).connect();
    keeper.close();
    await until('the keeper has ended', () => alive(directory).length === 0);
  });

  test('a keeper ends the runs of a directory that was removed once its agent is gone, and leaves the next keeper of that path alone', async () => {
    const before = await aKeeperSystem();
    const { directory } = before;
    const { pid } = await before.keeper.start(aShell('a', aSleep()));
    rmSync(directory, { recursive: true });
    const connector = createKeeperConnector({ directory, clock: systemClock });
    const next = await connector.connect();
    expect(next.pid).not.toBe(before.keeper.pid);
    // An agent that is still connected decides.
    expect((await before.keeper.list())[0]).toMatchObject({ run: 'a', state: 'running' });
    before.keeper.close();
    await until('the run and its keeper have ended', () => !isThere(pid) && !isThere(before.keeper.pid));
    const again = await connector.connect();
    expect(again.pid).toBe(next.pid);
    again.close();
    next.close();
    process.kill(next.pid, 'SIGTERM');
    await until('the next keeper has ended', () => !isThere(next.pid));
    rmSync(directory, { recursive: true });
  });
});

describe('a keeper that no agent can find any more', () => {
  test.each(['its directory while output is written there', 'its socket'])(
    'a keeper that no agent can find any more ends its runs once its agent is gone: without %s',
    async what => {
      const { directory, keeper } = await aKeeperSystem();
      const { pid } = await keeper.start(aShell('a', 'while :; do echo flow; done', { headBytes: 0, tailBytes: 4_000 }));
      await until('it writes', async () => ((await keeper.list())[0]?.stdoutBytes ?? 0) >= 100_000);
      if (what === 'its socket') rmSync(join(directory, 'keeper', 'socket'));
      else removeAtOnce(directory);
      keeper.close();
      await until('the run and its keeper have ended', () => !isThere(pid) && !isThere(keeper.pid));
      if (what !== 'its socket') expect(existsSync(directory)).toBe(false);
      rmSync(directory, { recursive: true, force: true });
    },
  );
});

/**
 * A removal entry by entry would meet the files that the keeper makes meanwhile, and fail on a
 * directory that is not empty.
 */
function removeAtOnce(directory: string): void {
  const aside = `${directory}.gone`;
  renameSync(directory, aside);
  rmSync(aside, { recursive: true });
}

const isThere = (pid: number | null): boolean => pid !== null && existsSync(`/proc/${pid}`);
