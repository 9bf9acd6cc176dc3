/**
 * The keeper's journal has a version of its form; the keeper leaves a journal of another revision
 * alone.
 */
import { describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SpoolRecord } from '../../src/keeper/ports.ts';
import { createFileSpool } from '../../src/keeper/spool.ts';
import { KEEPER_JOURNAL, keeperDirectory } from '../../src/protocol/keeper.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { tempDir } from '../support/temp-dir.ts';

const clock = createManualClock();
const { version, fingerprint } = KEEPER_JOURNAL;
const HEAD = `{"keeper":${version},"fingerprint":"${fingerprint}"}`;
const todo = 'start the agent with an empty data directory, or start the revision that wrote it';

const aRecord = (run: string): SpoolRecord => {
  const counters = { stdoutBytes: 0, stderrBytes: 0, stdoutLeftOut: 0, stderrLeftOut: 0, lastSeq: 0 };
  const open = { pid: null, endedAt: null, cause: null, exitCode: null, signal: null, reason: null };
  const status = { run, state: 'running', startedAt: 1, ...open, ...counters } as const;
  return { status, tree: { tag: 't', pid: null, startTicks: null }, bootId: 'b', killGraceMs: 1 };
};

const journalOf = (directory: string) => readFileSync(join(directory, 'journal'), 'utf8');

/** Every file below, to the byte. */
const contents = (directory: string) =>
  new Map(
    readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter(name => !name.endsWith('agent.lock') && statSync(join(directory, name)).isFile())
      .map(name => [name, readFileSync(join(directory, name), 'base64')]),
  );

describe('a journal of this revision', () => {
  test('a journal of this revision begins with its form, and is read again', () => {
    const directory = tempDir('spool');
    createFileSpool({ directory, clock }).write(aRecord('a'));
    expect(journalOf(directory).split('\n')[0]).toBe(HEAD);
    const again = createFileSpool({ directory, clock });
    expect(again.records().map(({ status }) => status.run)).toEqual(['a']);
    expect(journalOf(directory).match(/"fingerprint"/g)).toHaveLength(1);
  });

  test('a journal of this revision begins with its form where the disk was full when it was made', () => {
    const directory = tempDir('spool');
    symlinkSync('/dev/full', join(directory, 'journal.new'));
    const spool = createFileSpool({ directory, clock });
    expect(journalOf(directory)).toBe('');
    expect(spool.write(aRecord('a'))).toBe(true);
    expect(journalOf(directory).split('\n')[0]).toBe(HEAD);
    expect(createFileSpool({ directory, clock }).records()).toHaveLength(1);
  });

  test('a journal of this revision may end in a line that a crash tore, be it the first', () => {
    const directory = tempDir('spool');
    writeFileSync(join(directory, 'journal'), HEAD.slice(0, 9));
    expect(createFileSpool({ directory, clock }).records()).toEqual([]);
    expect(journalOf(directory)).toBe(`${HEAD}\n`);
  });
});

const older: [string, string, string][] = [
  ['without a version', JSON.stringify({ record: aRecord('a') }), 'no format version without a fingerprint, written by an older revision'],
  ['without a version, and long', `{"output":"${'x'.repeat(9_000)}","tag":"t"}`, 'no format version without a fingerprint'],
  [
    'of version 1 of another form',
    '{"keeper":1,"fingerprint":"0123456789ab"}',
    '1 with fingerprint 0123456789ab, written by another revision',
  ],
  ['of a newer version', '{"keeper":2,"fingerprint":"0123456789ab"}', '2 with fingerprint 0123456789ab, written by a newer Troupe'],
];

describe('a data directory of another revision', () => {
  test.each(older)(
    'a data directory of another revision with a journal of the keeper %s is refused, and left as it was',
    (_, head, what) => {
      const directory = tempDir('spool');
      writeFileSync(join(directory, 'journal'), `${head}\n`);
      const before = contents(directory);
      const open = () => createFileSpool({ directory, clock });
      expect(open).toThrow(what);
      const ours = `this one reads version ${version} with fingerprint ${fingerprint} and changed nothing`;
      expect(open).toThrow(`${ours}: ${todo}`);
      expect(contents(directory)).toEqual(before);
      expect(readdirSync(directory)).toEqual(['journal']);
    },
  );

  /** The program itself, which reaches no center. */
  const agent = (data: string) => {
    const args = ['src/cli/main.ts', 'agent', '--data', data, '--center', 'ws://127.0.0.1:1', '--name', 'old'];
    return spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 30_000 });
  };
  const aDataDirectory = (journal: string, keeper: string) => {
    const data = tempDir('agent');
    mkdirSync(keeperDirectory(data));
    writeFileSync(join(data, 'journal.jsonl'), journal);
    writeFileSync(join(keeperDirectory(data), 'journal'), keeper);
    return data;
  };

  test.each([
    ["the agent's journal", '{"journal":1}\n{"nextId":4}\n', ''],
    ["the keeper's journal", '', `${JSON.stringify({ record: aRecord('a') })}\n`],
  ])('a data directory with %s of another revision ends the agent at its start with one sentence', (whose, journal, keeper) => {
    const data = aDataDirectory(journal, keeper);
    const before = contents(data);
    const { status, stderr } = agent(data);
    expect(stderr).toContain(whose);
    expect(stderr).toContain('written by an older revision of Troupe');
    expect(stderr).toContain(todo);
    expect(status).toBe(1);
    expect(contents(data)).toEqual(before);
  });
});
