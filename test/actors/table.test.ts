/** The table machine: every state and event, rows and versions, the host of each job. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { SHARDS_MAX } from '../../actors/table/decide.ts';
import { allEntries, rowsOf } from '../../actors/table/entries.ts';
import { choose, pointName } from '../../actors/table/ring.ts';
import type { TableHost } from '../../actors/table/types.ts';
import type { JobEvent, TableEvent } from '../../actors/types.ts';
import { anActor, type Outcome } from '../support/actor.ts';
import { type Table, testTable } from '../support/table.ts';

const create: TableEvent = { type: 'table.create', pool: 'blue' };
const host = (id: string, state: TableHost['state'] = 'ready', cpus = 4): TableEvent => ({
  type: 'table.host',
  host: { id, name: id, hostname: id, address: '10.0.0.1', total: { cpu: cpus * 1_000, memory: 8_000_000 }, state },
});
const idOf = (job: string): string =>
  [...job]
    .map(letter => letter.charCodeAt(0).toString(16))
    .join('')
    .padStart(24, '0');
const claim = (
  job: string,
  { shards = 1, version = 1, cpus = 1, hosts = null as string[] | null } = {},
): Extract<TableEvent, { type: 'table.claim' }> => ({
  type: 'table.claim',
  claim: { job, id: idOf(job), version, shards, need: { cpu: cpus * 1_000, memory: 64_000 } },
  hosts,
});

function aTable(...steps: TableEvent[]) {
  const table = anActor('table/blue', create);
  for (const step of steps) obey(table, table.tell(step));
  return table;
}
type TableActor = ReturnType<typeof aTable>;
type Proposal = Extract<JobEvent, { type: 'job.propose' }>;

const proposals = (outcome: Outcome): Record<string, Proposal> =>
  Object.fromEntries(
    outcome.effects.flatMap(effect =>
      effect.type === 'tell' && effect.params.event.type === 'job.propose' ? [[effect.params.to.slice(4), effect.params.event]] : [],
    ),
  );

/** Every job is idle and takes what is proposed. */
function obey(table: TableActor, outcome: Outcome): Record<string, Proposal> {
  const all = proposals(outcome);
  for (const [job, { hosts }] of Object.entries(all)) if (hosts) table.tell({ type: 'table.moved', job, hosts });
  return all;
}
const rows = (table: TableActor) => Object.fromEntries(rowsOf(table.context).map(({ job, hosts }) => [job, hosts]));

const machine: Table<'table'> = {
  address: 'table/blue',
  create,
  reach: { open: [host('h1')], deleted: [{ type: 'table.delete' }] },
  events: {
    create,
    'host h1 again': host('h1'),
    'host h1 closed': host('h1', 'closed'),
    'hostGone h1': { type: 'table.hostGone', host: 'h1' },
    'hostGone h9': { type: 'table.hostGone', host: 'h9' },
    claim: claim('a'),
    'release of nobody': { type: 'table.release', job: 'a' },
    'moved of nobody': { type: 'table.moved', job: 'a', hosts: ['h1'] },
    'repair a': { type: 'table.repair', job: 'a', reason: 'r' },
    'repair hosts': { type: 'table.repair', job: null, reason: 'r' },
    'missing a': { type: 'actor.missing', to: 'job/a', eventType: 'job.propose' },
    delete: { type: 'table.delete' },
  },
  rows: {
    'deleted create': 'open',
    'open claim': 'open; tell job/a job.propose',
    'open delete': 'deleted',
    'open host h1 closed': 'open',
    'open hostGone h1': 'open',
    'open repair a': 'open; tell job/a job.claimAgain; table.repaired',
    'open repair hosts': 'open; tell pool/blue pool.describe; table.repaired',
  },
};

describe('a table', () => {
  testTable(machine);

  test('a table has a row for a job once the job has taken its hosts, in the order in which rows were made', () => {
    const table = aTable(host('h1'));
    table.tell(claim('late'));
    expect([table.context.version, rows(table)]).toEqual([1, {}]);
    obey(table, table.tell(claim('early')));
    table.tell({ type: 'table.moved', job: 'late', hosts: ['h1'] });
    expect(rowsOf(table.context).map(({ job }) => job)).toEqual(['early', 'late']);
    expect(table.context.version).toBe(3);
  });

  test('the version of a table grows with each turn that changes rows, and with no other', () => {
    const table = aTable(host('h1'), claim('a'));
    const changes = (...steps: TableEvent[]) => {
      const before = table.context.version;
      for (const step of steps) obey(table, table.tell(step));
      return table.context.version - before;
    };
    expect(changes(claim('a', { hosts: ['h1'] }))).toBe(0);
    expect(changes(claim('a', { hosts: ['h1'], version: 2 }))).toBe(1);
    expect(changes(host('h1', 'away'), host('h1'))).toBe(0);
    expect(changes(host('h1', 'closed'))).toBe(1);
    expect(changes(host('h1'))).toBe(1);
    expect(changes({ type: 'table.release', job: 'a' })).toBe(1);
    expect(changes({ type: 'table.release', job: 'a' })).toBe(0);
  });

  test('a table proposes a host with room for one shard when the host runs nothing, and says what is missing', () => {
    const table = aTable(host('small', 'ready', 0.5), host('big'), host('gone', 'away'), host('shut', 'closed'));
    expect(obey(table, table.tell(claim('a')))).toMatchObject({ a: { hosts: ['big'] } });
    expect(obey(table, table.tell(claim('b', { cpus: 8 })))).toMatchObject({
      b: {
        hosts: null,
        reason: 'no host of pool blue takes a shard of 8 cpu and 64 MB: it has 2 ready too small, 1 away, 1 that take no runs',
      },
    });
    expect(rows(table)).toEqual({ a: ['big'] });
    expect(proposals(anActor('table/blue', create).tell(claim('a')))).toMatchObject({
      a: { hosts: null, reason: 'pool blue has no host' },
    });
  });

  test('a host that is away keeps its rows and gets no new ones; one that is lost gives them up', () => {
    const table = aTable(host('h1'), claim('a'), host('h2', 'away'), host('h1', 'away'));
    expect(rows(table)).toEqual({ a: ['h1'] });
    expect(obey(table, table.tell(claim('b')))).toMatchObject({ b: { hosts: null } });
    expect(obey(table, table.tell(host('h2')))).toMatchObject({ b: { hosts: ['h2'] } });
    expect(rows(table)).toEqual({ a: ['h1'], b: ['h2'] });
    expect(Object.keys(obey(table, table.tell(host('h1', 'closed'))))).toEqual(['a']);
    expect(rows(table)).toEqual({ a: ['h2'], b: ['h2'] });
  });

  test('a host that came back smaller gives up the rows of jobs that it cannot hold', () => {
    const table = aTable(host('h1'), claim('large', { cpus: 3 }), claim('small'), host('h1', 'ready', 2));
    expect(rows(table)).toEqual({ small: ['h1'] });
  });

  test('a table proposes again when the host of a busy job takes no work any more, and the latest proposal wins', () => {
    const table = aTable(host('h1'), claim('a', { hosts: ['h1'] }));
    const moved = ['h2', 'h3', 'h4', 'h5', 'h6'].find(id => proposals(table.tell(host(id))).a);
    expect(moved).toBeDefined();
    const again = proposals(table.tell(host('h1', 'closed'))).a;
    expect(again).toMatchObject({ hosts: [moved], closed: ['h1'] });
    const back = proposals(table.tell({ type: 'table.hostGone', host: moved as string })).a;
    expect(back?.hosts).not.toEqual([moved as string]);
    expect(back?.serial).toBeGreaterThan(again?.serial ?? 0);
    expect(rows(table)).toEqual({ a: ['h1'] });
  });

  test('each shard of a job has a host of its own choice', () => {
    const hosts = ['h1', 'h2', 'h3'];
    const table = aTable(...hosts.map(id => host(id)), claim('many', { shards: 40 }));
    expect(rows(table).many).toEqual(
      Array.from({ length: 40 }, (_, item) => choose(hosts, pointName(idOf('many'), item), () => true) as string),
    );
    expect(new Set(rows(table).many).size).toBe(3);
  });

  test(`a job beyond ${SHARDS_MAX} shards has no row, with the reason, and gets one when there is room`, () => {
    const table = aTable(host('h1'), claim('most', { shards: SHARDS_MAX - 1 }));
    expect(proposals(table.tell(claim('more', { shards: 2 })))).toMatchObject({
      more: { hosts: null, reason: `the table of pool blue is full: it has ${SHARDS_MAX - 1} shards, the limit is ${SHARDS_MAX}` },
    });
    table.tell({ type: 'table.release', job: 'most' });
    expect(obey(table, table.tell(claim('more', { shards: 2 })))).toMatchObject({ more: { hosts: ['h1', 'h1'] } });
  });

  test('a table drops the row of a job that does not exist', () => {
    const table = aTable(host('h1'), claim('a'));
    table.tell({ type: 'actor.missing', to: 'job/a', eventType: 'job.propose' });
    expect([rows(table), table.context.shards]).toEqual([{}, 0]);
  });
});

describe('in any table', () => {
  const step = fc.oneof(
    fc.record({
      id: fc.constantFrom('h1', 'h2', 'h3', 'h4'),
      state: fc.constantFrom<TableHost['state']>('ready', 'away', 'closed'),
      cpus: fc.constantFrom(1, 4),
    }),
    fc.record({ job: fc.constantFrom('a', 'b', 'c', 'd', 'e'), cpus: fc.constantFrom(1, 3), shards: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ drop: fc.constantFrom('a', 'b', 'c') }),
    fc.record({ gone: fc.constantFrom('h1', 'h2') }),
  );

  test('in any table of idle jobs each row is the choice of its job, or stays on a host that is away', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        const table = aTable();
        const jobs = new Map<string, string[] | null>();
        let version = 1;
        for (const each of steps) {
          const event: TableEvent =
            'id' in each
              ? host(each.id, each.state, each.cpus)
              : 'job' in each
                ? claim(each.job, { ...each, hosts: jobs.get(each.job)?.slice(0, each.shards) ?? null })
                : 'drop' in each
                  ? { type: 'table.release', job: each.drop }
                  : { type: 'table.hostGone', host: each.gone };
          if ('job' in each) {
            const own = jobs.get(each.job)?.slice(0, each.shards);
            jobs.set(each.job, own?.length === each.shards ? own : null);
          }
          for (const [job, { hosts }] of Object.entries(obey(table, table.tell(event)))) jobs.set(job, hosts);
          if ('drop' in each) jobs.delete(each.drop);
          expect(table.context.version).toBeGreaterThanOrEqual(version);
          version = table.context.version;
          const { hosts, keys } = table.context;
          for (const entry of allEntries(table.context)) {
            expect([entry.job, jobs.get(entry.job)]).toEqual([entry.job, entry.hosts]);
            const fits = (id: string) => (hosts[id]?.total.cpu ?? 0) >= entry.need.cpu;
            const isCandidate = (id: string) => hosts[id]?.state === 'ready' && fits(id);
            for (const [item, home] of (entry.hosts ?? []).entries()) {
              if (hosts[home]?.state === 'away' && fits(home)) continue;
              expect(isCandidate(home)).toBe(true);
              expect(home).toBe(choose(keys, pointName(entry.id, item), isCandidate) as string);
            }
          }
        }
      }),
    );
  });
});
