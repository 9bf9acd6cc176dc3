/**
 * Every type of fact is a sentence on the command line: one without a sample here does not compile.
 */
import { describe, expect, test } from 'bun:test';
import type { AppFact, ExecutionFact, HostFact, JobFact, NoticeFact, PoolFact, TableFact } from '../../actors/types.ts';
import { describeFact } from '../../src/cli/facts.ts';
import { createTimes } from '../../src/cli/words.ts';

const utc = createTimes(true);
type Fact = AppFact | ExecutionFact | HostFact | JobFact | PoolFact | TableFact | NoticeFact;
type Sample<T extends Fact['type']> = [Omit<Extract<Fact, { type: T }>, 'type'>, string];

const run = { execution: 'a@1', job: 'a' };
const shard = { ...run, item: 0, attempt: 1, host: 'b49826' };

const SAMPLES: { [T in Fact['type']]: Sample<T> } = {
  'job.registered': [{ job: 'a', version: 1 }, 'job a is registered'],
  'job.updated': [{ job: 'a', version: 2 }, 'job a is changed, and has version 2 now'],
  'job.enabled': [{ job: 'a' }, 'job a is enabled'],
  'job.disabled': [{ job: 'a', kill: true }, 'job a is disabled, and its running executions are ended'],
  'job.triggered': [{ ...run, joined: true }, 'job a is triggered, and joins a@1, which is waiting'],
  'job.fired': [{ ...run, dueAt: '2026-11-22T08:00:00.000Z', trigger: 'schedule' }, 'job a is due: a@1'],
  'job.skipped': [
    {
      job: 'a',
      from: '2026-11-22T08:00:00.000Z',
      to: '2026-11-22T08:00:00.000Z',
      count: 1,
      verdict: 'skippedOverlap',
      reason: 'a@0 was not done',
    },
    'job a has its due time 2026-11-22 08:00:00Z skipped: a@0 was not done',
  ],
  'job.finished': [{ ...run, outcome: 'timedOut' }, 'job a had an execution that timed out: a@1'],
  'schedule.unarmed': [
    { job: 'a', dueAt: '2026-11-22T08:00:00.000Z', armedAt: null, reason: 'no timer will wake it in time' },
    'job a was not armed for its due time 2026-11-22 08:00:00Z, and is armed again: no timer will wake it in time',
  ],
  'job.allocated': [{ job: 'a', pool: 'west', host: 'b49826', hostName: 'box', shards: 1, reason: null }, 'job a is allocated to host box'],
  'job.reported': [
    {
      ...{ job: 'a', message: 'JobExecute', state: -1, execerr: 'job execute exception:exit status 1', execat: null, nextat: null },
      ...{ key: 'k', ipaddr: '192.168.2.80' },
    },
    'job a is reported by JobExecute of 192.168.2.80 with state -1: job execute exception:exit status 1',
  ],
  'job.deregistering': [{ job: 'a' }, 'job a is being deleted'],
  'job.deregistered': [{ job: 'a' }, 'job a is deleted'],
  'execution.created': [
    { ...run, trigger: 'api', dueAt: null, shards: 2, blockedReason: 'waits until a@0 is done' },
    'a@1 is created by a trigger, 2 shards; it waits until a@0 is done',
  ],
  'execution.pending': [{ ...run, reason: 'no capacity' }, 'a@1 waits: no capacity'],
  'execution.cancelling': [{ ...run, reason: 'replaced' }, 'a@1 is being ended: replaced'],
  'execution.deallocated': [{ ...run, reason: 'the job was disabled' }, 'a@1 begins nothing more: the job was disabled'],
  'execution.notStarted': [{ ...run, reason: 'not started within 5m: no capacity' }, 'a@1 is given up: not started within 5m: no capacity'],
  'execution.finished': [{ ...run, outcome: 'succeeded' }, 'a@1 succeeded'],
  'shard.placed': [{ ...shard, hostName: 'vm' }, 'a@1 shard 0 goes to host vm'],
  'shard.started': [{ ...shard, attempt: 2 }, 'a@1 shard 0, attempt 2, runs'],
  'shard.leftRunning': [{ ...shard, processes: 2 }, 'a@1 shard 0 left 2 processes running; ended'],
  'shard.ended': [{ ...shard, outcome: 'failed', exitCode: 3, signal: null, reason: null }, 'a@1 shard 0 failed: exit code 3'],
  'app.published': [{ app: 'a', version: 1 }, 'app a is published'],
  'app.modified': [{ app: 'a', version: 3 }, 'app a is changed, and has version 3 now'],
  'app.enabled': [{ app: 'a' }, 'app a is enabled'],
  'app.disabled': [{ app: 'a', kill: false }, 'app a is disabled'],
  'app.deleting': [{ app: 'a', jobs: ['x', 'y'] }, 'app a is being deleted with its jobs x, y'],
  'app.deleted': [{ app: 'a' }, 'app a is deleted'],
  'host.enrolled': [{ host: 'b49826', name: 'vm', pool: 'default' }, 'host vm joins pool default'],
  'host.ready': [{ host: 'b49826', name: 'vm', session: 's' }, 'host vm is ready'],
  'host.draining': [{ host: 'b49826', name: 'vm' }, 'host vm is draining: it takes no new runs'],
  'host.suspect': [{ host: 'b49826', name: 'vm', reason: 'silent' }, 'host vm is suspect: silent'],
  'host.lost': [{ host: 'b49826', name: 'vm' }, 'host vm is lost'],
  'host.rejectedByPool': [{ host: 'b49826', name: 'vm', reason: 'the pool is full' }, 'host vm is rejected by its pool: the pool is full'],
  'host.deleted': [{ host: 'b49826', name: 'west-1' }, 'host west-1 is deleted'],
  'host.retired': [{ host: 'b49826', name: 'vm' }, 'host vm is retired'],
  'pool.created': [{ pool: 'default' }, 'pool default is created'],
  'pool.modified': [{ pool: 'default' }, 'pool default is changed'],
  'pool.placed': [
    {
      pool: 'default',
      execution: 'a@1',
      placed: [
        { item: 0, attempt: 1, host: 'x' },
        { item: 1, attempt: 1, host: 'x' },
      ],
    },
    'pool default places 2 shards on 1 host: a@1',
  ],
  'pool.waiting': [{ pool: 'default', execution: 'a@1', reason: 'too little cpu' }, 'pool default has no capacity for a@1: too little cpu'],
  'pool.hostRefusing': [
    { pool: 'default', host: 'x', name: 'box', fault: 'disk', reason: 'the disk is full', until: '2026-11-22T08:00:05.000Z' },
    'pool default places nothing on host box before 2026-11-22 08:00:05Z, because it refused a run: the disk is full',
  ],
  'pool.hostRecovered': [{ pool: 'default', host: 'x', name: 'box' }, 'pool default places runs on host box again: it started one'],
  'pool.hostExcluded': [
    { pool: 'default', host: 'x', name: 'box' },
    'pool default places nothing on host box, which is not among its servers; what runs there may finish',
  ],
  'pool.hostAdmitted': [{ pool: 'default', host: 'x', name: 'box' }, 'pool default places runs on host box again: it is among its servers'],
  'pool.deleted': [{ pool: 'default' }, 'pool default is deleted'],
  'table.repaired': [
    { pool: 'default', job: 'a', reason: 'the job is not in the table' },
    'table default differed from job a, and is repaired: the job is not in the table',
  ],
  'notification.sent': [
    { notice: 'a', delivery: 3, kind: 'failed', to: ['ops@x.org', 'b@x.org'], count: 12 },
    'notice a sent delivery 3 of 12 failures to ops@x.org, b@x.org',
  ],
  'notification.tried': [
    { notice: 'a', delivery: 3, kind: 'failed', to: ['b@x.org'], count: 1, reason: 'busy', retryAt: '2026-11-22T08:00:05.000Z' },
    'notice a could not send delivery 3 of 1 failures to b@x.org, tries again at 2026-11-22 08:00:05Z: busy',
  ],
  'notification.failed': [
    { notice: 'a', delivery: 3, kind: 'hostLost', to: ['b@x.org'], count: 2, reason: '550 no such user' },
    'notice a gave up delivery 3 of 2 lost hosts to b@x.org: 550 no such user',
  ],
};

const KEYS: Record<string, string> = {
  job: 'job/a',
  execution: 'execution/a@1',
  app: 'app/a',
  host: 'host/b49826',
  pool: 'pool/default',
  table: 'table/default',
  notification: 'notice/a',
};
const addressOf = (type: string): string => KEYS[(type.split('.')[0] ?? '').replace('shard', 'execution').replace('schedule', 'job')] ?? '';
const sentence = (type: string, data: object): string => {
  const { who, what } = describeFact({ address: addressOf(type), type, data: { ...data } }, utc);
  return `${who} ${what}`;
};

describe('a fact', () => {
  test.each(Object.entries(SAMPLES).map(([type, [data, says]]) => [type, data, says] as const))(
    'the fact %s is a sentence',
    (type, data, says) => {
      expect(sentence(type, data)).toBe(says);
    },
  );

  test('a fact leaves out of its sentence what went as it should', () => {
    const data = { ...shard, outcome: 'succeeded', exitCode: 0, signal: null, reason: null };
    expect(sentence('shard.ended', data)).toBe('a@1 shard 0 succeeded');
    const made = { ...run, trigger: 'schedule', dueAt: '2026-11-22T08:00:00.000Z', shards: 1, blockedReason: null };
    expect(sentence('execution.created', made)).toBe('a@1 is created');
    expect(sentence('execution.created', { ...made, trigger: 'misfire' })).toBe(
      'a@1 is created late, for the due time 2026-11-22 08:00:00Z',
    );
  });

  test('a fact of quarantine is a sentence for every kind of actor', () => {
    expect(describeFact({ address: 'pool/default', type: 'actor.quarantined', data: { reason: 'three faults' } }, utc)).toEqual({
      who: 'pool default',
      what: 'is in quarantine: three faults',
    });
    expect(describeFact({ address: 'job/a', type: 'actor.released', data: { reason: 'three faults' } }, utc).what).toBe(
      'is released from quarantine',
    );
  });

  test('a fact of a type that this program does not know is shown by its plain values', () => {
    const data = { job: 'a', times: 3, why: null, inner: { deep: [1] }, at: 'once' };
    expect(describeFact({ address: 'job/a', type: 'job.danced', data }, utc)).toEqual({
      who: 'job a',
      what: 'job.danced: times 3, at once',
    });
  });
});
