/** Store contract: logs that other systems posted. */
import { describe, expect, test } from 'bun:test';
import { LOG_TAIL_BYTES, type PostedLog } from '../../../src/store/posted-log-port.ts';
import { aPostedLog } from '../store-builders.ts';
import type { StoreUnderTest } from '../store-contract.ts';

export function postedLogsContract(underTest: StoreUnderTest): void {
  const keep = async (...logs: Partial<PostedLog>[]) => {
    for (const log of logs) await underTest.store.keepPostedLog(aPostedLog(log));
  };
  const ids = async (query: Partial<Parameters<typeof underTest.store.postedLogs>[0]> = {}) =>
    (await underTest.store.postedLogs({ job: 'j', limit: 100, ...query })).map(({ id }) => id);
  const count = (query: { stat?: number; from?: number; to?: number } = {}) => underTest.store.countPostedLogs({ job: 'j', ...query });

  describe('posted logs', () => {
    test('a posted log keeps every field, and texts of every kind, across reopening', async () => {
      const log = aPostedLog({
        ...{ job: 'j', id: 'm"1', msgid: '', stat: -1, startedAt: null, durationMs: 5, group: 'g', event: 'é\u0000' },
        ...{ stdout: 'a\u0000b \u001b[31m \u2028 "\\', stderr: 'åß漢🚀\r\n', error: 'job execute exception:exit status 1' },
      });
      expect(await underTest.store.keepPostedLog(log)).toBe(true);
      await underTest.reopen();
      expect(await underTest.store.postedLogs({ job: 'j', limit: 9 })).toEqual([log]);
      expect(await underTest.store.postedLog('j', 'm"1')).toEqual(log);
      expect(await underTest.store.postedLog('j', 'm1')).toBeUndefined();
      expect(await underTest.store.postedLog('k', 'm"1')).toBeUndefined();
    });

    test('a posted log that comes twice is kept once, as it came first', async () => {
      expect(await underTest.store.keepPostedLog(aPostedLog({ job: 'j', event: 'first' }))).toBe(true);
      expect(await underTest.store.keepPostedLog(aPostedLog({ job: 'j', event: 'second', at: 5 }))).toBe(false);
      expect(await underTest.store.keepPostedLog(aPostedLog({ job: 'k', event: 'another job' }))).toBe(true);
      expect((await underTest.store.postedLogs({ job: 'j', limit: 9 })).map(({ event }) => event)).toEqual(['first']);
      const both = await Promise.all([1, 2].map(() => underTest.store.keepPostedLog(aPostedLog({ job: 'j', id: 'm2' }))));
      expect(both.sort()).toEqual([false, true]);
    });

    test('posted logs of a job come newest first, by their end, page by page, with a count', async () => {
      await keep(
        { job: 'j', id: 'a', at: 20 },
        { job: 'j', id: 'b', at: 20, stat: -1 },
        { job: 'j', id: 'c', at: 10 },
        { job: 'j', id: 'd', at: 30, stat: -1 },
        { job: 'jj', id: 'x', at: 25 },
      );
      expect(await ids()).toEqual(['d', 'b', 'a', 'c']);
      expect(await ids({ limit: 2 })).toEqual(['d', 'b']);
      expect(await ids({ limit: 2, offset: 1 })).toEqual(['b', 'a']);
      expect(await ids({ after: { at: 20, id: 'b' } })).toEqual(['a', 'c']);
      expect(await ids({ after: { at: 20, id: 'b' }, offset: 1 })).toEqual(['c']);
      expect(await ids({ stat: -1 })).toEqual(['d', 'b']);
      expect(await ids({ from: 20, to: 30 })).toEqual(['b', 'a']);
      expect(await ids({ from: 20, to: 30, stat: 0 })).toEqual(['a']);
      expect(await ids({ to: 30, after: { at: 20, id: 'b' } })).toEqual(['a', 'c']);
      expect(await ids({ job: 'nobody' })).toEqual([]);
      expect([await count(), await count({ stat: 0 }), await count({ from: 20, to: 30 }), await count({ from: 31 })]).toEqual([4, 2, 2, 0]);
    });

    test('lists show the end of a long output, never half a character, and one log has all of it', async () => {
      const stdout = `${'x'.repeat(10)}${'漢'.repeat(LOG_TAIL_BYTES)}`;
      const stderr = 'e'.repeat(LOG_TAIL_BYTES + 1);
      await keep({ job: 'j', stdout, stderr });
      const [listed] = await underTest.store.postedLogs({ job: 'j', limit: 1 });
      expect(listed?.stdout).toBe('漢'.repeat(Math.floor(LOG_TAIL_BYTES / 3)));
      expect(listed?.stderr).toBe('e'.repeat(LOG_TAIL_BYTES));
      expect(listed?.stdoutBytes).toBe(10 + 3 * LOG_TAIL_BYTES);
      expect(await underTest.store.postedLog('j', 'm1')).toMatchObject({ stdout, stderr });
    });

    test('the oldest posted logs leave by age and beyond a number, whatever a wrong clock wrote', async () => {
      await keep(
        { job: 'j', id: 'old', at: 10, receivedAt: 90 },
        { job: 'k', id: 'late', at: 999, receivedAt: 20 },
        { job: 'j', id: 'young', at: 50, receivedAt: 51 },
        { job: 'k', id: 'newest', at: 60, receivedAt: 61 },
      );
      expect(await underTest.store.deletePostedLogs({ before: 30, keep: 9, limit: 1 })).toBe(1);
      expect(await ids()).toEqual(['young']);
      expect(await underTest.store.deletePostedLogs({ before: 30, keep: 9, limit: 9 })).toBe(1);
      expect(await ids({ job: 'k' })).toEqual(['newest']);
      expect(await underTest.store.deletePostedLogs({ before: 30, keep: 9, limit: 9 })).toBe(0);
      expect(await underTest.store.deletePostedLogs({ before: 30, keep: 1, limit: 9 })).toBe(1);
      expect([await ids(), await ids({ job: 'k' })]).toEqual([[], ['newest']]);
      expect(await underTest.store.deletePostedLogs({ before: 30, keep: 1, limit: 9 })).toBe(0);
    });

    test('the oldest posted logs of each job beyond its number leave, job by job', async () => {
      for (const job of ['a', 'b', 'j']) for (let at = 1; at <= (job === 'b' ? 2 : 5); at++) await keep({ job, id: `${at}`, at });
      const steps: { deleted: number; next: string | null }[] = [];
      for (let next: string | null = ''; next !== null && steps.length < 50; ) {
        const step: { deleted: number; next: string | null } = await underTest.store.deletePostedLogsOverLimit({
          keep: 2,
          after: next,
          limit: 2,
        });
        steps.push(step);
        next = step.next;
      }
      expect(steps.reduce((sum, { deleted }) => sum + deleted, 0)).toBe(6);
      expect(Math.max(...steps.map(({ deleted }) => deleted))).toBeLessThanOrEqual(2);
      expect([await ids({ job: 'a' }), await ids({ job: 'b' }), await ids()]).toEqual([
        ['5', '4'],
        ['2', '1'],
        ['5', '4'],
      ]);
    });
  });
}
