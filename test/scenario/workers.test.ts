/**
 * A worker of the center dies, throws or hangs: another one takes its partitions over, and the rest
 * goes on (failures, row 2).
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../src/config/center.ts';
import { type RunningCenter, startCenter } from '../../src/main.ts';
import { partitionOf } from '../../src/runtime/partition.ts';
import { breakWorker } from '../support/breaking.ts';
import { until } from '../support/cluster.ts';

const WORKERS = 3;
const directory = mkdtempSync(join(tmpdir(), 'troupe-workers-'));
const logged: string[] = [];
const note = (text: string) => void logged.push(text);
let center: RunningCenter;
let url = '';

/** A job per worker, by the partition its name falls into. */
const jobOf = (worker: number): string => {
  for (let each = 0; ; each++) {
    const name = `job${each}`;
    if (Math.floor((partitionOf(`job/${name}`) * WORKERS) / 256) === worker) return name;
  }
};
const jobs = [0, 1, 2].map(jobOf);
const [broken = '', ...others] = jobs;

async function call(method: string, path: string, body?: unknown): Promise<{ status: number; answer: Record<string, unknown> }> {
  const response = await fetch(`${url}${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  return { status: response.status, answer: text === '' ? {} : JSON.parse(text) };
}
const rename = (job: string, parameter: string) => call('PATCH', `/v1/jobs/${job}`, { parameter });

beforeAll(async () => {
  center = await startCenter({
    config: readConfig({
      env: {
        TROUPE_DATA: directory,
        TROUPE_LISTEN: '127.0.0.1:0',
        TROUPE_AUTH: 'off',
        TROUPE_WORKERS: String(WORKERS),
      },
    }),
    log: { debug: note, info: note, warn: note, error: note },
    workerScript: new URL('../support/breakable-worker.ts', import.meta.url).href,
  });
  url = center.urls[0] ?? '';
  for (const job of jobs) expect((await call('POST', '/v1/jobs', { name: job, command: ['true'] })).status).toBe(201);
});

afterAll(async () => {
  await center.stop();
  rmSync(directory, { recursive: true, force: true });
});

describe.each(['exit', 'throw', 'loop'] as const)('row 2: a worker that is broken by %s', how => {
  test('a broken worker is replaced, with everything that was committed, while the others go on', async () => {
    expect((await rename(broken, `before ${how}`)).status).toBe(200);
    const received = logged.length;
    breakWorker({ partition: partitionOf(`job/${broken}`), how });
    // Whether the first ones still find the old worker or none, they are answered once there is a
    // new one; the others never wait for it.
    let served = 0;
    await until('the center says that partitions are down', async () => {
      for (const job of others) {
        expect((await rename(job, `while ${how} ${served}`)).status).toBe(200);
        served += 1;
      }
      const { status, answer } = await call('GET', '/v1/ready');
      if (status === 503) expect(JSON.stringify(answer)).toMatch(/partitions 0 to 84 are being taken over by a new worker/);
      return status === 503 || logged.slice(received).some(text => text.includes('are served again'));
    });
    expect(served).toBeGreaterThan(0);
    await until('they are served again', async () => (await call('GET', '/v1/ready')).status === 200);
    expect((await call('GET', `/v1/jobs/${broken}`)).answer).toMatchObject({ parameter: `before ${how}` });
    expect((await rename(broken, `after ${how}`)).answer).toMatchObject({ parameter: `after ${how}` });
    const what = { exit: 'it ended by itself', throw: 'broken on purpose', loop: 'it did not answer for 5000 ms' }[how];
    expect(
      logged
        .slice(received)
        .filter(text => text.includes('are being taken over'))
        .join(),
    ).toContain(what);
  });
});
