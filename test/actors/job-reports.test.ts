/** What other systems report of a job: which reports count, and that they change nothing else. */
import { describe, expect, test } from 'bun:test';
import type { ReportedState } from '../../actors/job/types.ts';
import { anActor } from '../support/actor.ts';
import { aJob, aReportedState } from '../support/builders.ts';

const aJobActor = () =>
  anActor('job/nightly', { type: 'job.register', config: aJob({ schedules: [{ type: 'cron', cron: '0 * * * * ?' }] }) });
const aReporter = (job = aJobActor()) => ({
  job,
  report: (timestamp: string, difference: Partial<ReportedState> = {}) =>
    job.tell({ type: 'job.reported', timestamp, report: aReportedState(difference) }).facts,
});

describe('a report about a job', () => {
  test('a report about a job becomes a fact with all that it says', () => {
    const { report } = aReporter();
    expect(report('1', { message: 'JobSelect', state: null })).toEqual([
      { type: 'job.reported', data: { job: 'nightly', ...aReportedState({ message: 'JobSelect', state: null }) } },
    ]);
  });

  test('a report about a job that is older than the last of its kind is dropped, and one of the same time counts', () => {
    const { report } = aReporter();
    const counts = (timestamp: string, message: ReportedState['message'] = 'JobExecute') => report(timestamp, { message }).length;
    expect([counts('1526956800000000001'), counts('1526956800000000000'), counts('1526956800000000001')]).toEqual([1, 0, 1]);
    expect(counts('9', 'JobSelect')).toBe(1);
    expect([counts('10', 'JobSelect'), counts('9', 'JobSelect')]).toEqual([1, 0]);
    expect([counts('9223372036854775807'), counts('9223372036854775806')]).toEqual([1, 0]);
  });

  test('a report about a job with a time before 1970 comes before one of any later time', () => {
    const { report } = aReporter();
    expect(report('-62135596800000000000')).toHaveLength(1);
    expect(report('-62135596800000000001')).toEqual([]);
    expect(report('0')).toHaveLength(1);
  });

  test('a report about a job changes nothing of it but what it remembers of reports', () => {
    const { job, report } = aReporter();
    const before = { ...job.context };
    const outcome = job.tell({ type: 'job.reported', timestamp: '5', report: aReportedState({ state: 200 }) });
    expect([outcome.effects, job.context]).toEqual([[], { ...before, reported: { JobExecute: '5' } }]);
    expect(report('4')).toEqual([]);
    expect(job.context.reported).toEqual({ JobExecute: '5' });
  });
});
