/**
 * The embedded store when its process is killed, or another one opens its directory. Real
 * processes, real SIGKILL.
 */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { PublishedFact } from '../../src/store/port.ts';
import { createSqliteStore, DataDirectoryLocked } from '../../src/store/sqlite/index.ts';
import { WRITTEN } from '../support/store-writer.ts';

const WRITER = join(import.meta.dir, '../support/store-writer.ts');

describe('the sqlite store', () => {
  let directory: string;
  let children: ChildProcess[];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'troupe-crash-'));
    children = [];
  });
  afterEach(async () => {
    for (const child of children) await kill(child);
    await rm(directory, { recursive: true });
  });

  const aWriter = (...flags: string[]) => {
    const child = spawn(process.execPath, [WRITER, directory, ...flags], { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    return child;
  };

  test('row 1: the sqlite store killed in the middle of commits keeps all that was acknowledged, each commit whole or not at all', async () => {
    let feedBefore = 0;
    for (const acknowledgedMin of [5, 60, 23]) {
      const writer = aWriter();
      const printed: string[] = [];
      const lines = createInterface({ input: writer.stdout as NonNullable<typeof writer.stdout> });
      const allRead = once(lines, 'close');
      lines.on('line', line => {
        printed.push(line);
        if (printed.length === acknowledgedMin) writer.kill('SIGKILL');
      });
      await allRead;
      expect(printed.length).toBeGreaterThanOrEqual(acknowledgedMin);
      const acknowledged = Number(printed.at(-1));

      const store = await createSqliteStore({ directory });
      const documents = await Promise.all(WRITTEN.map(address => store.load(address)));
      const [rev = 0, ...others] = new Set(documents.map(document => document?.rev));
      expect(others).toEqual([]);
      expect([acknowledged, acknowledged + 1]).toContain(rev);
      expect(documents.map(document => document?.state)).toEqual(documents.map(() => JSON.stringify({ rev, pad: 'x'.repeat(2_000) })));
      expect(await store.pending({ limit: 99 })).toHaveLength(WRITTEN.length);
      expect((await store.due({ until: rev, limit: 99 })).map(timer => timer.nextDue)).toEqual(WRITTEN.map(() => rev));

      const { facts } = await store.facts({ limit: 100_000 });
      expect(facts.map(({ address, rev }) => `${address}:${rev}`)).toEqual(expectedFeed(rev));
      expect(new Set(facts.map((fact: PublishedFact) => fact.cursor)).size).toBe(facts.length);
      expect(facts.length).toBeGreaterThan(feedBefore);
      feedBefore = facts.length;
      await store.close();
    }
  });

  test('the sqlite store refuses a directory another process holds, naming both, until that one is killed', async () => {
    const holder = aWriter('hold');
    await once(createInterface({ input: holder.stdout as NonNullable<typeof holder.stdout> }), 'line');

    const refused = await createSqliteStore({ directory }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(DataDirectoryLocked);
    expect(refused).toMatchObject({ code: 'dataDirectoryLocked', directory, pid: holder.pid });
    expect(String(refused)).toContain(`"${directory}" is in use by the process with pid ${holder.pid}`);

    await kill(holder);
    const store = await createSqliteStore({ directory });
    await store.probe();
    await store.close();
  });

  test('the sqlite store refuses a directory this very process holds, until it is closed', async () => {
    const store = await createSqliteStore({ directory });
    await expect(createSqliteStore({ directory })).rejects.toMatchObject({ code: 'dataDirectoryLocked', pid: process.pid });
    await expect(createSqliteStore({ directory })).rejects.toBeInstanceOf(DataDirectoryLocked);
    await store.probe();
    await store.close();
    await (await createSqliteStore({ directory })).close();
  });
});

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

function expectedFeed(rev: number): string[] {
  return Array.from({ length: rev }, (_, i) => WRITTEN.map(address => `${address}:${i + 1}`)).flat();
}
