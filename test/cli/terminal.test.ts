/** Every verb on a pseudo-terminal, against a real center and a real agent. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Entry, isFamily, isProgram } from '../../src/cli/verb.ts';
import { VERBS } from '../../src/cli/verbs/index.ts';
import { widthOf } from '../../src/cli/width.ts';
import { aCluster, type Cluster, until } from '../support/cluster.ts';
import { hex } from '../support/store-contract/files.ts';
import { tempDir } from '../support/temp-dir.ts';
import { aCenter, type ScriptedCenter } from './support/center.ts';
import { MAIN, onTerminal, withoutColours } from './support/terminal.ts';

const COLUMNS = 60;
let cluster: Cluster;
let env: Record<string, string>;

beforeAll(async () => {
  cluster = await aCluster({ cpus: 2, memoryMB: 512 });
  await cluster.startCenter();
  for (const name of ['west-1', 'west-2']) cluster.startAgent(name);
  await cluster.ready('west-1', 'west-2');
  env = { TROUPE_URL: cluster.url, HOME: tempDir('home'), XDG_CONFIG_HOME: '' };
}, 60_000);
afterAll(() => cluster.close());

/**
 * One line for each verb, in an order that gives the later ones something to show. `F` stands for
 * an execution that failed, `D` for the data of the center, `P` for a file to upload and `S` for
 * its digest, `E` for an export, `B`, `G` and `R` for files and a directory that are not there yet.
 */
const LINES: Record<string, { line: string; exit?: number }> = {
  'centers list': { line: 'centers list' },
  'centers add': { line: 'centers add here http://127.0.0.1:1' },
  'centers use': { line: 'centers use here' },
  'centers remove': { line: 'centers remove here' },
  ready: { line: 'ready --wait 1s' },
  'files put': { line: 'files put P --name run.sh' },
  'files list': { line: 'files' },
  'files get': { line: 'files get S --output G' },
  'files delete': { line: 'files delete S' },
  'import cloudtask': { line: 'import cloudtask E --dry-run' },
  'apps publish': { line: 'apps publish shop --url http://127.0.0.1:1/a.tar.gz --command bin/start' },
  'apps list': { line: 'apps' },
  'apps show': { line: 'apps show shop' },
  'apps modify': { line: 'apps modify shop --cpus 0.5' },
  'apps disable': { line: 'apps disable shop' },
  'apps enable': { line: 'apps enable shop' },
  'apps release': { line: 'apps release shop', exit: 3 },
  'apps delete': { line: 'apps delete shop' },
  'jobs create': { line: 'jobs create nl --cron 0_0_8_*_*_? --timeout 90s -- printf no_end' },
  'jobs update': { line: 'jobs update nl --description text' },
  'jobs list': { line: 'jobs' },
  'jobs show': { line: 'jobs show nl' },
  'jobs disable': { line: 'jobs disable nl' },
  'jobs enable': { line: 'jobs enable nl' },
  'jobs stop': { line: 'jobs stop nl' },
  'jobs release': { line: 'jobs release nl', exit: 3 },
  trigger: { line: 'trigger nl --follow' },
  'jobs occurrences': { line: 'jobs occurrences nl' },
  'jobs posted': { line: 'jobs posted nl' },
  next: { line: 'next nl --count 2' },
  why: { line: 'why F' },
  history: { line: 'history F' },
  logs: { line: 'logs F --timestamps --tail 5' },
  'executions list': { line: 'executions --from yesterday' },
  'executions show': { line: 'executions show F' },
  'executions retry': { line: 'executions retry F' },
  'executions cancel': { line: 'executions cancel F', exit: 3 },
  'executions release': { line: 'executions release F', exit: 3 },
  'jobs delete': { line: 'jobs delete nl' },
  'hosts list': { line: 'hosts' },
  'hosts show': { line: 'hosts show west-1' },
  'hosts drain': { line: 'hosts drain west-1 --wait --deadline 10s' },
  'hosts resume': { line: 'hosts resume west-1' },
  'hosts release': { line: 'hosts release west-1', exit: 3 },
  'hosts prune': { line: 'hosts prune' },
  'pools create': { line: 'pools create gpu --time-zone Asia/Tokyo' },
  'pools list': { line: 'pools' },
  'pools show': { line: 'pools show default' },
  'pools allocation': { line: 'pools allocation default' },
  'pools release': { line: 'pools release gpu', exit: 3 },
  'pools delete': { line: 'pools delete gpu' },
  'join-token': { line: 'join-token' },
  'tokens create': { line: 'tokens create ci --scope read' },
  'tokens list': { line: 'tokens' },
  'tokens delete': { line: 'tokens delete ci' },
  backup: { line: 'backup B --data D' },
  restore: { line: 'restore B --data R' },
  completion: { line: 'completion bash' },
  logout: { line: 'logout' },
  'hosts retire': { line: 'hosts retire west-2' },
};
/** Shown by tests of their own below, or programs that stay: of those the help. */
const ELSEWHERE = ['login', 'watch'];

const namesOf = ([name, entry]: [string, Entry]): string[] =>
  isFamily(entry) ? Object.keys(entry.verbs).map(verb => `${name} ${verb}`) : [name];

/**
 * What no screen may show: parts of an escape, other control characters, a colour that goes on
 * behind its line.
 */
function faultsOf(screen: string): string[] {
  const faults: string[] = [];
  for (const line of screen.split('\n')) {
    const plain = withoutColours(line).replaceAll('\r', '');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the subject.
    if (/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(plain) || /\[\d{1,2}m/.test(plain)) faults.push(JSON.stringify(line));
    if (line.lastIndexOf('\u001b[0m') < line.lastIndexOf('\u001b[3') || line.lastIndexOf('\u001b[0m') < line.lastIndexOf('\u001b[9'))
      faults.push(`left open: ${JSON.stringify(line)}`);
  }
  return faults;
}

describe('on a terminal', () => {
  test('every verb has a case in the tests on a terminal', () => {
    const known = [...Object.keys(LINES), ...ELSEWHERE];
    const programs = Object.entries(VERBS).flatMap(([name, entry]) => (isProgram(entry) ? [name] : []));
    expect(Object.entries(VERBS).flatMap(namesOf).sort()).toEqual([...known, ...programs].sort());
  });

  test('no verb leaves the remains of an escape on a terminal, and its help fits', async () => {
    const type = async (args: string[]) => {
      const screen = onTerminal({ args, columns: COLUMNS, env });
      return { exit: await screen.exited, screen: screen.text };
    };
    await type(['jobs', 'create', 'bad', '--attempts', '2', '--backoff', '1ms', '--', 'sh', '-c', 'echo wrong >&2; exit 3']);
    const failed = await type(['trigger', 'bad', '-f']);
    const id = /bad@\S+/.exec(failed.screen)?.[0] ?? '';
    const copies = tempDir('copies');
    const words: Record<string, string> = {
      F: id,
      D: join(cluster.directory, 'center'),
      B: join(copies, 'b.sqlite'),
      R: join(copies, 'restored'),
      P: join(copies, 'upload'),
      S: hex('sha256', '#!/bin/sh\n'),
      G: join(copies, 'download'),
      E: join(copies, 'export.json'),
    };
    writeFileSync(join(copies, 'export.json'), '[{"location":"west","owners":["ada"]}]');
    writeFileSync(join(copies, 'upload'), '#!/bin/sh\n');
    const seen: string[] = [];
    for (const [name, { line, exit = 0 }] of Object.entries(LINES)) {
      const args = line.split(' ').map(word => (Object.hasOwn(words, word) ? words[word] : word.replaceAll('_', ' ')) ?? '');
      const done = await type(args);
      expect({ name, exit: done.exit, faults: faultsOf(done.screen), screen: done.exit === exit ? '' : done.screen }).toEqual({
        name,
        exit,
        faults: [],
        screen: '',
      });
      seen.push(done.screen);
    }
    const all = seen.join('');
    expect(all).toContain('\u001b[32mready\u001b[0m');
    expect(all).toContain('\u001b[31mfailed\u001b[0m');
    // What the process left without a line feed is on a line of its own.
    expect(withoutColours(all)).toMatch(/^no end\nnl@\S+ succeeded in /m);
    const open = await type(['logs', /nl@\S+/.exec(all)?.[0] ?? '']);
    expect(open).toEqual({ exit: 0, screen: 'no end\r\n' });
  }, 120_000);

  test('the help of troupe and of its programs fits a terminal', async () => {
    for (const args of [
      ['--help'],
      ['jobs', '--help'],
      ['jobs', 'create', '--help'],
      ['up', '--help'],
      ['center', '--help'],
      ['agent', '--help'],
    ]) {
      const screen = onTerminal({ args, columns: COLUMNS, env });
      expect(await screen.exited).toBe(0);
      expect(faultsOf(screen.text)).toEqual([]);
    }
    const help = onTerminal({ args: ['jobs', 'create', '--help'], columns: COLUMNS, env });
    await help.exited;
    const lines = withoutColours(help.text).split('\nExamples:')[0]?.split('\n') ?? [];
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(COLUMNS);
  });

  test('watch on a terminal shows facts until Ctrl-C', async () => {
    await aJobThatRuns('seen');
    const screen = onTerminal({ args: ['watch', '--job', 'seen'], columns: COLUMNS, env });
    await until('the feed is open', async () => {
      await cluster.call('PATCH', '/v1/jobs/seen', { description: String(Math.random()) });
      return screen.text.includes('job seen is changed');
    });
    screen.type('\u0003');
    expect(await screen.exited).toBe(0);
    expect(faultsOf(screen.text.replace('^C', ''))).toEqual([]);
    expect(Math.max(...withoutColours(screen.text.replace('^C', '')).split('\n').map(widthOf))).toBeLessThanOrEqual(COLUMNS);
  });

  test('Ctrl-C while a triggered execution is followed says that it goes on, and exits with 130', async () => {
    await aJobThatRuns('long');
    const screen = onTerminal({ args: ['trigger', 'long', '--follow'], columns: 200, env });
    await screen.shows('begun');
    screen.type('\u0003');
    expect(await screen.exited).toBe(130);
    const [, id] = /no longer following; (long@\S+) goes on, and "troupe executions cancel \1" would end it/.exec(screen.text) ?? [];
    expect((await cluster.execution(id ?? '')).status).toBe('running');
    await cluster.call('POST', `/v1/executions/${encodeURIComponent(id ?? '')}/cancel`);
  });
});

/** A program that prints "begun" and runs until it is ended. */
async function aJobThatRuns(name: string): Promise<void> {
  await cluster.call('POST', '/v1/jobs', { name, command: ['sh', '-c', 'echo begun; exec sleep 600'] });
}

describe('the password prompt', () => {
  const login = { 'POST /v1/login': { token: 'troupe_t', expiresAt: '2026-11-22T20:00:00.000Z' } };
  const sentPassword = ({ asked }: ScriptedCenter) => (asked[0]?.body as { password?: string } | undefined)?.password;
  let center: ScriptedCenter;
  const around = () => ({ TROUPE_URL: center.url, HOME: tempDir('home'), XDG_CONFIG_HOME: '', PS1: '> ' });
  beforeEach(() => {
    center = aCenter(login);
  });
  afterEach(() => center.stop());

  test('the password prompt shows nothing of what is typed, and takes corrections', async () => {
    const screen = onTerminal({ args: ['login'], env: around() });
    await screen.shows('password of root');
    screen.type('wrong\u0015secrät\u007f\u007f\u007fret\r');
    expect(await screen.exited).toBe(0);
    expect(sentPassword(center)).toBe('secret');
    expect(screen.text).not.toContain('sec');
  });

  test('the password prompt ends with 130 at Ctrl-C, and sends nothing', async () => {
    const screen = onTerminal({ args: ['login'], env: around() });
    await screen.shows('password of root');
    screen.type('half\u0003');
    expect(await screen.exited).toBe(130);
    expect(center.asked).toEqual([]);
  });

  test('the password prompt takes no line of a pasted block for the password: the lines are for the shell', async () => {
    const screen = onTerminal({ command: ['sh', '-i'], env: around() });
    await screen.shows('> ');
    // `read` holds the prompt up until the block is in the terminal as a whole.
    screen.type(`read go; ${process.execPath} ${MAIN} login\rgo\recho pasted-$((1 + 1))\rexit 7\rhalf a li`);
    await screen.shows('password of root');
    screen.type('secret\r');
    expect(await screen.exited).toBe(7);
    expect(sentPassword(center)).toBe('secret');
    expect(screen.text).toMatch(/logged in[\s\S]*pasted-2/);
  });

  test('the password prompt is answered at the terminal where standard input is a script', async () => {
    const script = `${process.execPath} ${MAIN} login\necho script-$((1 + 1))\n`;
    const screen = onTerminal({ command: ['sh', '-c', `printf '%s' "$SCRIPT" | sh`], env: { ...around(), SCRIPT: script } });
    await screen.shows('password of root');
    screen.type('secret\r');
    expect(await screen.exited).toBe(0);
    expect(sentPassword(center)).toBe('secret');
    expect(screen.text).toContain('script-2');
  });

  test('the password prompt needs a terminal, or --password-stdin', async () => {
    const command = ['setsid', '--wait', process.execPath, MAIN, 'login'];
    const child = Bun.spawn(command, { env: { ...process.env, ...around() }, stdin: new Blob(['secret\n']), stderr: 'pipe' });
    expect(await new Response(child.stderr).text()).toBe(
      'troupe: there is no terminal to ask for the password; --password-stdin takes it from standard input\n',
    );
    expect(await child.exited).toBe(2);
  });
});
