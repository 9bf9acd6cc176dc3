/** The pool machine: every state and event. */
import { describe } from 'bun:test';
import type { PoolEvent } from '../../actors/types.ts';
import { aRequest, aRun } from '../support/builders.ts';
import { type Table, testTable } from '../support/table.ts';

const create: PoolEvent = { type: 'pool.create', config: { name: 'blue', timeZone: null, servers: [], description: '' } };
const ready = (host: string, runs: ReturnType<typeof aRun>[] = [], cpus = 1): PoolEvent => ({
  type: 'pool.hostReady',
  host,
  name: host,
  hostname: `${host}.example`,
  address: '10.0.0.1',
  cpus,
  memoryMB: 1000,
  open: true,
  runs,
  session: 1,
});
const reserve = (execution: string, difference: Parameters<typeof aRequest>[0] = {}): PoolEvent => ({
  type: 'pool.reserve',
  request: aRequest({ execution, ...difference }),
});

const table: Table<'pool'> = {
  address: 'pool/blue',
  create: create,
  reach: {
    open: [ready('h1'), reserve('e1', { resources: { cpus: 1, memoryMB: 10 } }), reserve('e2')],
    deleted: [{ type: 'pool.delete' }],
  },
  events: {
    create,
    modify: { type: 'pool.modify', changes: { description: 'new' } },
    'modify servers without h1': { type: 'pool.modify', changes: { servers: ['h2'] } },
    'modify servers with h1': { type: 'pool.modify', changes: { servers: ['H1'] } },
    delete: { type: 'pool.delete' },
    'reserve e3': reserve('e3'),
    'reserve e1 again': reserve('e1', { resources: { cpus: 1, memoryMB: 10 } }),
    'reserve e2 again': reserve('e2'),
    'release e1': { type: 'pool.release', runs: [aRun('e1')] },
    'release e9': { type: 'pool.release', runs: [aRun('e9')] },
    'withdraw e2': { type: 'pool.withdraw', execution: 'e2' },
    'hostReady h2': ready('h2'),
    'hostReady h1 with e1': ready('h1', [aRun('e1')]),
    'hostReady h1 without e1': ready('h1'),
    'hostReady h1 with a stray': ready('h1', [aRun('e1'), aRun('e8')]),
    'hostOpen h1 closed': { type: 'pool.hostOpen', host: 'h1', open: false },
    'hostAway h1': { type: 'pool.hostDisconnected', host: 'h1' },
    'hostLost h1': { type: 'pool.hostLost', host: 'h1', reason: 'gone' },
    'hostGone h1': { type: 'pool.hostRemoved', host: 'h1' },
    describe: { type: 'pool.describe' },
    'missing table': { type: 'actor.missing', to: 'table/blue', eventType: 'table.host' },
    look: { type: 'pool.continuePass' },
    'missing e1': { type: 'actor.missing', to: 'execution/e1', eventType: 'execution.placed' },
    'missing e2': { type: 'actor.missing', to: 'execution/e2', eventType: 'execution.waiting' },
  },
  rows: {
    'deleted create': 'open; tell table/blue table.create; pool.created',
    'open create': 'refused: exists already',
    'open delete': 'refused: still has 1 host; retire it first',
    'open describe': 'open; tell table/blue table.create, tell table/blue table.host',
    'open hostAway h1': 'open; tell table/blue table.host',
    'open hostGone h1': 'open; tell table/blue table.hostGone',
    'open hostLost h1': 'open; tell table/blue table.host, tell execution/e1 shard.lost',
    'open hostOpen h1 closed': 'open; tell table/blue table.host, tell execution/e1 shard.withdraw',
    'open hostReady h1 with a stray': 'open; tell table/blue table.host, tell execution/e8 shard.unknownRun',
    'open hostReady h1 with e1': 'open; tell table/blue table.host',
    'open hostReady h1 without e1': 'open; tell table/blue table.host, tell execution/e1 shard.unaccounted',
    'open hostReady h2': 'open; tell table/blue table.host, tell execution/e2 execution.placed; pool.placed',
    'open look': 'open',
    'open missing e1': 'open; tell execution/e2 execution.placed; pool.placed',
    'open missing e2': 'open',
    'open missing table': 'open; tell table/blue table.create, tell table/blue table.host',
    'open modify': 'open; ; pool.modified',
    'open modify servers with h1': 'open; ; pool.modified',
    'open modify servers without h1':
      'open; tell table/blue table.host, tell execution/e1 shard.withdraw; pool.modified, pool.hostExcluded',
    'open release e1': 'open; tell execution/e2 execution.placed; pool.placed',
    'open release e9': 'open',
    'open reserve e3': 'open; tell execution/e3 execution.waiting; pool.waiting',
    'open withdraw e2': 'open',
  },
};

describe('a pool', () => {
  testTable(table);
});
