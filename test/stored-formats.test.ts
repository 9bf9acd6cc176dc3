/**
 * Stored data has a version and a fingerprint. Until the first release version 1 changes in place:
 * such a change alters the fingerprint here, and older data is refused.
 */
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { actors } from '../actors/index.ts';
import { machines } from '../actors/machines.ts';
import { AGENT_JOURNAL } from '../src/agent/journal-lines.ts';
import { KEEPER_JOURNAL } from '../src/protocol/keeper.ts';
import { openOrm } from '../src/store/mongo/connection.ts';
import { records } from '../src/store/mongo/entities.ts';
import { indexesOf, MONGO_SCHEMA } from '../src/store/mongo/schema.ts';
import { createSqliteStore } from '../src/store/sqlite/index.ts';
import { SQLITE_SCHEMA } from '../src/store/sqlite/upgrades.ts';
import { shapeOf, shortHash } from './support/shape.ts';

const directory = mkdtempSync(join(tmpdir(), 'troupe-formats-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** What the texts and documents of both stores hold. */
const DOCUMENTS = {
  'actors/types.ts': ['Contexts', 'Effect'],
  'src/runtime/document.ts': ['StoredState', 'PendingEffect'],
  'src/store/port.ts': ['Credential', 'HistoryFact', 'Occurrence'],
  'src/store/posted-log-port.ts': ['PostedLog'],
};

const documents = (): string => {
  const states = Object.entries(machines).map(([kind, machine]) => [kind, statesOf(machine as unknown as Node)]);
  return `${JSON.stringify(states)}\n${shapeOf(DOCUMENTS)}`;
};

interface Node {
  states: Record<string, Node>;
}
/** A snapshot names them. */
const statesOf = ({ states }: Node): unknown => Object.entries(states).map(([name, node]) => [name, statesOf(node)]);

async function tablesOfSqlite(): Promise<string> {
  await (await createSqliteStore({ directory })).close();
  const db = new DatabaseSync(join(directory, 'troupe.sqlite'), { readOnly: true });
  const made = db.prepare(`select sql from sqlite_master where sql is not null order by type, name`).all();
  db.close();
  return made.map(({ sql }) => sql).join('\n');
}

/** Each collection with its fields and indexes, as the ORM knows them. Nothing is connected. */
async function collectionsOfMongo(): Promise<string> {
  const orm = await openOrm('mongodb://127.0.0.1:1/formats');
  const known = orm.getMetadata();
  const collections = records.map(record => {
    const meta = known.get<object>(record.meta.class);
    const fields = meta.props.map(({ fieldNames, columnTypes, nullable = false }) => [fieldNames, columnTypes, nullable]);
    return [meta.collection, fields.toSorted(byText), indexesOf(record.meta).toSorted(byText)];
  });
  await orm.close();
  return JSON.stringify(collections.toSorted(byText));
}

const byText = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

/** Format, and what its fingerprint is computed from. */
const formats: [string, { version: number; fingerprint: string }, () => string | Promise<string>][] = [
  ['the database on SQLite', SQLITE_SCHEMA, async () => `${await tablesOfSqlite()}\n${documents()}`],
  [
    'the database on MongoDB',
    MONGO_SCHEMA,
    async () => `${await collectionsOfMongo()}\n${documents()}\n${shapeOf({ 'src/store/cluster-port.ts': ['OwnershipRecord'] })}`,
  ],
  ["the agent's journal", AGENT_JOURNAL, () => shapeOf({ 'src/agent/journal-lines.ts': ['Line'] })],
  [
    "the keeper's journal",
    KEEPER_JOURNAL,
    () => shapeOf({ 'src/keeper/journal.ts': ['JournalLine'], 'src/keeper/stored-chunks.ts': ['encodeHeader'] }),
  ],
];

describe('the fingerprint', () => {
  test.each(formats)(
    'the fingerprint of %s is that of what is stored now: take the received one over',
    async (_, { fingerprint }, shape) => {
      // Left the fingerprint of the stored form, right the declared one.
      expect(shortHash(await shape())).toBe(fingerprint);
    },
  );

  test('the fingerprint follows types through files, and neither their names nor limits and comments', () => {
    const line = shapeOf({ 'src/agent/journal-lines.ts': ['Line'] });
    expect(line).toContain('killGraceMs');
    expect(line).not.toMatch(/65536|ProcessSpec|from TERM/i);
    expect(shapeOf(DOCUMENTS)).toContain('failoverOnFailure:boolean');
  });
});

test('what is computed of MongoDB has fields and indexes, and no names of the program', async () => {
  const collections = await collectionsOfMongo();
  expect(collections).toContain('["credentials",[');
  expect(collections).toContain('[["nextDue"],["bigint"],true]');
  expect(collections).toContain('{"key":{"kind":1},"name":"credentials_kind"}');
  expect(collections).not.toMatch(/Record|Entity|Instant/);
});

test('every format and every machine has version 1 before the first release', () => {
  const machines = Object.values(actors);
  expect([...formats.map(([, { version }]) => version), ...machines.map(({ version }) => version)]).toEqual(
    [...formats, ...machines].map(() => 1),
  );
});
