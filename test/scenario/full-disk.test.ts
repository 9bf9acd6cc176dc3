/**
 * Failure row 12, through the API: the center's disk is full, then it is not. And one whose
 * files are taken away.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { aCluster, type Cluster, isAlive, until } from '../support/cluster.ts';

setDefaultTimeout(120_000);

let cluster: Cluster;
let mounted: string | undefined;
afterEach(async () => {
  await cluster.killCenter();
  if (mounted) execFileSync('umount', ['-l', mounted]);
  mounted = undefined;
  await cluster.close();
});

function aSmallDisk(at: string): boolean {
  mkdirSync(at, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', at], { stdio: 'ignore' });
    mounted = at;
    return true;
  } catch {
    console.warn('no right to mount a tmpfs: the full disk through the API was not tested (the store has a stand-in of its own)');
    return false;
  }
}

describe('a center whose disk is full', () => {
  test('row 12: a center whose disk is full answers 503, lets nothing leave, and goes on by itself when there is room again', async () => {
    cluster = await aCluster();
    const data = join(cluster.directory, 'center');
    if (!aSmallDisk(data)) return;
    await cluster.startCenter();
    cluster.startAgent('a1');
    await cluster.ready('a1');
    const mark = join(cluster.directory, 'ran');
    await cluster.call('POST', '/v1/jobs', { name: 'mark', command: ['sh', '-c', `echo ran >> ${mark}`] });

    const takeTheRest = () => {
      const { bavail, bsize } = statfsSync(data);
      try {
        appendFileSync(join(data, 'ballast'), Buffer.alloc(bavail * bsize));
      } catch (error) {
        // The center took some of it between the look and the write: then the disk is just as full.
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    };
    takeTheRest();
    const trigger = () => fetch(`${cluster.url}/v1/jobs/mark/trigger`, { method: 'POST' });
    let accepted = 0;
    let refused: Response | undefined;
    // Writes that fit into the present log may still succeed, and a checkpoint of the log frees
    // space again.
    await until('the store refuses', async () => {
      const answer = await trigger();
      if (answer.status === 202) accepted += 1;
      else refused = answer;
      takeTheRest();
      return answer.status === 503 && (await fetch(`${cluster.url}/v1/ready`)).status === 503;
    });
    expect(refused?.headers.get('retry-after')).toBeTruthy();
    expect((await fetch(`${cluster.url}/v1/health`)).status).toBe(200);

    rmSync(join(data, 'ballast'));
    await until('it serves again', async () => (await fetch(`${cluster.url}/v1/ready`)).ok);
    expect((await trigger()).status).toBe(202);
    await until('all is done', async () =>
      (await cluster.all<{ status: string }>('/v1/executions?job=mark')).every(each => each.status === 'done'),
    );
    const executions = await cluster.all<{ outcome: string }>('/v1/executions?job=mark');
    expect(executions.every(each => each.outcome === 'succeeded')).toBe(true);
    const ran = (await Bun.file(mark).text()).trim().split('\n').length;
    expect(ran).toBe(executions.length);
    // Further triggers join the one that waits, so there are at most as many executions as answers.
    expect(executions.length).toBeLessThanOrEqual(accepted + 1);
  });
});

describe('a center whose data directory is removed', () => {
  test('a center whose data directory is removed accepts nothing more, reports why, and ends as failed, whether it is used or not', async () => {
    cluster = await aCluster({ env: { TROUPE_STORE: 'sqlite' } });
    await cluster.startCenter();
    await cluster.call('POST', '/v1/jobs', { name: 'mark', command: 'true' });
    const data = join(cluster.directory, 'center');
    rmSync(data, { recursive: true });
    mkdirSync(data);
    writeFileSync(join(data, 'of somebody else'), '');
    const answer = await fetch(`${cluster.url}/v1/jobs/mark/trigger`, { method: 'POST' }).catch(() => undefined);
    expect([503, undefined]).toContain(answer?.status);
    await until('it has ended', () => !isAlive(cluster.centerPid), 5_000);
    expect(await cluster.stopCenter()).toBe(1);
    expect(readFileSync(join(cluster.directory, 'center.log'), 'utf8')).toMatch(/the center cannot go on .*was removed or moved away/);
    expect(readdirSync(data)).toEqual(['of somebody else']);
  });
});
