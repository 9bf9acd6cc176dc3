/** Logs of an execution over HTTP, whole and followed. */
import { describe, expect, test } from 'bun:test';
import type { ShardState } from '../../actors/execution/types.ts';
import type { Address } from '../../actors/types.ts';
import { logRoutes } from '../../src/api/v1/logs.ts';
import type { Route } from '../../src/http/route.ts';
import type { View } from '../../src/runtime/document.ts';
import type { Views } from '../../src/runtime/views.ts';
import { createOutputService } from '../../src/services/output/index.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import type { OutputChunk } from '../../src/store/port.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { aChunk, placing } from '../support/store-builders.ts';
import { anApi } from './support.ts';

type Status = Pick<ShardState, 'status' | 'attempt' | 'output'> & Partial<Pick<ShardState, 'finishedAt'>>;

/** The route over a real keeper; the test sets the execution `nightly@1`. */
async function aLogApi({ shards = 1, capBytes = 1024 * 1024, stopping = new AbortController().signal } = {}) {
  const clock = createManualClock();
  const store = createMemoryStore();
  const output = createOutputService({ store, capBytes });
  const place = placing();
  const states: Status[] = Array.from({ length: shards }, () => ({ status: 'running', attempt: 1, output: null }));
  const views = {
    async get(address: Address) {
      if (address !== 'execution/nightly@1') return undefined;
      return { context: { shards: states.map((state, item) => ({ ...state, item })) } } as unknown as View;
    },
  } as unknown as Views;
  const routes: Route[] = logRoutes({ views, store, output, clock, stopping });
  const { app } = await anApi({ extra: routes });
  const get = (query = '', headers: Record<string, string> = {}) => app.request(`/v1/executions/nightly@1/logs${query}`, { headers });
  const keep = (...chunks: Partial<OutputChunk>[]) =>
    output.keep(place(chunks.map(chunk => aChunk({ execution: 'nightly@1', ...chunk, text: chunk.text ?? `line ${chunk.seq}\n` }))));
  const end = (item: number, stdoutBytes: number | null, changes: Partial<Status> = {}) => {
    const written = stdoutBytes === null ? null : { stdoutBytes, stderrBytes: 0 };
    states[item] = { status: 'done', attempt: 1, output: written, ...changes };
  };
  return { clock, store, get, keep, end, states, app };
}

const linesOf = (text: string) =>
  text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line));

/** Reads along; `text` is what came so far. */
function reading(response: Response) {
  const reader = response.body?.getReader();
  const seen = { text: '', isOver: false };
  const done = (async () => {
    for (;;) {
      const piece = await reader?.read();
      if (!piece || piece.done) break;
      seen.text += new TextDecoder().decode(piece.value);
    }
    seen.isOver = true;
  })();
  return { seen, done, cancel: () => reader?.cancel() };
}

describe('the logs of an execution', () => {
  test('the logs of an execution are lines of JSON that name shard and attempt', async () => {
    const { get, keep } = await aLogApi({ shards: 2 });
    await keep({ item: 0, seq: 1, at: 5 }, { item: 0, seq: 2, stream: 'stderr', at: 6 }, { item: 1, seq: 1, at: 7 });
    const one = await get('?shard=0');
    expect(one.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
    expect(linesOf(await one.text())).toEqual([
      { item: 0, attempt: 1, seq: 1, at: '1970-01-01T00:00:00.005Z', stream: 'stdout', text: 'line 1\n' },
      { item: 0, attempt: 1, seq: 2, at: '1970-01-01T00:00:00.006Z', stream: 'stderr', text: 'line 2\n' },
    ]);
    const all = linesOf(await (await get()).text());
    expect(all.map(({ item, attempt, seq }) => [item, attempt, seq])).toEqual([
      [0, 1, 1],
      [0, 1, 2],
      [1, 1, 1],
    ]);
    expect(linesOf(await (await get('?shard=0&stream=stderr')).text())).toHaveLength(1);
  });

  test('the logs of an execution are plain text on request, with a notice where output is left out', async () => {
    const { get, keep } = await aLogApi();
    await keep({ seq: 1, text: 'a' }, { seq: 2, text: 'b\n', leftOut: 70 });
    const response = await get('?shard=0', { accept: 'text/plain' });
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await response.text()).toBe('a\n[70 bytes of stdout are left out here]\nb\n');
  });

  test('the logs of an execution resume exactly behind `after`, over attempts and shards', async () => {
    const { get, keep } = await aLogApi({ shards: 2 });
    await keep(
      { seq: 1 },
      { seq: 2, leftOut: 9 },
      { attempt: 2, seq: 1, leftOut: 3 },
      { attempt: 2, seq: 2 },
      { item: 1, seq: 1 },
      { item: 1, seq: 2 },
    );
    const all = linesOf(await (await get('?shard=0')).text());
    expect(all.map(({ seq }) => seq)).toEqual([1, 1, 2, 1_000_000_000, 1_000_000_001, 1_000_000_002]);
    for (const [index, { seq, leftOut }] of all.entries()) {
      const rest = linesOf(await (await get(`?shard=0&after=${seq}`)).text());
      // A marker and the piece before it share a number. A reader that resumes there gets the
      // marker again, never a text.
      const texts = all.slice(index + 1).filter(line => line.leftOut === undefined);
      expect(rest.filter(line => line.leftOut === undefined)).toEqual(texts);
      if (leftOut === undefined && all[index + 1]?.leftOut === undefined) expect(rest).toEqual(all.slice(index + 1));
    }
    const both = linesOf(await (await get('?after=0:1000000001,1:1')).text());
    expect(both.map(({ item, seq }) => `${item}:${seq}`)).toEqual(['0:1000000002', '1:2']);
  });

  test('the logs of an execution count what is left out of the middle', async () => {
    const { get, keep } = await aLogApi({ capBytes: 2_000 });
    for (let seq = 1; seq <= 40; seq++) await keep({ seq, text: 'x'.repeat(100) });
    const lines = linesOf(await (await get('?shard=0')).text());
    const gap = lines.find(line => line.leftOut !== undefined);
    expect(gap.leftOut + 100 * (lines.length - 1)).toBe(4_000);
    const rest = linesOf(await (await get(`?shard=0&after=${gap.seq}`)).text());
    expect(rest).toEqual(lines.slice(lines.indexOf(gap) + 1));
  });

  test('the logs of an execution end an attempt with the count of bytes that are lost', async () => {
    const { get, keep, end, store } = await aLogApi();
    await keep({ seq: 1, text: 'a'.repeat(10) }, { seq: 2, text: 'b'.repeat(20) });
    await store.dropOutput({ execution: 'nightly@1', item: 0, attempt: 1, from: 2, to: 2 });
    end(0, 35);
    const lines = linesOf(await (await get('?shard=0')).text());
    expect(lines.map(({ seq, text, leftOut }) => [seq, text.length, leftOut])).toEqual([
      [1, 10, undefined],
      [1, 0, 25],
    ]);
    expect(linesOf(await (await get('?shard=0&stream=stderr')).text())).toEqual([]);
  });

  test('the logs of an execution do not count output in transit from a host as left out', async () => {
    const { clock, get, keep, end } = await aLogApi();
    await keep({ seq: 1, text: 'a'.repeat(10) });
    end(0, 35, { finishedAt: clock.now() });
    const leftOut = async () => linesOf(await (await get('?shard=0')).text()).map(line => line.leftOut);
    await clock.advance(29_000);
    expect(await leftOut()).toEqual([undefined]);
    await clock.advance(1_000);
    expect(await leftOut()).toEqual([undefined, 25]);
  });

  test('the logs of an unknown execution are not found, and a malformed query is a 400', async () => {
    const { get, app } = await aLogApi();
    expect((await app.request('/v1/executions/none/logs')).status).toBe(404);
    expect((await get('?shard=1')).status).toBe(404);
    for (const query of ['?shard=x', '?stream=both,none', '?follow=maybe', '?after=1', '?shard=0&after=x', '?after=7:1', '?colour=red']) {
      expect((await get(query)).status).toBe(400);
    }
    expect(await (await get()).text()).toBe('');
  });
});

describe('following', () => {
  test('following a log sends what is there and what comes, and ends once the shard is done and its output complete', async () => {
    const { get, keep, end, clock } = await aLogApi();
    await keep({ seq: 1 });
    const { seen, done } = reading(await get('?shard=0&follow=true'));
    await clock.settle();
    expect(linesOf(seen.text)).toHaveLength(1);
    await keep({ seq: 2 });
    await clock.settle();
    expect(linesOf(seen.text)).toHaveLength(2);
    // The end overtakes the last output.
    end(0, 21);
    await clock.advance(5_000);
    expect(seen.isOver).toBe(false);
    await keep({ seq: 3 });
    await clock.advance(1_000);
    await done;
    expect(linesOf(seen.text).map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });

  test('following the logs of all shards goes on until the last of them ends', async () => {
    const { get, keep, end, clock } = await aLogApi({ shards: 2 });
    const { seen, done } = reading(await get('?follow=true'));
    await clock.settle();
    await keep({ item: 1, seq: 1 });
    await clock.settle();
    await keep({ item: 0, seq: 1 });
    await clock.settle();
    end(1, 7);
    await clock.advance(2_000);
    expect(seen.isOver).toBe(false);
    end(0, null);
    await clock.advance(2_000);
    await done;
    expect(linesOf(seen.text).map(({ item, seq }) => `${item}:${seq}`)).toEqual(['1:1', '0:1']);
  });

  test('following a log gives up on output that does not come', async () => {
    const { get, end, clock } = await aLogApi();
    end(0, 1_000);
    const { seen, done } = reading(await get('?shard=0&follow=true'));
    await clock.advance(29_000);
    expect(seen.isOver).toBe(false);
    await clock.advance(3_000);
    await done;
    // No store has it: the execution counts it as left out, and so does its log.
    expect(linesOf(seen.text)).toMatchObject([{ stream: 'stdout', text: '', leftOut: 1_000 }]);
  });

  test('following a log finds what another center kept', async () => {
    const { get, store, clock } = await aLogApi();
    const { seen, cancel } = reading(await get('?shard=0&follow=true'));
    await clock.settle();
    await store.keepOutput([aChunk({ execution: 'nightly@1', seq: 1 })]);
    await clock.advance(1_000);
    expect(linesOf(seen.text)).toHaveLength(1);
    await cancel();
  });

  test('following a log counts output that the cap left out as complete', async () => {
    const { get, keep, end, clock } = await aLogApi({ capBytes: 2_000 });
    for (let seq = 1; seq <= 40; seq++) await keep({ seq, text: 'x'.repeat(100) });
    end(0, 4_000);
    const { done } = reading(await get('?shard=0&follow=true'));
    await clock.settle();
    await done;
  });

  test('following a log ends when the center stops', async () => {
    const center = new AbortController();
    const { get, clock } = await aLogApi({ stopping: center.signal });
    const { done } = reading(await get('?follow=true'));
    await clock.settle();
    center.abort();
    await done;
  });

  test('following a log has a limit of concurrent followers', async () => {
    const { get, clock } = await aLogApi();
    const readings = [];
    for (let count = 0; count < 500; count++) readings.push(reading(await get('?follow=true')));
    expect((await get('?follow=true')).status).toBe(429);
    await readings[0]?.cancel();
    await clock.settle();
    expect((await get('?follow=true')).status).toBe(200);
  });
});
