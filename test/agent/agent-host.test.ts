/**
 * The agent's program as it is on a host: its own process, a real keeper, real files and sockets.
 * Shows rows 3 and 4 of the failures with real processes.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type ChildProcess, spawn } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type WebSocket, WebSocketServer } from 'ws';
import { createKeeperConnector } from '../../src/agent/keeper-socket.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { centerText, FromAgent, helloText, keyOfRun } from '../../src/protocol/agent.ts';
import { withGaps } from '../keeper/keeper-system.ts';
import { tempDir } from '../support/temp-dir.ts';
import { type AgentFrame, aRun, aStart, aStop } from './agent-setup.ts';

const MAIN = fileURLToPath(new URL('../../src/agent/main.ts', import.meta.url));
const NONCE = 'a-nonce';
const data = tempDir('agent');
const installation = generateKeyPairSync('ed25519');
const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
const frames: AgentFrame[] = [];
let waiting: (() => void)[] = [];
let socket: WebSocket | undefined;
let agent: ChildProcess | undefined;
/** Output is acknowledged. */
let keeps = true;

server.on('connection', connected => {
  socket = connected;
  const say = (frame: object) => connected.send(JSON.stringify(frame));
  say({ type: 'challenge', nonce: NONCE, protocol: 1, epoch: 1_000, instanceId: 'c1' });
  connected.on('message', text => {
    const frame = FromAgent.parse(JSON.parse(String(text)));
    frames.push(frame);
    if (frame.type === 'prove') {
      const signature = sign(null, Buffer.from(centerText(frame.nonce, NONCE)), installation.privateKey).toString('base64url');
      say({ type: 'proof', key: installation.publicKey.export({ format: 'jwk' }).x, signature });
    }
    if (frame.type === 'hello') say({ type: 'welcome', host: 'h1', heartbeatMs: 5_000 });
    if (frame.type === 'report') say({ type: 'reportsAcknowledged', ids: [frame.id] });
    if (frame.type === 'output' && keeps) say({ type: 'outputAcknowledged', run: frame.run, through: frame.seq });
    const ready = waiting;
    waiting = [];
    for (const one of ready) one();
  });
});

/** The first frame that fits, now or later. */
async function seen<T extends AgentFrame>(fits: (frame: AgentFrame) => frame is T): Promise<T> {
  for (;;) {
    const found = frames.find(fits);
    if (found) return found;
    await new Promise<void>(resolve => waiting.push(resolve));
  }
}

type Hello = Extract<AgentFrame, { type: 'hello' }>;
type Output = Extract<AgentFrame, { type: 'output' }>;
type Ended = Extract<AgentFrame, { state: 'ended' }>;
const hello = () => seen((frame): frame is Hello => frame.type === 'hello');
const ended = (run = aRun()) =>
  seen((frame): frame is Ended => frame.type === 'report' && frame.state === 'ended' && keyOfRun(frame.run) === keyOfRun(run));
const started = (run = aRun()) =>
  seen((frame): frame is AgentFrame => frame.type === 'report' && frame.state === 'started' && keyOfRun(frame.run) === keyOfRun(run));
const send = (frame: object) => socket?.send(JSON.stringify(frame));

const args = (directory = data) => [
  MAIN,
  '--center',
  `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
  '--token',
  'once',
  '--name',
  'h1',
  '--data',
  directory,
];

async function boot(): Promise<Hello> {
  frames.length = 0;
  agent = spawn(process.execPath, args(), { stdio: 'ignore' });
  return hello();
}

function end(signal: NodeJS.Signals): Promise<number | null> {
  return new Promise(resolve => {
    if (!agent || agent.exitCode !== null || agent.signalCode !== null) return resolve(null);
    agent.once('exit', code => resolve(code));
    agent.kill(signal);
  });
}

beforeAll(async () => {
  if (!server.address()) await new Promise(resolve => server.once('listening', resolve));
});

afterAll(async () => {
  await end('SIGKILL');
  const keeper = await createKeeperConnector({ directory: data, clock: systemClock }).connect();
  process.kill(keeper.pid, 'SIGTERM');
  await keeper.lost;
  server.close();
  rmSync(data, { recursive: true, force: true });
});

describe('the program on a host', () => {
  test('an agent proves its key, which only its owner may read', async () => {
    const { publicKey, signature, joinToken, runs } = await boot();
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' });
    expect(verify(null, Buffer.from(helloText(NONCE)), key, Buffer.from(signature, 'base64url'))).toBe(true);
    expect([joinToken, runs]).toEqual(['once', []]);
    expect(statSync(join(data, 'identity.pem')).mode & 0o777).toBe(0o600);
  });

  test('an agent runs a process and reports its output and exit code', async () => {
    const run = aRun({ item: 1 });
    send(aStart({ run, spec: { command: 'echo "$1 in $(pwd)"; exit 3', shell: true, lastArgument: 'hello' } }));
    const { exitCode, outcome, output } = await ended(run);
    expect({ exitCode, outcome }).toEqual({ exitCode: 3, outcome: 'failed' });
    const { text } = await seen((frame): frame is Extract<AgentFrame, { type: 'output' }> => frame.type === 'output');
    expect(text).toStartWith(`hello in ${data}/work/`);
    expect(output?.stdoutBytes).toBe(Buffer.byteLength(text));
  });

  test('row 18: an agent counts every byte of a run that writes more than is kept: sent or left out', async () => {
    const run = aRun({ item: 9 });
    keeps = false;
    const [out, err] = [5_000_000, 3_000_000];
    const flood = (bytes: number, sign: string) => `head -c ${bytes} /dev/zero | tr '\\0' ${sign}`;
    send(aStart({ run, spec: { command: `${flood(out, 'o')}; ${flood(err, 'e')} >&2; echo end; echo end >&2`, shell: true } }));
    const { output } = await ended(run);
    keeps = true;
    const pieces = () =>
      withGaps(frames.filter((frame): frame is Output => frame.type === 'output' && keyOfRun(frame.run) === keyOfRun(run)));
    for (const { seq } of pieces()) send({ type: 'outputAcknowledged', run, through: seq });
    const sum = (stream: string, of: (piece: Output & { leftOut: number }) => number) =>
      pieces().reduce((all, piece) => all + (piece.stream === stream ? of(piece) : 0), 0);
    const accounted = (stream: string) => sum(stream, ({ bytes, leftOut }) => bytes + leftOut);
    await seen((frame): frame is Output => accounted('stdout') === out + 4 && accounted('stderr') === (output?.stderrBytes ?? 0));
    expect(output).toMatchObject({ stdoutBytes: out + 4, stderrBytes: err + 4 });
    const leftOut = sum('stdout', piece => piece.leftOut) + sum('stderr', piece => piece.leftOut);
    expect(leftOut).toBeGreaterThan(out + err - 3 * 1024 ** 2);
    expect(pieces().map(({ seq }) => seq)).toEqual([...new Set(pieces().map(({ seq }) => seq))].sort((a, b) => a - b));
  });

  test('an agent shares its data directory with no other', async () => {
    const second = spawn(process.execPath, args(), { stdio: ['ignore', 'ignore', 'pipe'] });
    let printed = '';
    second.stderr?.on('data', text => {
      printed += text;
    });
    expect(await new Promise(resolve => second.on('close', resolve))).toBe(1);
    expect(printed).toContain('another agent uses');
  });

  test('row 3: an agent may be killed at any time: its runs go on, report their true exit code, and ran once', async () => {
    const [gate, trace] = [join(data, 'gate'), join(data, 'trace')];
    send(aStart({ spec: { command: `echo x >> ${trace}; while [ ! -e ${gate} ]; do sleep 0.02; done; echo done; exit 5`, shell: true } }));
    await started();
    await end('SIGKILL');
    const first = await boot();
    expect(first.joinToken).toBeUndefined();
    expect(first.runs).toMatchObject([{ run: aRun() }]);
    await end('SIGKILL');
    writeFileSync(gate, '');
    await boot();
    send(aStart({ spec: { command: `echo x >> ${trace}`, shell: true } }));
    expect(await ended()).toMatchObject({ outcome: 'failed', exitCode: 5 });
    expect(await seen((frame): frame is Extract<AgentFrame, { type: 'output' }> => frame.type === 'output')).toMatchObject({
      text: 'done\n',
    });
    expect(readFileSync(trace, 'utf8')).toBe('x\n');
  });

  test('an agent ends a run that it is asked to stop', async () => {
    const run = aRun({ item: 2 });
    send(aStart({ run, spec: { command: ['sleep', '1000'] } }));
    await started(run);
    send(aStop({ run }));
    expect(await ended(run)).toMatchObject({ outcome: 'cancelled', signal: 'SIGTERM' });
  });

  test('an agent stops in order when asked, and its runs go on', async () => {
    const run = aRun({ item: 3 });
    const gate = join(data, 'gate3');
    send(aStart({ run, spec: { command: `while [ ! -e ${gate} ]; do sleep 0.02; done`, shell: true } }));
    await started(run);
    expect(await end('SIGTERM')).toBe(0);
    writeFileSync(gate, '');
    await boot();
    expect(await ended(run)).toMatchObject({ outcome: 'succeeded' });
  });
});
