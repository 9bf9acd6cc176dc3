/** Writes that come as messages from several threads. */
import { describe, expect, test } from 'bun:test';
import { StoreUnavailable, type StoreWrites } from '../../src/store/port.ts';
import { createWriter, createWriterClient, type WriterCall, type WriterResponse } from '../../src/store/sqlite/writer-worker/calls.ts';
import type { Sync } from '../../src/store/sync.ts';
import { anOccurrence } from '../support/store-builders.ts';

/**
 * A writer whose transactions are counted, and as many callers as one likes; everything crosses
 * when `run` is called.
 */
function aWriter(writes: Partial<Sync<StoreWrites>>) {
  const transactions: string[] = [];
  const planned: (() => void)[] = [];
  const lingering: (() => void)[] = [];
  const writer = createWriter(
    {
      writes: writes as Sync<StoreWrites>,
      transact(work) {
        transactions.push('begin');
        return work();
      },
    },
    { soon: work => void planned.push(work), later: work => void lingering.push(work) },
  );
  const aCaller = () => {
    const caller = createWriterClient({
      post: (calls: WriterCall[]) => writer.take(calls, { post: (answers: WriterResponse[]) => caller.take(structuredClone(answers)) }),
    });
    return caller;
  };
  const run = async () => {
    await Promise.resolve();
    for (const work of planned.splice(0)) work();
  };
  /** The time that what lingers may wait is over. */
  const waited = async () => {
    await Promise.resolve();
    for (const work of lingering.splice(0)) work();
  };
  return { aCaller, run, waited, transactions };
}

describe('writes by message', () => {
  test('writes by message of several callers become durable together', async () => {
    const { aCaller, run, transactions } = aWriter({ spend: () => true, probe: () => {} });
    const [one, two] = [aCaller(), aCaller()];
    const answers = Promise.all([one.writes.spend('a', 'b', 1), two.writes.spend('a', 'b', 2), two.writes.probe()]);
    await run();
    expect(await answers).toEqual([true, true, undefined]);
    expect(transactions).toHaveLength(1);
  });

  test('the verdict of a due time is written with the next call, or by itself after a while', async () => {
    const { aCaller, run, waited, transactions } = aWriter({ record: () => {}, probe: () => {} });
    const { writes } = aCaller();
    const ran = anOccurrence({ verdict: 'ran', execution: 'nightly@1' });
    const first = writes.record([ran]);
    await run();
    expect(transactions).toHaveLength(0);
    await Promise.all([writes.probe(), run(), first]);
    expect(transactions).toHaveLength(1);
    await Promise.all([writes.record([{ ...ran, verdict: 'waiting' }]), run()]);
    expect(transactions).toHaveLength(2);
    await Promise.all([writes.record([ran]), waited()]);
    expect(transactions).toHaveLength(3);
  });

  test('writes by message are done one by one when one of them fails, and only that one fails', async () => {
    const kept: string[] = [];
    const { aCaller, run } = aWriter({
      removeCredential(kind, id) {
        if (id === 'bad') throw new Error('no such thing');
        kept.push(`${kind}/${id}`);
      },
    });
    const caller = aCaller();
    const answers = Promise.allSettled(['x', 'bad', 'y'].map(id => caller.writes.removeCredential('k', id)));
    await run();
    expect((await answers).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(kept.slice(-2)).toEqual(['k/x', 'k/y']);
  });

  test('writes by message all fail as unavailable when the store is away', async () => {
    const { aCaller, run } = aWriter({
      probe() {
        throw new StoreUnavailable('the database is full');
      },
      spend: () => true,
    });
    const caller = aCaller();
    const answers = Promise.allSettled([caller.writes.spend('a', 'b', 1), caller.writes.probe()]);
    await run();
    for (const answer of await answers)
      expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'storeUnavailable', message: 'the database is full' } });
  });

  test('writes by message fail with unknown outcome once the connection is cut, those under way and those that come after', async () => {
    const { aCaller } = aWriter({ probe: () => {} });
    const caller = aCaller();
    const underWay = caller.writes.probe();
    caller.cut('the thread ended');
    await expect(underWay).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(caller.writes.probe()).rejects.toThrow('the thread ended');
  });
});
