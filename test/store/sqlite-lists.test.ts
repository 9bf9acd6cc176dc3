/** Lists on SQLite: whatever filters come together, an index leads to the page. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { listCursor } from '../../src/store/cursor.ts';
import type { ListQuery } from '../../src/store/port.ts';
import { createSqliteStore } from '../../src/store/sqlite/index.ts';
import { questionsOf } from '../../src/store/sqlite/list.ts';
import { aWrite } from '../support/store-builders.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'troupe-lists-'));
});
afterEach(() => rm(directory, { recursive: true }));

const onFile = <T>(work: (db: DatabaseSync) => T): T => {
  const db = new DatabaseSync(join(directory, 'troupe.sqlite'));
  try {
    return work(db);
  } finally {
    db.close();
  }
};

/** Every choice of some of the filters. */
const choicesOf = <T extends object>(filters: T[]): T[] =>
  filters.reduce<T[]>((some, filter) => some.concat(some.map(chosen => ({ ...chosen, ...filter }))), [{} as T]);

const after = (kind: string, order: 'newest' | 'name') => listCursor(order, { at: 9, address: `${kind}/m` });
const filters: Record<string, Partial<ListQuery>[]> = {
  execution: [
    { parent: 'j' },
    { status: ['running'] },
    { status: ['pending', 'done'] },
    { outcome: ['failed'] },
    { outcome: ['succeeded', 'lost'] },
    { host: 'h' },
    { from: 1 },
    { to: 10 },
    { cursor: after('execution', 'newest') },
  ],
  job: [
    { parent: 'a' },
    { pool: 'p' },
    { alias: 'i' },
    { group: 'g' },
    { text: 'n' },
    { states: [{ status: 'idle', outcome: [null] }, { status: 'disabled' }] },
    { status: ['quarantined'] },
    { status: ['idle', 'running'] },
    { outcome: ['failed'] },
    { prefix: 'n' },
    { cursor: after('job', 'name') },
  ],
  host: [{ parent: 'p' }, { status: ['ready', 'lost'] }, { cursor: after('host', 'name') }],
  app: [{ status: ['enabled'] }, { cursor: after('app', 'name') }],
  pool: [{ cursor: after('pool', 'name') }],
};

/** What SQLite would do, without the texts of lists that come as one parameter. */
const planOf = (db: DatabaseSync, query: ListQuery, hasManyChildren = false, want?: 'count' | 'positions'): string[] =>
  questionsOf(query, hasManyChildren, want).flatMap(({ sql, values }) =>
    db
      .prepare(`explain query plan ${sql}`)
      .all(...values)
      .map(row => String(row.detail))
      .filter(detail => !/json_each|^LIST SUBQUERY|^CORRELATED|BLOOM FILTER/.test(detail)),
  );

describe('the plan of a list', () => {
  test('the plan of a list is a search in the order of the list, whatever is asked for together', async () => {
    await (await createSqliteStore({ directory })).close();
    onFile(db => {
      const wrong = Object.entries(filters).flatMap(([kind, its]) =>
        choicesOf(its).flatMap(chosen => {
          const query: ListQuery = { kind, limit: 50, order: kind === 'execution' ? 'newest' : 'name', ...chosen };
          return [...planOf(db, query), ...planOf(db, query, true)]
            .filter(detail => /^SCAN|TEMP B-TREE/.test(detail) || !detail.includes('SEARCH'))
            .map(detail => [query, detail]);
        }),
      );
      expect(wrong).toEqual([]);
    });
  });

  const begins: [Partial<ListQuery> & { kind: string }, string][] = [
    [{ kind: 'execution', parent: 'j', outcome: ['succeeded'] }, 'executions_parent (parent=?'],
    [{ kind: 'execution', parent: 'j', from: 1, to: 5 }, 'executions_parent (parent=? AND at>? AND at<?'],
    [{ kind: 'execution', parent: 'j', status: ['running'] }, 'executions_status (status=?'],
    [{ kind: 'execution', outcome: ['failed'] }, 'executions_outcome (outcome=?'],
    [
      { kind: 'execution', outcome: ['failed'], host: 'h', to: 9 },
      'SEARCH failed_placements USING PRIMARY KEY (host=? AND ended=? AND since<?',
    ],
    [{ kind: 'execution', outcome: ['failed'], host: 'h', parent: 'j' }, 'SEARCH failed_placements USING PRIMARY KEY (host=? AND ended=?'],
    [{ kind: 'execution', outcome: ['failed'], parent: 'j', from: 1 }, 'executions_failed (parent=? AND outcome=? AND at>?'],
    [{ kind: 'execution', outcome: ['succeeded'], host: 'h' }, 'SEARCH placements USING PRIMARY KEY (host=?'],
    [{ kind: 'execution', host: 'h', from: 1 }, 'SEARCH placements USING PRIMARY KEY (host=? AND since>?'],
    [{ kind: 'execution', host: 'h', cursor: after('execution', 'newest') }, 'PRIMARY KEY (host=? AND (since,actor)<(?,?)'],
    [{ kind: 'execution', order: 'ended', parent: 'j' }, 'executions_ended (parent=? AND ended_at>?'],
    [
      { kind: 'execution', order: 'ended', parent: 'j', outcome: ['failed'], from: 1, to: 9 },
      'executions_ended (parent=? AND ended_at>? AND ended_at<?',
    ],
    [{ kind: 'job', order: 'name', status: ['quarantined'] }, 'jobs_status (status=? AND _id>? AND _id<?'],
    [{ kind: 'job', order: 'name', pool: 'p', status: ['idle'] }, 'jobs_status (status=?'],
    [{ kind: 'job', order: 'name', pool: 'p', text: 'n' }, 'jobs_pool (pool=?'],
    [{ kind: 'job', order: 'name', pool: 'p', group: 'g' }, 'jobs_group (group=?'],
    [{ kind: 'job', order: 'name', group: 'g', alias: 'i' }, 'jobs_alias (alias=?'],
    [{ kind: 'job', order: 'name', states: [{ status: 'idle' }] }, 'jobs_status (status=?'],
    [{ kind: 'job', order: 'name', text: 'n' }, 'jobs_name (_id>? AND _id<?'],
    [{ kind: 'job', order: 'name', parent: 'a', pool: 'p' }, 'jobs_parent (parent=?'],
    [{ kind: 'job', order: 'name', prefix: 'n' }, 'jobs_name (_id>? AND _id<?'],
  ];
  test('the plan of a list begins with the index of the leading filter', async () => {
    await (await createSqliteStore({ directory })).close();
    onFile(db => {
      for (const [query, search] of begins) expect(planOf(db, { limit: 5, ...query })[0]).toContain(search);
    });
  });

  /** Filters of jobs but the app: an app has few jobs. */
  const counted = { pool: 'p', group: 'g', text: 'n', status: ['idle'], prefix: 'n' };
  test('a count of jobs, and the way to a late page, read an index and no rows', async () => {
    await (await createSqliteStore({ directory })).close();
    onFile(db => {
      const states = [{ status: 'idle', outcome: [null] }, { status: 'quarantined' }];
      const choices = choicesOf([
        ...Object.entries(counted).map(([name, value]) => ({ [name]: value })),
        { states },
        { outcome: ['failed'] },
      ]);
      const ofAJob = choices.map((chosen): ListQuery => ({ kind: 'job', order: 'name', limit: 20, ...chosen }));
      const byEnd = { parent: 'j', order: 'ended' as const };
      const ofExecutions = [{ parent: 'j' }, { status: ['running'] }, byEnd, { ...byEnd, outcome: ['failed', 'lost'], to: 9 }].map(
        (chosen): ListQuery => ({ kind: 'execution', limit: 20, ...chosen }),
      );
      for (const query of [...ofAJob, ...ofExecutions]) {
        for (const want of ['count', 'positions'] as const) {
          const plan = planOf(db, query, false, want)[0];
          expect([query, plan]).toEqual([query, expect.stringContaining('USING COVERING INDEX')]);
        }
      }
    });
  });
});

describe('placements', () => {
  const stored = () =>
    onFile(db =>
      db
        .prepare('select host, actor from placements order by 1, 2')
        .all()
        .map(row => `${row.host} ${row.actor}`),
    );

  test('placements follow the hosts of an execution and are deleted with it', async () => {
    const store = await createSqliteStore({ directory });
    const placed = (rev: number, hosts: string[]) => store.commit([aWrite({ address: 'execution/e', rev, index: { hosts } })]);
    await placed(1, []);
    expect(stored()).toEqual([]);
    await placed(2, ['h1', 'h2']);
    expect(stored()).toEqual(['h1 execution/e', 'h2 execution/e']);
    await placed(3, ['h2', 'h3']);
    expect(stored()).toEqual(['h2 execution/e', 'h3 execution/e']);
    await store.close();
    onFile(db => db.exec(`delete from actors where _id = 'execution/e'`));
    expect(stored()).toEqual([]);
  });
});

describe('failed_placements', () => {
  const stored = () =>
    onFile(db =>
      db
        .prepare('select host, ended, actor, job from failed_placements order by 1, 2, 3')
        .all()
        .map(row => Object.values(row).join(' ')),
    );

  test('failed_placements are the ends on a host that were no success, and are deleted with their execution', async () => {
    const store = await createSqliteStore({ directory });
    const written = (name: string, rev: number, outcome: string | null) =>
      store.commit([aWrite({ address: `execution/${name}`, rev, index: { parent: 'j', hosts: ['h1', 'h2'], outcome } })]);
    await written('good', 1, null);
    await written('good', 2, 'succeeded');
    await written('bad', 1, null);
    await written('at-once', 1, 'cancelled');
    expect(stored()).toEqual(['h1 cancelled execution/at-once j', 'h2 cancelled execution/at-once j']);
    await written('bad', 2, 'failed');
    expect(stored()).toContain('h2 failed execution/bad j');
    await written('bad', 3, 'lost');
    expect(stored().filter(row => row.includes('bad'))).toEqual(['h1 lost execution/bad j', 'h2 lost execution/bad j']);
    await store.close();
    onFile(db => db.exec(`delete from actors where _id <> 'execution/good'`));
    expect(stored()).toEqual([]);
  });
});

describe('executions of one job on one host', () => {
  test('executions of one job on one host are the same, by whichever of the two the list is led', async () => {
    const store = await createSqliteStore({ directory });
    // More of one job than are walked in passing, every hundredth of them on another host.
    const writes = Array.from({ length: 1_200 }, (_, place) =>
      aWrite({ address: `execution/${place}`, index: { parent: 'crowded', at: place, hosts: [place % 100 === 0 ? 'rare' : 'usual'] } }),
    );
    await store.commit([...writes, aWrite({ address: 'execution/other', index: { parent: 'quiet', at: 5, hosts: ['rare'] } })]);
    const names = async (parent: string, host: string, cursor?: string): Promise<string[]> => {
      const page = await store.list({ kind: 'execution', parent, host, limit: 5, ...(cursor === undefined ? {} : { cursor }) });
      const here = page.items.map(({ address }) => address.slice('execution/'.length));
      return page.next === null ? here : [...here, ...(await names(parent, host, page.next))];
    };
    expect(await names('crowded', 'rare')).toEqual(Array.from({ length: 12 }, (_, place) => String(1_100 - place * 100)));
    expect(await names('quiet', 'rare')).toEqual(['other']);
    await store.close();
  });
});
