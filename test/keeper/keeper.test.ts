/** The keeper as a program of its own with real processes. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createKeeperDoor } from '../../src/agent/keeper-socket.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { until } from '../support/house.ts';
import { aPlace } from '../support/place.ts';
import { accounted, aHouse, alive, anOrder, aShell, aSleep, type House, textOf, zombiesOf } from './keeper-system.ts';

let house: House;
beforeAll(async () => {
  house = await aHouse();
});
afterAll(() => house.leave());
afterEach(async () => {
  for (const { run } of await house.keeper.list()) {
    await house.keeper.stop(run, 0);
    await house.ended(run);
    await house.keeper.forget(run);
  }
});

describe('a kept run', () => {
  test('ends with the exit code of its process and the bytes of both streams', async () => {
    await house.keeper.start(aShell('a', 'echo out; echo err >&2; exit 7'));
    expect(await house.ended('a')).toMatchObject({ cause: 'exit', exitCode: 7, signal: null, stdoutBytes: 4, stderrBytes: 4 });
    const chunks = await house.output('a');
    expect([textOf(chunks, 'stdout'), textOf(chunks, 'stderr')]).toEqual(['out\n', 'err\n']);
  });

  test('ends with the name of the signal that ended it', async () => {
    await house.keeper.start(aShell('a', 'kill -USR1 $$'));
    expect(await house.ended('a')).toMatchObject({ cause: 'exit', exitCode: null, signal: 'SIGUSR1' });
  });

  test('has exactly its own environment and its mark, nothing on standard input, a session of its own and real pipes', async () => {
    const script =
      'env | grep -v "^PWD=\\|^_=\\|^SHLVL=\\|^OLDPWD=" | sort; cat; ls /proc/self/fd | wc -l; echo piped > /dev/stdout; cut -d" " -f1,6 /proc/$$/stat';
    const { pid } = await house.keeper.start(aShell('a', script, { env: { PATH: '/usr/bin:/bin', B: '2' } }));
    await house.ended('a');
    const lines = textOf(await house.output('a'), 'stdout')
      .trim()
      .split('\n');
    expect(lines.slice(0, 2)).toEqual(['B=2', 'PATH=/usr/bin:/bin']);
    expect(lines[2]).toMatch(/^TROUPE_RUN_MARK=\d+$/);
    expect(lines.slice(3)).toEqual(['4', 'piped', `${pid} ${pid}`]);
  });

  test('runs in its working directory', async () => {
    await house.keeper.start(anOrder('a', ['pwd'], { cwd: '/usr/bin' }));
    await house.ended('a');
    expect(textOf(await house.output('a'), 'stdout')).toBe('/usr/bin\n');
  });

  test('is not started a second time', async () => {
    const first = await house.keeper.start(aShell('a', aSleep()));
    expect((await house.keeper.start(aShell('a', aSleep()))).pid).toBe(first.pid);
    expect(await house.keeper.list()).toHaveLength(1);
  });

  test('is forgotten once it has ended, and not before', async () => {
    await house.keeper.start(aShell('a', aSleep()));
    await house.keeper.forget('a');
    expect(await house.keeper.list()).toHaveLength(1);
    await house.keeper.stop('a', 0);
    await house.ended('a');
    await house.keeper.forget('a');
    await house.keeper.forget('a');
    expect(await house.keeper.list()).toEqual([]);
    expect(await house.keeper.read('a', 0, 1000)).toEqual([]);
  });

  test('ends at its time limit', async () => {
    await house.keeper.start(aShell('a', aSleep(), { timeoutMs: 50 }));
    expect(await house.ended('a')).toMatchObject({ cause: 'timeout', signal: 'SIGTERM' });
  });

  test('is stopped by TERM and may end in its own way', async () => {
    await house.keeper.start(aShell('a', `trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.01; done`));
    await house.says('a', 'up');
    await house.keeper.stop('a', 5_000);
    expect(await house.ended('a')).toMatchObject({ cause: 'stop', exitCode: 5 });
    expect(textOf(await house.output('a'), 'stdout')).toBe('up\nbye\n');
  });

  test('row 20: that ignores TERM is killed after the grace', async () => {
    await house.keeper.start(aShell('a', `trap '' TERM; echo up; while :; do :; done`));
    await house.says('a', 'up');
    await house.keeper.stop('a', 100);
    expect(await house.ended('a')).toMatchObject({ cause: 'stop', signal: 'SIGKILL' });
  });
});

describe('a start that fails', () => {
  const script = join(aPlace('keeper'), 'script');
  writeFileSync(script, '#!/no/such/interpreter\n');

  test.each([
    [
      'a program that is not there',
      anOrder('a', ['no-such-program']),
      '"no-such-program" could not be started: it is in none of the directories of PATH (/usr/bin, /bin)',
    ],
    [
      'a file that may not be executed',
      anOrder('a', ['/etc/passwd']),
      '"/etc/passwd" could not be started: the file /etc/passwd is not executable',
    ],
    [
      'a working directory that is not there',
      anOrder('a', ['ls'], { cwd: '/no/where' }),
      '"ls" could not be started: its working directory /no/where is not there',
    ],
    ['an interpreter that is not there', anOrder('a', [script]), 'there is no such file, or not the interpreter it names'],
  ])('says so: %s', async (_, order, reason) => {
    chmodSync(script, 0o755);
    const kept = await house.keeper.start(order);
    expect(kept).toMatchObject({ state: 'ended', cause: 'startFailed', pid: null, exitCode: null });
    expect(kept.reason).toContain(reason);
  });
});

describe('a run of another user', () => {
  test.if(process.getuid?.() === 0)('has its numbers and exactly its groups, and may open its output by name', async () => {
    const script = 'id -u; id -g; id -G; echo named > /dev/stdout; echo wrong > /dev/stderr';
    for (const [run, groups] of [
      ['one', [1]],
      ['more', [1, 24, 44]],
    ] as const) {
      await house.keeper.start({ ...aShell(run, script), cwd: '/', user: { uid: 1, gid: 1, groups: [...groups] } });
      expect(await house.ended(run)).toMatchObject({ cause: 'exit', exitCode: 0 });
      const chunks = await house.output(run);
      expect(textOf(chunks, 'stdout')).toBe(`1\n1\n${groups.join(' ')}\nnamed\n`);
      expect(textOf(chunks, 'stderr')).toBe('wrong\n');
    }
  });

  test('is not started as somebody else where its user cannot be read', async () => {
    const order = { ...anOrder('a', ['id']), user: { uid: '1', gid: 1, groups: [1] } } as unknown as Parameters<
      typeof house.keeper.start
    >[0];
    expect(house.keeper.start(order)).rejects.toThrow('lacks a field or has one of the wrong type');
  });
});

describe('a script', () => {
  const directory = aPlace('scripts');
  const write = (name: string, content: string | Buffer) => {
    const path = join(directory, name);
    writeFileSync(path, content, { mode: 0o755 });
    return path;
  };

  test('without #! is run by /bin/sh, with its arguments', async () => {
    const script = write('plain', 'echo "hi $1 $2 from $0"\n');
    await house.keeper.start(anOrder('a', [script, 'a b', 'c'], { cwd: directory }));
    expect(await house.ended('a')).toMatchObject({ cause: 'exit', exitCode: 0 });
    expect(textOf(await house.output('a'), 'stdout')).toBe(`hi a b c from ${script}\n`);
  });

  test.each([
    ['line ends of Windows', '#!/bin/sh\r\necho hi\r\n', 'its script has line ends of Windows'],
    ['line ends of Windows behind env', '#!/usr/bin/env sh\r\necho hi\r\n', 'its script has line ends of Windows'],
    ['a byte order mark before #!', '\ufeff#!/bin/sh\necho hi\n', 'its script has a byte order mark before #!'],
    ['a byte order mark', '\ufeffecho hi\n', 'its script begins with a byte order mark'],
    ['bytes that are no text', Buffer.from('ab\0cd\n'), 'the file is neither a program nor a script with a #! line'],
    ['nothing in it', '', 'the file is neither a program nor a script with a #! line'],
  ])('with %s fails with that reason', async (_, content, reason) => {
    const kept = await house.keeper.start(anOrder('a', [write('script', content)], { cwd: directory }));
    expect(kept).toMatchObject({ state: 'ended', cause: 'startFailed', pid: null });
    expect(kept.reason).toContain(reason);
  });
});

describe('the output of a run', () => {
  test('keeps characters whole over the borders of its pieces', async () => {
    const text = '€ä𝄞'.repeat(8_000);
    await house.keeper.start(anOrder('a', ['printf', '%s', text], { headBytes: 1 << 20 }));
    await house.ended('a');
    const chunks = await house.output('a');
    expect(chunks.length).toBeGreaterThan(2);
    expect(textOf(chunks, 'stdout')).toBe(text);
  });

  test('counts bytes that are no text and what is left out, exactly', async () => {
    await house.keeper.start(
      aShell('a', 'head -c 3000000 /dev/urandom; head -c 500001 /dev/urandom >&2; printf end', { headBytes: 1_000, tailBytes: 20_000 }),
    );
    expect(await house.ended('a')).toMatchObject({ exitCode: 0, stdoutBytes: 3_000_003, stderrBytes: 500_001 });
    const chunks = await house.output('a');
    expect(accounted(chunks)).toEqual({ stdout: 3_000_003, stderr: 500_001 });
    expect(textOf(chunks, 'stdout')).toEndWith('end');
    expect(chunks.map(({ seq }) => seq)).toEqual(chunks.map(({ seq }) => seq).toSorted((a, b) => a - b));
  });

  // `KEEPER_FLOOD_BYTES=1000000000 bun test test/keeper/keeper.test.ts -t flood` is the long form.
  test('row 18: may be a flood that neither fills the memory nor stops others', async () => {
    const flood = Number(process.env.KEEPER_FLOOD_BYTES ?? 200_000_000);
    const before = await megabytes(house.keeper.pid, 'VmRSS');
    await house.keeper.start(anOrder('flood', ['head', '-c', String(flood), '/dev/zero'], { headBytes: 1 << 20, tailBytes: 1 << 20 }));
    for (let i = 0; i < 5; i++) {
      await house.keeper.start(aShell(`short${i}`, 'echo x'));
      await house.ended(`short${i}`);
    }
    expect(await house.ended('flood')).toMatchObject({ exitCode: 0, stdoutBytes: flood });
    expect(accounted(await house.output('flood')).stdout).toBe(flood);
    expect((await megabytes(house.keeper.pid, 'VmHWM')) - before).toBeLessThan(64);
  }, 60_000);

  test('comes along with its news when it begins with little, and is announced once until it is read from then on', async () => {
    const told: (string | undefined)[] = [];
    house.keeper.onNews(news => {
      if (news.type === 'output') told.push(news.pieces && textOf(news.pieces, 'stdout'));
    });
    await house.keeper.start(aShell('a', 'for i in 1 2 3 4 5; do echo $i; sleep 0.03; done'));
    await until('the run has ended', async () => (await house.keeper.list())[0]?.state === 'ended');
    expect(told).toEqual(['1\n', undefined]);
    await house.reopen();
  });
});

async function megabytes(pid: number, field: string): Promise<number> {
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(await Bun.file(`/proc/${pid}/status`).text())?.[1]) / 1024;
}

describe('many runs', () => {
  test('200 short ones, 8 at a time: every exit code and every byte is right', async () => {
    let next = 0;
    const worker = async () => {
      while (next < 200) {
        const i = next++;
        await house.keeper.start(aShell(`r${i}`, `echo run ${i}; exit ${i % 100}`));
        const end = await house.ended(`r${i}`);
        expect(end).toMatchObject({ cause: 'exit', exitCode: i % 100 });
        expect(textOf(await house.output(`r${i}`), 'stdout')).toBe(`run ${i}\n`);
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    expect(zombiesOf(house.keeper.pid)).toEqual([]);
  });
});

describe('the door', () => {
  test('gives two who open it at once the same keeper', async () => {
    const directory = aPlace('keeper');
    const [one, two] = await Promise.all([aHouse(directory), aHouse(directory)]);
    expect(one.keeper.pid).toBe(two.keeper.pid);
    await until('one keeper is left', () => alive(directory).length === 1);
    expect(alive(directory)).toEqual([expect.stringContaining(`${one.keeper.pid} `)]);
    await one.leave();
  });

  test('reaches a keeper in a directory whose path is longer than a socket address', async () => {
    const deep = await aHouse(join(aPlace('keeper'), 'd'.repeat(120)));
    await deep.keeper.start(aShell('a', 'exit 3'));
    expect((await deep.ended('a')).exitCode).toBe(3);
    await deep.leave();
  });

  test('leaves the run to the keeper when the agent goes, and the next agent finds it with output and exit code', async () => {
    const { pid } = await house.keeper.start(
      aShell('a', 'echo before; read line < /proc/self/cwd/nothing 2>/dev/null; echo after; exit 9'),
    );
    await house.reopen();
    const end = await house.ended('a');
    expect(end).toMatchObject({ pid, exitCode: 9, cause: 'exit' });
    expect(textOf(await house.output('a'), 'stdout')).toBe('before\nafter\n');
  });

  test('is for this user alone', () => {
    const inside = join(house.directory, 'keeper');
    expect(statSync(inside).mode & 0o777).toBe(0o700);
    expect(statSync(join(inside, 'socket')).mode & 0o777).toBe(0o600);
  });

  test('tells another version which one it speaks', async () => {
    const socket = connect(join(house.directory, 'keeper', 'socket'));
    const said = new Promise<string>(resolve => socket.once('data', data => resolve(String(data))));
    socket.write('{"agent": 99}\n');
    expect(await said).toContain('this keeper speaks protocol 1, the agent 99');
    socket.destroy();
  });

  test('hangs up on what is not an agent', async () => {
    const socket = connect(join(house.directory, 'keeper', 'socket'));
    const closed = new Promise(resolve => socket.once('close', resolve));
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await closed;
  });

  test('closes behind an idle keeper', async () => {
    const directory = aPlace('keeper');
    const keeper = await createKeeperDoor({ directory, clock: systemClock, idleMs: 1 }).open();
    keeper.close();
    await until('the keeper has ended', () => alive(directory).length === 0);
  });

  test('ends the runs of a directory that was removed once its agent is gone, and leaves the next keeper of that path alone', async () => {
    const before = await aHouse();
    const { directory } = before;
    const { pid } = await before.keeper.start(aShell('a', aSleep()));
    rmSync(directory, { recursive: true });
    const door = createKeeperDoor({ directory, clock: systemClock });
    const next = await door.open();
    expect(next.pid).not.toBe(before.keeper.pid);
    // An agent that is still there has the say.
    expect((await before.keeper.list())[0]).toMatchObject({ run: 'a', state: 'running' });
    before.keeper.close();
    await until('the run and its keeper have ended', () => !isThere(pid) && !isThere(before.keeper.pid));
    const again = await door.open();
    expect(again.pid).toBe(next.pid);
    again.close();
    next.close();
    process.kill(next.pid, 'SIGTERM');
    await until('the next keeper has ended', () => !isThere(next.pid));
    rmSync(directory, { recursive: true });
  });
});

describe('a keeper that nobody can find any more', () => {
  test.each(['its directory while output is written there', 'its socket'])(
    'ends its runs once its agent is gone: without %s',
    async what => {
      const { directory, keeper } = await aHouse();
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
