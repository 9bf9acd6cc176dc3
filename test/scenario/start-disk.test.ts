/**
 * Failure row 12 at the start: a center on a full or read-only disk waits, reports it, and serves
 * once that is over.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { aCluster, type Cluster, isAlive, until } from '../support/cluster.ts';

setDefaultTimeout(60_000);

let cluster: Cluster;
let mounted: string | undefined;
const data = () => join(cluster.directory, 'center');
afterEach(async () => {
  await cluster.killCenter();
  if (mounted) execFileSync('umount', ['-l', mounted]);
  mounted = undefined;
  await cluster.close();
});

const mount = (...options: string[]) => execFileSync('mount', [...options, data()], { stdio: 'ignore' });

function aSmallDisk(): boolean {
  mkdirSync(data(), { recursive: true });
  try {
    mount('-t', 'tmpfs', '-o', 'size=8m', 'tmpfs');
    mounted = data();
    return true;
  } catch {
    console.warn('no right to mount a tmpfs: the start on a full or read-only disk was not tested');
    return false;
  }
}

const ballast = () => join(data(), 'ballast');
function fill(): void {
  const { bavail, bsize } = statfsSync(data());
  appendFileSync(ballast(), Buffer.alloc(bavail * bsize));
}

/** Starts, sees it wait because of `reason`, ends that by `mend`, and sees it serve. */
async function waitsFor(reason: RegExp, mend: () => void): Promise<void> {
  const serves = cluster.startCenter();
  let logged: { status: number; message: string } | undefined;
  await until('it says why it waits', async () => {
    const answer = await fetch(`${cluster.url}/v1/ready`).catch(() => undefined);
    if (!answer) return false;
    logged = { status: answer.status, message: ((await answer.json()) as { error?: { message: string } }).error?.message ?? '' };
    return true;
  });
  expect(logged?.status).toBe(503);
  expect(logged?.message).toMatch(reason);
  expect(await (await fetch(`${cluster.url}/v1/health`)).json()).toEqual({ status: 'ok' });
  expect((await fetch(`${cluster.url}/v1/jobs`)).headers.get('retry-after')).toBeTruthy();
  expect(isAlive(cluster.centerPid)).toBe(true);
  expect(readFileSync(join(cluster.directory, 'center.log'), 'utf8')).toMatch(/the start waits for the store/);
  mend();
  await serves;
}

describe('a center that starts on a disk without room', () => {
  test('row 12: a center that starts on a disk without room waits at its first start, at a later one, and where the disk is read-only, and serves once that is over', async () => {
    cluster = await aCluster({ env: { TROUPE_STORE: 'sqlite' } });
    if (!aSmallDisk()) return;
    fill();
    await waitsFor(/the (disk of data directory ".*"|database) is full/, () => rmSync(ballast()));
    await cluster.call('POST', '/v1/jobs', { name: 'kept', command: 'true' });

    await cluster.killCenter();
    fill();
    await waitsFor(/the (disk of data directory ".*"|database) is full/, () => rmSync(ballast()));
    expect((await cluster.call<{ name: string }>('GET', '/v1/jobs/kept')).name).toBe('kept');

    expect(await cluster.stopCenter()).toBe(0);
    mount('-o', 'remount,ro');
    await waitsFor(/is on a read-only file system/, () => mount('-o', 'remount,rw'));
    expect((await cluster.call<{ name: string }>('GET', '/v1/jobs/kept')).name).toBe('kept');
  });

  test('a center that starts on a disk without room ends when it is asked to while it waits', async () => {
    cluster = await aCluster({ env: { TROUPE_STORE: 'sqlite' } });
    if (!aSmallDisk()) return;
    fill();
    const serves = cluster.startCenter().catch((error: unknown) => String(error));
    await until('it waits', async () => (await fetch(`${cluster.url}/v1/ready`).catch(() => undefined))?.status === 503);
    expect(await cluster.stopCenter()).toBe(143);
    expect(await serves).toContain('ended before it served');
  });
});
