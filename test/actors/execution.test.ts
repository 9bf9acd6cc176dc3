/** The execution machine, from its first shard to its outcome. */
import { describe } from 'bun:test';
import type { ExecutionEvent } from '../../actors/types.ts';
import { AT } from '../support/actor.ts';
import { aCreate, anEnd, aPlacement } from '../support/builders.ts';
import { type Table, testTable } from '../support/table.ts';

const createEvent = aCreate({ config: { shards: { total: 2, parameters: {} }, failover: true } });
const placed: ExecutionEvent = { type: 'execution.placed', placements: [aPlacement(0, 'h1'), aPlacement(1, 'h2')], reason: null };
const started: ExecutionEvent = { type: 'shard.started', item: 0, attempt: 1, host: 'h1', startedAt: AT, pid: 7, session: 1 };
const end: ExecutionEvent = { type: 'execution.end', reason: 'enough' };
const runs = [0, 1].map(item => ({ execution: 'nightly@x', item, attempt: 1 }));

const table: Table<'execution'> = {
  address: 'execution/nightly@x',
  create: createEvent,
  reach: {
    pending: [],
    running: [placed, started],
    cancelling: [placed, started, end],
    done: [end],
  },
  events: {
    create: createEvent,
    proceed: { type: 'execution.unblock', app: null },
    cancel: { type: 'execution.cancel', reason: 'stop it' },
    end,
    placed,
    'placed an attempt that is not next': { type: 'execution.placed', placements: [aPlacement(0, 'h1', 2)], reason: null },
    waiting: { type: 'execution.waiting', reason: 'no room' },
    noRoom: { type: 'execution.noCapacity', reason: 'no pool' },
    askAgain: { type: 'execution.reserveAgain' },
    retryDue: { type: 'execution.retryDue' },
    started,
    'started on another host': { ...started, host: 'h9' },
    'started another attempt': { ...started, attempt: 3 },
    'ended well': anEnd(0, 'h1', 'succeeded'),
    'ended badly': anEnd(0, 'h1', 'failed'),
    'ended another attempt': anEnd(0, 'h1', 'succeeded', 3),
    'ended on another host': anEnd(0, 'h9', 'succeeded'),
    'lost h1': { type: 'shard.lost', host: 'h1', runs, reason: 'gone' },
    'unaccounted in the same session': { type: 'shard.unaccounted', host: 'h1', runs, session: 1 },
    'unaccounted in the next session': { type: 'shard.unaccounted', host: 'h1', runs, session: 2 },
    'unaccounted on h2': { type: 'shard.unaccounted', host: 'h2', runs, session: 2 },
    'stray on h1': { type: 'shard.unknownRun', host: 'h1', runs },
    'stray on h9': { type: 'shard.unknownRun', host: 'h9', runs },
    'pool missing': { type: 'actor.missing', to: 'pool/default', eventType: 'pool.reserve' },
    'job missing': { type: 'actor.missing', to: 'job/nightly', eventType: 'execution.finished' },
    released: { type: 'actor.released', since: AT, reason: 'r' },
  },
  rows: {
    'cancelling ended badly': 'cancelling; tell pool/default pool.release; shard.ended',
    'cancelling ended well': 'cancelling; tell pool/default pool.release; shard.ended',
    'cancelling lost h1': 'cancelling; stop h1 0:1 superseded; shard.ended',
    'cancelling placed an attempt that is not next': 'cancelling; tell pool/default pool.release',
    'cancelling retryDue': 'cancelling',
    'cancelling started another attempt': 'cancelling; stop h1 0:3 superseded',
    'cancelling started on another host': 'cancelling; stop h9 0:1 superseded',
    'cancelling stray on h1': 'cancelling; stop h1 1:1 superseded',
    'cancelling stray on h9': 'cancelling; stop h9 0:1 superseded, stop h9 1:1 superseded',
    'cancelling unaccounted in the next session': 'cancelling; tell pool/default pool.release; shard.ended',
    'cancelling unaccounted in the same session': 'cancelling; stop h1 0:1 cancelled',
    'cancelling unaccounted on h2': 'cancelling; stop h2 1:1 cancelled',
    'done cancel': 'refused: is done',
    'done create': 'done; tell job/nightly execution.finished',
    'done placed': 'done; tell pool/default pool.release',
    'done placed an attempt that is not next': 'done; tell pool/default pool.release',
    'done started': 'done; stop h1 0:1 superseded',
    'done started another attempt': 'done; stop h1 0:3 superseded',
    'done started on another host': 'done; stop h9 0:1 superseded',
    'done stray on h1': 'done; stop h1 0:1 superseded, stop h1 1:1 superseded',
    'done stray on h9': 'done; stop h9 0:1 superseded, stop h9 1:1 superseded',
    'pending askAgain': 'pending; tell pool/default pool.reserve',
    'pending cancel':
      'done; tell pool/default pool.withdraw, tell job/nightly execution.finished; execution.cancelling, execution.finished',
    'pending end': 'done; tell pool/default pool.withdraw, tell job/nightly execution.finished; execution.cancelling, execution.finished',
    'pending noRoom': 'pending; ; execution.pending',
    'pending placed': 'running; start h1 0:1, start h2 1:1; shard.placed, shard.placed',
    'pending placed an attempt that is not next': 'pending; tell pool/default pool.release',
    'pending pool missing': 'pending; ; execution.pending',
    'pending released': 'pending; tell pool/default pool.reserve',
    'pending retryDue': 'pending',
    'pending started': 'pending; stop h1 0:1 superseded',
    'pending started another attempt': 'pending; stop h1 0:3 superseded',
    'pending started on another host': 'pending; stop h9 0:1 superseded',
    'pending stray on h1': 'pending; stop h1 0:1 superseded, stop h1 1:1 superseded',
    'pending stray on h9': 'pending; stop h9 0:1 superseded, stop h9 1:1 superseded',
    'pending waiting': 'pending; ; execution.pending',
    'running cancel': 'cancelling; stop h1 0:1 cancelled, stop h2 1:1 cancelled; execution.cancelling',
    'running end': 'cancelling; stop h1 0:1 cancelled, stop h2 1:1 cancelled; execution.cancelling',
    'running ended badly': 'running; tell pool/default pool.release; shard.ended',
    'running ended well': 'running; tell pool/default pool.release; shard.ended',
    'running lost h1': 'running; stop h1 0:1 superseded; shard.ended',
    'running placed an attempt that is not next': 'running; tell pool/default pool.release',
    'running retryDue': 'running',
    'running started another attempt': 'running; stop h1 0:3 superseded',
    'running started on another host': 'running; stop h9 0:1 superseded',
    'running stray on h1': 'running; stop h1 1:1 superseded',
    'running stray on h9': 'running; stop h9 0:1 superseded, stop h9 1:1 superseded',
    'running unaccounted in the next session': 'running; tell pool/default pool.release; shard.ended',
    'running unaccounted on h2': 'running; start h2 1:1',
  },
};

describe('an execution', () => {
  testTable(table);
});
