/** Apps of uploaded files: fetched from the center by the token of the session, and resumed. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { hex, someBytes } from '../support/store-contract/files.ts';
import { anAppHost, anArtifactCache } from './artifact-setup.ts';

const script = Buffer.from(`#!/bin/sh\necho uploaded\n#${'x'.repeat(100_000)}\n`);
const sha256 = hex('sha256', script);
const url = `troupe:files/${sha256}`;

type Center = Awaited<ReturnType<typeof anAppHost>>;
type Cache = Awaited<ReturnType<typeof anArtifactCache>>;
let center: Center;
let cache: Cache;
let session: { url: string; token: string } | undefined;
/** Range and token of each request. */
let asked: [range: string | undefined, token: string | undefined][];

beforeEach(async () => {
  center = await anAppHost();
  // The clock of the test moves faster than answers come.
  cache = await anArtifactCache({ limits: { downloadMs: 1e12, idleMs: 1e12 } });
  session = { url: center.url('/v1/files/'), token: 't1' };
  asked = [];
});
afterEach(async () => {
  await center.close();
  await cache.remove();
});

type Serve = (from: number, response: ServerResponse) => void;

/** Answers each request by the next of these, the last one again and again. */
function serves(...answers: Serve[]): void {
  center.files[`/v1/files/${sha256}`] = (request: IncomingMessage, response: ServerResponse) => {
    asked.push([request.headers.range, request.headers.authorization]);
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    (answers.length > 1 ? answers.shift() : answers[0])?.(from, response);
  };
}

const head = (from: number, response: ServerResponse, bytes = script) =>
  response.writeHead(from > 0 ? 206 : 200, {
    'content-length': String(bytes.length - from),
    'content-disposition': 'attachment; filename="run.sh"',
  });
const whole: Serve = (from, response) => head(from, response).end(script.subarray(from));
/** The connection ends after so many bytes. */
const cutAfter =
  (bytes: number): Serve =>
  (from, response) => {
    head(from, response).write(script.subarray(from, from + bytes), () => response.destroy());
  };
const status =
  (code: number): Serve =>
  (_, response) =>
    void response.writeHead(code).end();

const prepare = (more: Parameters<Cache['prepare']>[1] = {}) => cache.prepare(url, { center: () => session, ...more });
/** Moves the clock in small steps until the work settles: an answer takes a while, too. */
async function settled<T>(work: Promise<T>): Promise<T> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  work.then(over, over);
  while (!isOver) {
    await cache.clock.advance(50);
    await new Promise(resolve => setImmediate(resolve));
  }
  return work;
}

describe('an app of an uploaded file', () => {
  test('an app of an uploaded file is fetched with the token of the session, under its name', async () => {
    serves(whole);
    const app = await prepare();
    expect(app.script).toBe('run.sh');
    expect(readFileSync(join(app.directory, 'run.sh'))).toEqual(script);
    expect(asked).toEqual([[undefined, 'Bearer t1']]);
  });

  test('an app of an uploaded file is fetched once, whatever the version of the app', async () => {
    serves(whole);
    await prepare();
    await prepare({ execution: 'e2', version: 7 });
    expect(asked).toHaveLength(1);
  });

  test('an app of an uploaded file is under no rule about app hosts', async () => {
    serves(whole);
    await prepare({ rules: { fileUrls: false, hosts: ['elsewhere.example'] } });
    expect(asked).toHaveLength(1);
  });

  test('a download from the center goes on where it broke off, at every tenth', async () => {
    const tenth = Math.ceil(script.length / 10);
    serves(cutAfter(tenth));
    const app = await settled(prepare());
    expect(readFileSync(join(app.directory, 'run.sh'))).toEqual(script);
    const begins = asked.map(([range]) => Number(/\d+/.exec(range ?? '0')?.[0]));
    expect(begins.length).toBeGreaterThanOrEqual(10);
    expect(begins).toEqual([...begins].sort((a, b) => a - b));
    expect(new Set(begins).size).toBe(begins.length);
  });

  test('a download from the center waits while no session is up, and takes the token of the next one', async () => {
    serves((from, response) => {
      session = undefined;
      cutAfter(10)(from, response);
    }, whole);
    const work = prepare();
    while (session !== undefined) await new Promise(resolve => setImmediate(resolve));
    let isOver = false;
    void work.then(() => {
      isOver = true;
    });
    for (let second = 0; second < 90; second++) {
      await cache.clock.advance(1_000);
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(isOver).toBe(false);
    session = { url: center.url('/v1/files/'), token: 't2' };
    await settled(work);
    expect(asked.map(([, token]) => token)).toEqual(['Bearer t1', 'Bearer t2']);
  });

  test('a download from the center is tried again after 401, 429 and 503', async () => {
    serves(status(401), status(429), status(503), whole);
    await settled(prepare());
    expect(asked).toHaveLength(4);
  });

  test('a download from the center is whole at its last piece where no length is announced', async () => {
    serves((_, response) => {
      response.writeHead(200, { 'content-disposition': 'attachment; filename="run.sh"' }).write(script.subarray(0, 500));
      response.end(script.subarray(500));
    });
    const app = await prepare();
    expect(readFileSync(join(app.directory, 'run.sh'))).toEqual(script);
    expect(asked).toHaveLength(1);
  });

  test('a download from the center that broke behind its last byte is whole', async () => {
    serves((_, response) => {
      response.writeHead(200, { 'content-disposition': 'attachment; filename="run.sh"' });
      response.write(script, () => response.destroy());
    }, status(416));
    const app = await settled(prepare());
    expect(readFileSync(join(app.directory, 'run.sh'))).toEqual(script);
    expect(asked.map(([range]) => range)).toEqual([undefined, `bytes=${script.length}-`]);
  });

  test('a download from the center fails for good where the file is gone', async () => {
    serves(status(404));
    await expect(prepare()).rejects.toMatchObject({ code: 'status', transient: false, message: expect.stringContaining(sha256) });
    expect(asked).toHaveLength(1);
  });

  test('a download from the center of another content is refused, and nothing of it is kept', async () => {
    const other = Buffer.from(someBytes(script.length));
    serves((from, response) => head(from, response, other).end(other.subarray(from)), whole);
    await expect(prepare()).rejects.toMatchObject({ code: 'digest' });
    const app = await prepare();
    expect(readFileSync(join(app.directory, 'run.sh'))).toEqual(script);
  });

  test('a download from the center that an agent did not finish begins anew with the next agent', async () => {
    serves(cutAfter(10));
    const stop = new AbortController();
    const broken = prepare({ signal: stop.signal });
    while (asked.length === 0) await new Promise(resolve => setImmediate(resolve));
    stop.abort(new Error('the agent stops'));
    await expect(broken).rejects.toThrow('the agent stops');
    // In its place another process would begin.
    while (readdirSync(join(cache.directory, 'tmp')).length > 0) await new Promise(resolve => setImmediate(resolve));
    cache.reopen();
    serves(whole);
    const app = await prepare({ execution: 'e2' });
    expect(readFileSync(join(app.directory, 'run.sh'))).toEqual(script);
    expect(asked.at(-1)?.[0]).toBeUndefined();
  });
});
