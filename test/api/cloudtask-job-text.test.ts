/** Cloudtask's words of a job as tables: schedules, environment, how a run failed. */
import { describe, expect, test } from 'bun:test';
import type { JobSchedule } from '../../actors/schedule/index.ts';
import { entriesOf, revealed, variablesIn } from '../../src/api/cloudtask/env-list.ts';
import { execErr } from '../../src/api/cloudtask/execerr.ts';
import { calendarOf, itemsOf, ScheduleItem, withItems } from '../../src/api/cloudtask/schedule-item.ts';
import { joinWords, splitCommand } from '../../src/lib/command-words.ts';
import { aScheduleItem } from '../support/schedule-item.ts';

const item = (difference: Record<string, unknown> = {}) => ScheduleItem.parse(aScheduleItem(difference));
const cron: JobSchedule = { type: 'cron', cron: '0 0 9 * * ?' };

describe('a schedule of Cloudtask', () => {
  test('a schedule of Cloudtask without a field has its zero value', () => {
    expect(ScheduleItem.parse({})).toEqual({
      id: '',
      enabled: 0,
      turnmode: 0,
      interval: 0,
      startdate: '',
      enddate: '',
      starttime: '',
      endtime: '',
      selectat: '',
      monthlyof: { day: 0, week: '' },
    });
  });

  test.each([
    ['seconds', { turnmode: 1 }, { turnmode: 1, interval: 2 }],
    ['days', { turnmode: 4, selectat: '1', enddate: '01/01/2030' }, { turnmode: 4, interval: 2, enddate: '01/01/2030' }],
    ['weeks', { turnmode: 5, selectat: '5,1' }, { turnmode: 5, interval: 2, selectat: '5,1' }],
    [
      'months by day',
      { turnmode: 6, selectat: '1', monthlyof: { day: -1, week: 'junk' } },
      { turnmode: 6, selectat: '1', monthlyof: { day: -1, week: '' } },
    ],
    [
      'months by week',
      { turnmode: 6, selectat: '1', monthlyof: { day: 0, week: '0:5' } },
      { turnmode: 6, selectat: '1', monthlyof: { day: 0, week: '0:5' } },
    ],
  ])('a schedule of Cloudtask means only the fields that its turnmode reads: %s', (_, difference, means) => {
    const rest = { type: 'calendar', id: '1623e5f1a23', enabled: 1, startdate: '03/19/2018', starttime: '00:00', endtime: '23:59' };
    expect(calendarOf(item(difference))).toEqual({ ...rest, ...means } as ReturnType<typeof calendarOf>);
  });

  test('a schedule of Cloudtask is given back as it was written while the job still has it, one by one', () => {
    const given = [item({ selectat: 'unread' }), item({ id: 'b', turnmode: 4 })];
    const [first, second] = given.map(calendarOf) as [JobSchedule, JobSchedule];
    expect(itemsOf([cron, second, first], given)).toEqual([given[1], given[0]] as ScheduleItem[]);
    expect(itemsOf([{ ...first, interval: 9 } as JobSchedule, second], given)).toEqual([item({ interval: 9 }), given[1]] as ScheduleItem[]);
  });

  test('a schedule of Cloudtask that another surface made has the fields that the original always sends', () => {
    expect(itemsOf([{ type: 'calendar', turnmode: 4, interval: 3, startdate: '01/01/2026', starttime: '9:30' }], [])).toEqual([
      item({ id: '', turnmode: 4, interval: 3, startdate: '01/01/2026', starttime: '9:30', endtime: '' }),
    ]);
  });

  test('a schedule of Cloudtask that comes back as read keeps its zone, and schedules of cron keep their places', () => {
    const zoned: JobSchedule = { ...calendarOf(item()), timeZone: 'Asia/Tokyo' };
    const other = calendarOf(item({ id: 'b' }));
    const shown = itemsOf([zoned, cron, other], []);
    const added = item({ id: 'c' });
    expect(withItems([zoned, cron, other], shown, shown)).toEqual([zoned, cron, other]);
    expect(withItems([zoned, cron, other], [added, ...shown], shown)).toEqual([calendarOf(added), cron, zoned, other]);
    expect(withItems([zoned, cron, other], [shown[1] as ScheduleItem], shown)).toEqual([other, cron]);
    expect(withItems([zoned, cron, other], [], shown)).toEqual([cron]);
    expect(withItems([zoned], [{ ...(shown[0] as ScheduleItem), interval: 7 }], shown)).toEqual([calendarOf(item({ interval: 7 }))]);
  });
});

describe('the environment of Cloudtask', () => {
  test('the environment of Cloudtask has the last of several values of a name, and is given back as written', () => {
    const entries = ['A=1', 'B=x=y', 'A=', 'C='];
    expect(variablesIn(entries)).toEqual({ A: '', B: 'x=y', C: '' });
    expect(entriesOf({ B: 'x=y', A: '', C: '' }, entries)).toEqual(entries);
    expect(entriesOf({ A: '2' }, entries)).toEqual(['A=2']);
  });

  test('the environment of Cloudtask keeps a hidden value that comes back, and refuses one that is not stored', () => {
    expect(revealed(['A=******', 'B=2'], { A: 'secret' })).toEqual(['A=secret', 'B=2']);
    expect(() => revealed(['B=2', 'A=******'], { B: '1' })).toThrow(
      'env[1] is A=******, but the job has no A whose value could stay; give its value.',
    );
    expect(() => revealed(['toString=******'], {})).toThrow('toString');
  });
});

describe('how a run failed, in the words of Cloudtask', () => {
  const shard = (outcome: string, rest: Record<string, unknown> = {}) => ({ outcome, exitCode: null, signal: null, reason: null, ...rest });
  const execution = (reason: string | null, ...shards: object[]) => ({ reason, shards }) as never;
  test.each([
    ['a success', 'succeeded', execution(null, shard('succeeded')), ''],
    ['a stop', 'cancelled', execution('stopped by root', shard('cancelled', { signal: 'SIGTERM' })), ''],
    ['no run yet', null, undefined, ''],
    ['an exit code', 'failed', execution(null, shard('failed', { exitCode: 3 })), 'job execute exception:exit status 3'],
    ['KILL', 'failed', execution(null, shard('failed', { signal: 'SIGKILL' })), 'job execute exception:signal: killed'],
    ['TERM', 'failed', execution(null, shard('failed', { signal: 'SIGTERM', exitCode: 143 })), 'job execute exception:signal: terminated'],
    [
      'a signal without a name of Go',
      'failed',
      execution(null, shard('failed', { signal: 'SIGRTMIN' })),
      'job execute exception:signal: SIGRTMIN',
    ],
    [
      'the shard that failed',
      'failed',
      execution(null, shard('succeeded', { exitCode: 0 }), shard('failed', { exitCode: 9 })),
      'job execute exception:exit status 9',
    ],
    ['a timeout', 'timedOut', undefined, 'the job has been executed for too long and has exceeded the timeout threshold.'],
    ['a lost host', 'lost', execution('host w1 was lost', shard('lost')), 'host w1 was lost'],
    ['a start that failed', 'failed', execution('no such file', shard('failed')), 'no such file'],
    ['an execution that is gone', 'failed', undefined, 'the execution failed'],
  ])('how a run failed, in the words of Cloudtask: %s', (_, outcome, last, text) => {
    expect(execErr(outcome, last)).toBe(text);
  });
});

describe('words as one line', () => {
  test.each([[['ps', 'aux']], [['a b', '', "it's"]], [['$HOME', 'a\nb', '"']]])(
    'words as one line are split into the same words: %j',
    words => {
      expect(splitCommand(joinWords(words)).words).toEqual(words);
    },
  );
});
