/** Databases that another revision wrote, and upgrades. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { toNumber } from '../../src/lib/stored-format.ts';
import { makeBackup } from '../../src/store/sqlite/backup.ts';
import { createSqliteStore, createSqliteStoreWithWriter } from '../../src/store/sqlite/index.ts';
import { restoreBackup } from '../../src/store/sqlite/restore.ts';
import { assertReadable, prepareSqliteSchema } from '../../src/store/sqlite/schema.ts';
import { SQLITE_SCHEMA, type SqliteSchema } from '../../src/store/sqlite/upgrades.ts';
import { aWrite } from '../support/store-builders.ts';

let directory: string;
const file = () => join(directory, 'troupe.sqlite');
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'troupe-formats-'));
});
afterEach(() => rm(directory, { recursive: true }));

function onFile<T>(work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(file());
  try {
    return work(db);
  } finally {
    db.close();
  }
}
const tamper = (sql: string) => onFile(db => db.exec(sql));
const metaOf = (id: string) => onFile(db => db.prepare('select value from meta where _id = ?').get(id)?.value);
const { version, fingerprint } = SQLITE_SCHEMA;

/** As revisions before the first release made them. */
const META = 'create table meta (_id text not null primary key, value integer not null)';
const LATER = `${META}; create table actors (_id text not null primary key, kind text not null, partition integer not null, rev integer not null,
  incarnation integer not null, version integer not null, life text not null, quarantined integer not null, write_id text not null,
  state text not null, pending_effects text not null, next_due bigint, armed integer not null, has_pending integer not null, parent text, pool text,
  status text not null, outcome text, hosts json not null, at bigint not null);
  create table placements (host text not null, since integer not null, actor text not null, job text, primary key (host, since, actor)) without rowid;
  insert into actors values ('host/h1', 'host', 7, 1, 1, 2, 'live', 0, 'w', '{}', '[]', null, 0, 0, 'default', null, 'ready', null, '[]', 1)`;
const FIRST = `${META}; create table actors (_id text not null primary key, kind text not null, rev integer not null, state text not null);
  insert into actors values ('job/nightly', 'job', 1, '{}')`;
const version5 = `${LATER}; insert into meta values ('probe', 0), ('revision', 3), ('schemaVersion', 5)`;
const withoutFingerprint = `${FIRST}; insert into meta values ('probe', 0), ('schemaVersion', 1)`;
const withOther = `${withoutFingerprint}; insert into meta values ('schemaFingerprint', ${toNumber('0123456789ab')})`;

const ours = `this one reads version ${version} with fingerprint ${fingerprint} and changed nothing`;
const todo = 'start the center with an empty data directory, or start the revision that wrote it';
const older: [string, string, string][] = [
  ['of version 5', version5, 'format version 5 without a fingerprint, written by an older revision of Troupe'],
  ['of version 1 of another form', withoutFingerprint, 'format version 1 without a fingerprint, written by an older revision of Troupe'],
  [
    'of version 1 with another fingerprint',
    withOther,
    'format version 1 with fingerprint 0123456789ab, written by another revision of Troupe',
  ],
  ['whose first start was cut short', META, 'no format version without a fingerprint, written by an older revision of Troupe'],
];

/** All files but the lock, which has the last process. */
const contents = () =>
  new Map(
    readdirSync(directory)
      .filter(name => !name.startsWith('lock'))
      .map(name => [name, readFileSync(join(directory, name)).toString('base64')]),
  );

describe('a database of an older revision', () => {
  test.each(older)('a database of an older revision %s is refused with one sentence, and left as it was', async (_, sql, what) => {
    tamper(sql);
    const before = contents();
    const sentence = `"${file()}" has ${what}; ${ours}: ${todo}`;
    for (const open of [createSqliteStore, createSqliteStoreWithWriter]) await expect(open({ directory })).rejects.toThrow(sentence);
    await expect(makeBackup({ directory, file: join(directory, 'backup'), at: 1 })).rejects.toThrow(sentence);
    const elsewhere = join(directory, 'elsewhere');
    expect(() => restoreBackup({ file: file(), directory: elsewhere, overwrite: false })).toThrow(sentence);
    expect(contents()).toEqual(before);
  });

  test('a database of an older revision is refused while what it wrote lies in its log, and the log is left as it was', async () => {
    const writer = new DatabaseSync(file());
    writer.exec(`pragma journal_mode = wal; ${version5}`);
    const before = contents();
    expect([...before.keys()]).toContain('troupe.sqlite-wal');
    await expect(createSqliteStore({ directory })).rejects.toThrow('format version 5');
    const { 'troupe.sqlite-shm': _, ...after } = Object.fromEntries(contents());
    const { 'troupe.sqlite-shm': __, ...then } = Object.fromEntries(before);
    expect(after).toEqual(then);
    writer.close();
  });
});

test('row 24: a newer schema is refused, and the file left as it was', async () => {
  await (await createSqliteStore({ directory })).close();
  tamper(`update meta set value = 99 where _id = 'schemaVersion'`);
  const before = readFileSync(file());
  await expect(createSqliteStore({ directory })).rejects.toThrow(
    `format version 99 with fingerprint ${fingerprint}, written by a newer Troupe`,
  );
  expect(readFileSync(file()).equals(before)).toBe(true);
});

describe('an upgrade', () => {
  const next: SqliteSchema = {
    version: 3,
    fingerprint: 'ffffffffffff',
    upgrades: {
      2: { from: fingerprint, step: [`update actors set status = status || '+2' where status not like '%+2%'`] },
      3: {
        from: '222222222222',
        step: [`update actors set status = status || '+3' where status not like '%+3'`, 'drop index actors_newest'],
      },
    },
  };
  const statuses = () =>
    onFile(db =>
      db
        .prepare('select status from actors')
        .all()
        .map(({ status }) => status),
    );
  beforeEach(async () => {
    const store = await createSqliteStore({ directory });
    await store.commit([aWrite({ address: 'job/a', index: { status: 'idle' } })]);
    await store.close();
  });

  test('an upgrade runs every step in order, and the database is of the new form', async () => {
    await prepareSqliteSchema(file(), next);
    expect(statuses()).toEqual(['idle+2+3']);
    expect([metaOf('schemaVersion'), metaOf('schemaFingerprint')]).toEqual([3, toNumber(next.fingerprint)]);
    await prepareSqliteSchema(file(), next);
    expect(statuses()).toEqual(['idle+2+3']);
    await expect(prepareSqliteSchema(file())).rejects.toThrow('written by a newer Troupe');
  });

  test('an upgrade runs again where it was cut short before its end', async () => {
    const broken = { ...next, upgrades: { ...next.upgrades, 3: { from: '2', step: ['no such statement'] } } };
    await expect(prepareSqliteSchema(file(), broken)).rejects.toThrow();
    expect([statuses(), metaOf('schemaVersion')]).toEqual([['idle+2'], version]);
    await prepareSqliteSchema(file(), next);
    expect([statuses(), metaOf('schemaVersion')]).toEqual([['idle+2+3'], 3]);
  });

  test('an upgrade is for the form that was released, and for no other of the same version', async () => {
    tamper(`update meta set value = 7 where _id = 'schemaFingerprint'`);
    const before = readFileSync(file());
    await expect(prepareSqliteSchema(file(), next)).rejects.toThrow(
      'format version 1 with fingerprint 000000000007, written by another revision',
    );
    expect(readFileSync(file()).equals(before)).toBe(true);
  });

  test('an upgrade needs every step on its way', async () => {
    const gap = { ...next, upgrades: { 3: { from: fingerprint, step: [] } } };
    await expect(prepareSqliteSchema(file(), gap)).rejects.toThrow('format version 1');
    expect(statuses()).toEqual(['idle']);
  });

  test('an upgrade waits for the center: a backup of the form of before is not taken for one of this', () => {
    expect(() => assertReadable(file(), next)).toThrow('start its center once, which upgrades it');
    expect(metaOf('schemaVersion')).toBe(version);
  });
});
