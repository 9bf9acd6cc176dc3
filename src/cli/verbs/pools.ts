/** `troupe pools`: named groups of hosts with the jobs placed on them. */

import type { Pool } from '../../protocol/rest/pool.ts';
import { EXIT } from '../failure.ts';
import type { Column } from '../table.ts';
import { type Family, verb } from '../verb.ts';
import { releaseOf, shareOf, showList, statusOr, statusWord } from './common.ts';

const settings = async () => (await import('../../protocol/rest/pool.ts')).PoolFields;

const list = verb({
  summary: 'lists pools by name',
  takes: [],
  options: {},
  query: async () => (await import('../../protocol/rest/pool.ts')).poolEndpoints['GET /v1/pools'].query,
  async run(call) {
    const page = await call.client.list('GET /v1/pools', { query: call.query });
    await showList<Pool>(call, page, 'pools', [
      { head: 'NAME', cell: pool => pool.name },
      { head: 'STATUS', cell: statusWord, paint: call.print.paint.state },
      { head: 'HOSTS', cell: pool => String(pool.hosts), right: true },
      { head: 'CPUS FREE', cell: pool => shareOf(pool.free.cpus, pool.total.cpus), right: true },
      { head: 'MB FREE', cell: pool => shareOf(pool.free.memoryMB, pool.total.memoryMB), right: true },
      { head: 'WAITING', cell: pool => String(pool.waiting), right: true },
      { head: 'TIME ZONE', cell: pool => pool.timeZone ?? '' },
      { head: 'DESCRIPTION', cell: pool => pool.description ?? '' },
    ]);
    return EXIT.done;
  },
});

const show = verb({
  summary: 'shows one pool',
  takes: ['POOL'],
  options: {},
  async run({ client, print, words }) {
    const pool = await client.call('GET /v1/pools/:name', { params: { name: words[0] ?? '' } });
    await print.show(pool, () =>
      print.record([
        ['name', pool.name],
        ['description', pool.description],
        ['status', statusOr(pool), print.paint.state],
        ['time zone', pool.timeZone ?? ''],
        ['hosts', String(pool.hosts)],
        ['cpus', `${shareOf(pool.free.cpus, pool.total.cpus)} free`],
        ['memory', `${shareOf(pool.free.memoryMB, pool.total.memoryMB)} MB free`],
        ['waiting', String(pool.waiting)],
        ['updated', print.instant(pool.updatedAt)],
      ]),
    );
    return EXIT.done;
  },
});

const create = verb({
  summary: 'creates a pool',
  takes: ['POOL'],
  options: {},
  settings,
  async run({ client, print, words, settings }) {
    const pool = await client.call('POST /v1/pools', { body: { name: words[0] ?? '', ...settings } });
    await print.show(pool, () => [`created ${pool.name}`]);
    return EXIT.done;
  },
});

const remove = verb({
  summary: 'deletes a pool without hosts and jobs',
  takes: ['POOL'],
  options: {},
  async run({ client, print, words }) {
    await client.call('DELETE /v1/pools/:name', { params: { name: words[0] ?? '' } });
    await print.show({ name: words[0], deleted: true }, () => [`deleted ${words[0]}`]);
    return EXIT.done;
  },
});

const allocation = verb({
  summary: 'lists the reservations of each host of a pool, the shards that wait for capacity, and the hosts of sticky jobs',
  takes: ['POOL'],
  options: {},
  async run({ client, print, words }) {
    const ledger = await client.call('GET /v1/pools/:name/allocation', { params: { name: words[0] ?? '' } });
    const runs = ledger.hosts.flatMap(host => host.runs.map(run => ({ ...run, host: host.name })));
    const waiting = ledger.waiting.flatMap(one => one.shards.map(item => ({ ...one, item, host: 'waits' })));
    const rows = [...runs, ...waiting];
    await print.show(ledger, () => [
      ...print.table(ledger.hosts, [
        { head: 'HOST', cell: host => host.name },
        { head: 'CPUS FREE', cell: host => shareOf(host.free.cpus, host.total.cpus), right: true },
        { head: 'MB FREE', cell: host => shareOf(host.free.memoryMB, host.total.memoryMB), right: true },
        { head: 'RUNS', cell: host => String(host.runs.length), right: true },
        { head: '', cell: host => (host.open ? '' : 'takes no new runs') },
      ]),
      ...(rows.length === 0 ? [] : ['', ...print.table<Row>(rows, ROW)]),
      ...(ledger.rows.length === 0 ? [] : ['', `allocation table, version ${ledger.version}`]),
      ...(ledger.rows.length === 0 ? [] : print.table<Allocated>(ledger.rows, ALLOCATED)),
    ]);
    return EXIT.done;
  },
});

interface Row {
  execution: string;
  item: number;
  host: string;
  reason?: string | null;
}

const ROW: Column<Row>[] = [
  { head: 'EXECUTION', cell: row => row.execution },
  { head: 'SHARD', cell: row => String(row.item), right: true },
  { head: 'HOST', cell: row => row.host },
  { head: 'WHY', cell: row => row.reason ?? '' },
];

interface Allocated {
  job: string;
  version: number;
  hosts: string[];
  next: string[] | null;
}

const ALLOCATED: Column<Allocated>[] = [
  { head: 'JOB', cell: row => row.job },
  { head: 'VERSION', cell: row => String(row.version), right: true },
  { head: 'HOST', cell: row => [...new Set(row.hosts)].join(', ') },
  { head: 'NEXT', cell: row => [...new Set(row.next ?? [])].join(', ') },
];

export const pools: Family = {
  summary: 'groups of hosts',
  verbs: {
    list,
    show,
    create,
    delete: remove,
    allocation,
    release: releaseOf('POOL', 'a pool', (client, name) => client.call('POST /v1/pools/:name/release', { params: { name } })),
  },
};
