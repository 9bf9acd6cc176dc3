/**
 * Failure row 12, through the front door: the center's disk is full, then it is not. And one whose
 * files are taken away.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { aRealHouse, type House, isAlive, until } from '../support/house.ts';

setDefaultTimeout(120_000);

let house: House;
let mounted: string | undefined;
afterEach(async () => {
  await house.killCenter();
  if (mounted) execFileSync('umount', ['-l', mounted]);
  mounted = undefined;
  await house.close();
});

function aSmallDisk(at: string): boolean {
  mkdirSync(at, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', at], { stdio: 'ignore' });
    mounted = at;
    return true;
  } catch {
    console.warn('no right to mount a tmpfs: the full disk behind the front door was not tested (the store has a stand-in of its own)');
    return false;
  }
}

describe('a center whose disk is full', () => {
  test('row 12: answers 503, lets nothing leave, and goes on by itself when there is room again', async () => {
    house = await aRealHouse();
    const data = join(house.directory, 'center');
    if (!aSmallDisk(data)) return;
    await house.startCenter();
    house.startAgent('a1');
    await house.ready('a1');
    const mark = join(house.directory, 'ran');
    await house.call('POST', '/v1/jobs', { name: 'mark', command: ['sh', '-c', `echo ran >> ${mark}`] });

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
    const trigger = () => fetch(`${house.url}/v1/jobs/mark/trigger`, { method: 'POST' });
    let accepted = 0;
    let refused: Response | undefined;
    // What the log of the database has room for already may still go through, and what is moved out
    // of it makes room again.
    await until('the store refuses', async () => {
      const answer = await trigger();
      if (answer.status === 202) accepted += 1;
      else refused = answer;
      takeTheRest();
      return answer.status === 503 && (await fetch(`${house.url}/v1/ready`)).status === 503;
    });
    expect(refused?.headers.get('retry-after')).toBeTruthy();
    expect((await fetch(`${house.url}/v1/health`)).status).toBe(200);

    rmSync(join(data, 'ballast'));
    await until('it serves again', async () => (await fetch(`${house.url}/v1/ready`)).ok);
    expect((await trigger()).status).toBe(202);
    await until('all is done', async () =>
      (await house.all<{ status: string }>('/v1/executions?job=mark')).every(each => each.status === 'done'),
    );
    const executions = await house.all<{ outcome: string }>('/v1/executions?job=mark');
    expect(executions.every(each => each.outcome === 'succeeded')).toBe(true);
    const ran = (await Bun.file(mark).text()).trim().split('\n').length;
    expect(ran).toBe(executions.length);
    // Further triggers join the one that waits, so there are at most as many executions as answers.
    expect(executions.length).toBeLessThanOrEqual(accepted + 1);
  });
});

describe('a center whose data directory is removed', () => {
  test('accepts nothing more, says why, and ends as failed, whether it is used or not', async () => {
    house = await aRealHouse({ env: { TROUPE_STORE: 'sqlite' } });
    await house.startCenter();
    await house.call('POST', '/v1/jobs', { name: 'mark', command: 'true' });
    const data = join(house.directory, 'center');
    rmSync(data, { recursive: true });
    mkdirSync(data);
    writeFileSync(join(data, 'of somebody else'), '');
    const answer = await fetch(`${house.url}/v1/jobs/mark/trigger`, { method: 'POST' }).catch(() => undefined);
    expect([503, undefined]).toContain(answer?.status);
    await until('it has ended', () => !isAlive(house.centerPid), 5_000);
    expect(await house.stopCenter()).toBe(1);
    expect(readFileSync(join(house.directory, 'center.log'), 'utf8')).toMatch(/the center cannot go on .*was removed or moved away/);
    expect(readdirSync(data)).toEqual(['of somebody else']);
  });
});
