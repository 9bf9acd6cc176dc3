/**
 * Runs per second of an app, by what a run gets of it: of one file and of 2,000, on a host that
 * does the best it can and on one that copies. Beside them, in
 * the same system, the same script without an app.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { aTgz } from '../agent/archives.ts';
import { aBareCluster } from './cluster.ts';
import { watchFinished } from './facts.ts';
import { atMost, type BenchResult, median, type Size } from './report.ts';

const JOBS = 4;
const SHARDS = 16;
const FILES = 2_000;
const SCRIPT = '#!/bin/sh\necho $TROUPE_EXECUTION\n';

export async function bench({ quick }: Size): Promise<BenchResult> {
  const figures: Record<string, number | string> = {};
  let failed = 0;
  for (const isolation of ['auto', 'copy']) {
    const measured = await measure(isolation, quick ? 256 : 1_024);
    figures[`${isolation} is`] = measured.isolation;
    for (const [what, perSecond] of Object.entries(measured.perSecond)) figures[`${isolation}, ${what}, runs/s`] = Math.round(perSecond);
    failed += measured.failed;
  }
  return { name: 'apps', judged: [atMost('runs that did not succeed', failed, 0, 'runs')], figures };
}

async function measure(isolation: string, runs: number) {
  const cluster = await aBareCluster({ cpus: 64, memoryMB: 1_000_000, env: { TROUPE_FILE_URLS: 'on' } });
  try {
    await cluster.startCenter();
    cluster.startAgent('bench', { env: { TROUPE_APP_ISOLATION: isolation } });
    await cluster.ready('bench');
    const [host] = (await cluster.call<{ items: { appIsolation: string }[] }>('GET', '/v1/hosts')).items;
    const job = { shards: { total: SHARDS }, resources: { cpus: 0.01, memoryMB: 1 } };
    for (let each = 0; each < JOBS; each++)
      await cluster.call('POST', '/v1/jobs', { name: `none${each}`, ...job, shell: true, command: 'echo $TROUPE_EXECUTION' });
    for (const [name, files] of [
      ['one', 1],
      ['many', FILES],
    ] as const) {
      const file = join(cluster.directory, `${name}.tgz`);
      const rest = Array.from({ length: files - 1 }, (_, at) => ({ name: `lib/${at}.txt`, content: `${at} `.repeat(100) }));
      writeFileSync(file, await aTgz([{ name: 'go.sh', mode: 0o755, content: SCRIPT }, ...rest]));
      await cluster.call('POST', '/v1/apps', { name, url: pathToFileURL(file).href, command: './go.sh' });
      for (let each = 0; each < JOBS; each++) await cluster.call('POST', '/v1/jobs', { name: `${name}${each}`, ...job, app: name });
    }
    const finished = await watchFinished(cluster.url);
    const perSecond: Record<string, number> = {};
    for (const [what, name, count] of [
      ['no app', 'none', runs],
      ['app of 1 file', 'one', runs],
      [`app of ${FILES} files`, 'many', runs / 4],
    ] as const) {
      const round = () => rate(cluster, finished, name, count);
      // The first fetches and unpacks.
      await round();
      perSecond[what] = median([await round(), await round(), await round()]);
    }
    finished.close();
    const bad = await cluster.all('/v1/executions?outcome=failed');
    return { isolation: host?.appIsolation ?? 'shared', perSecond, failed: bad.length };
  } finally {
    await cluster.close();
  }
}

/** Each job is triggered again as soon as its execution is done. */
async function rate(
  cluster: Awaited<ReturnType<typeof aBareCluster>>,
  finished: Awaited<ReturnType<typeof watchFinished>>,
  name: string,
  runs: number,
) {
  const began = performance.now();
  let left = runs / SHARDS;
  const again = async (job: number) => {
    while (left > 0) {
      left -= 1;
      const { execution } = await cluster.call<{ execution: string }>('POST', `/v1/jobs/${name}${job}/trigger`);
      await finished.of(execution);
    }
  };
  await Promise.all(Array.from({ length: JOBS }, (_, job) => again(job)));
  return (runs * 1_000) / (performance.now() - began);
}
