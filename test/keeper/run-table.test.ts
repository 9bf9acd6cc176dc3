/**
 * Which processes are found, by a process table that a test wrote: numbers and states that a real
 * host has only now and then.
 */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessTree } from '../../src/keeper/ports.ts';
import { createProcessTable, type ProcessTablePorts, TAG_VARIABLE } from '../../src/keeper/process-tree.ts';
import { tempDir } from '../support/temp-dir.ts';

let proc: string;
beforeEach(() => {
  proc = tempDir('proc');
});
afterEach(() => rmSync(proc, { recursive: true, force: true }));

const keeper = process.pid;

/** A child of the keeper in the table, with the tag of a run. */
function aChild(pid: number, { tag, state = 'S', parent = keeper }: { tag: string; state?: string; parent?: number }): void {
  mkdirSync(join(proc, String(pid)), { recursive: true });
  const fields = [state, parent, pid, pid, ...Array.from({ length: 15 }, () => 0), 100 + pid, 0, 0];
  writeFileSync(join(proc, String(pid), 'stat'), `${pid} (a) b) ${fields.join(' ')}`);
  writeFileSync(join(proc, String(pid), 'environ'), `PATH=/bin\0${TAG_VARIABLE}=${tag}\0`);
}

/** A keeper that adopts orphans, whose children are these. */
function aProcessTable(children: number[], differs: Partial<ProcessTablePorts> = {}) {
  mkdirSync(join(proc, 'self', 'task', String(keeper)), { recursive: true });
  writeFileSync(join(proc, 'self', 'task', String(keeper), 'children'), children.map(pid => `${pid} `).join(''));
  return createProcessTable({ native: undefined, adopts: true, direct: new Map(), isOurs: () => true, proc, ...differs });
}

const tree: ProcessTree = { tag: '7', pid: 5000, startTicks: null };
const pids = (entries: { pid: number }[]) => entries.map(({ pid }) => pid).sort((a, b) => a - b);

describe('a look at the process table', () => {
  test.each([1, 9, 10, 90, 99, 9_123, 19_999, 99_999, 900_000])(
    'a look at the process table finds what a run left behind as process %p',
    async pid => {
      aChild(pid, { tag: '7' });
      aChild(4, { tag: '8' });
      expect(pids(await aProcessTable([4, pid]).find(tree))).toEqual([pid]);
      // Also where nothing is sure, for the runs of a keeper that died.
      expect(pids(await aProcessTable([4, pid], { isOurs: () => false }).find(tree))).toEqual([pid]);
    },
  );

  test('a look at the process table finds the descendants of a run', async () => {
    aChild(901, { tag: '7' });
    aChild(902, { tag: '7', parent: 901 });
    expect(pids(await aProcessTable([901]).find(tree))).toEqual([901, 902]);
  });

  test('a look at the process table finds nothing where only other runs have processes', async () => {
    aChild(901, { tag: '8' });
    expect(await aProcessTable([901]).find(tree)).toEqual([]);
  });

  test('a look at the process table comes to an end where a child has ended and cannot be reaped, and does not call the tree gone', async () => {
    aChild(901, { tag: '7', state: 'Z' });
    expect(pids(await aProcessTable([901]).find(tree))).toEqual([901]);
  });

  test('a look at the process table comes to an end where a child is listed and not in the table', async () => {
    expect(pids(await aProcessTable([901]).find(tree))).toEqual([901]);
  });

  test('a look at the process table comes to an end where the end of the first process is not reported though it is gone', async () => {
    const direct = new Map([[5000, { tag: '7', startTicks: null }]]);
    expect(pids(await aProcessTable([], { direct }).find(tree))).toEqual([5000]);
  });

  test('a look at the process table leaves another run alone that has been given the number of the first process', async () => {
    aChild(5000, { tag: '8' });
    const table = aProcessTable([5000], { direct: new Map([[5000, { tag: '8', startTicks: null }]]) });
    for (const startTicks of [1, null]) expect(await table.find({ ...tree, startTicks })).toEqual([]);
    // Nor is a number enough for the runs of a keeper that died.
    expect(await aProcessTable([5000], { isOurs: () => false }).find(tree)).toEqual([]);
  });
});
