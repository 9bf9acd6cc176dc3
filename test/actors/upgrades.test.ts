/**
 * Documents as earlier machines wrote them, kept for good: they come to life in the machines of
 * today and go on.
 */
import { describe, expect, test } from 'bun:test';
import type { State } from '../../src/runtime/document.ts';
import { createLife } from '../../src/runtime/life.ts';
import type { ActorDocument } from '../../src/store/store.ts';
import { AT } from '../support/actor.ts';
import first from './fixtures/version-1.json';

type Stored = { address: string; version: number; life: string; state: unknown };

function revived(address: string) {
  const stored = (first as Stored[]).find(each => each.address === address) as Stored;
  const { version, life } = stored;
  const kind = address.slice(0, address.indexOf('/'));
  const document = { address, kind, partition: 0, rev: 5, incarnation: 1, version, life, state: JSON.stringify(stored.state), owed: '[]' };
  const actor = createLife(address, document as unknown as ActorDocument);
  return {
    /** The event is taken; the context it leaves, and what it asks for. */
    tell(event: { type: string }, at = AT + 1_000) {
      actor.take({ kind: event.type === 'timers' ? 'timers' : 'tell', event, origin: null }, { at, chance: 0.5, salt: 'abc123' });
      const write = actor.write('w', new Set());
      if (!write) throw new Error(`${event.type} changed nothing`);
      const state = JSON.parse(write.document.state) as State;
      const effects = actor.adopt(write).map(each => each.effect);
      const { value, context } = state.snapshot as { value: string; context: never };
      return { version: write.document.version, value, context: context as Record<string, unknown>, effects };
    },
  };
}

describe('a document of version 1', () => {
  test('of a host that was suspect is lost after its grace', () => {
    const host = revived('host/h1').tell({ type: 'timers' }, AT + 60_000);
    expect(host).toMatchObject({ version: 2, value: 'lost', effects: [{ params: { event: { type: 'pool.hostLost' } } }] });
  });

  test('of a pool still has its reservations and serves who waits', () => {
    const pool = revived('pool/default').tell({ type: 'pool.release', runs: [{ execution: 'nightly@x', item: 0, attempt: 1 }] } as never);
    expect(pool.context).toMatchObject({ waiting: [], homes: {}, hosts: { h1: { used: { cpu: 500 } } } });
    expect(pool.effects).toMatchObject([{ params: { to: 'execution/nightly@y', event: { type: 'execution.placed' } } }]);
  });

  test('of an execution knows that what ran began in an earlier session than any of today', () => {
    const runs = [{ execution: 'nightly@x', item: 0, attempt: 1 }];
    const execution = revived('execution/nightly@x').tell({ type: 'shard.unaccounted', host: 'h1', runs, session: 1 } as never);
    expect(execution).toMatchObject({ value: 'done', context: { outcome: 'lost' } });
  });
});
