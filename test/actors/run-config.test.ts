/** What an execution takes of its job, and what its runs get of it. */
import { describe, expect, test } from 'bun:test';
import { executionDecisions } from '../../actors/execution/decide.ts';
import { runSpec } from '../../actors/execution/run-spec.ts';
import { runConfigOf } from '../../actors/job/run-config.ts';
import type { JobConfig } from '../../actors/job/types.ts';
import { aCreate, aJob } from '../support/builders.ts';

const sha256 = 'a'.repeat(64);
const file = { name: 'a.tar.gz', sha256, md5: 'b'.repeat(32), size: 12 };
const ID = '0123456789abcdef01234567';

/** What the agent gets for a run of such a job. */
function specOf(difference: Partial<JobConfig>) {
  const context = executionDecisions.initialContext({ ...aCreate({ config: difference }), at: 70, chance: 0, salt: '' });
  const [shard] = context.shards;
  return shard && runSpec(context, shard);
}

describe('the configuration of an execution', () => {
  test('it has what a run needs, and neither schedules, group, history of files nor texts of dialects', () => {
    const config = aJob({
      group: 'billing',
      servers: ['w1'],
      schedules: [{ type: 'cron', cron: '0 0 8 * * ?' }],
      description: 'for people',
      files: [{ name: 'a.tar.gz', sha256, md5: 'b'.repeat(32), at: 1 }],
      dialect: { cloudtask: { schedule: [] } },
      env: { LEVEL: 'debug' },
    });
    expect(Object.keys(runConfigOf(config)).sort()).toEqual(
      [
        ...['name', 'pool', 'servers', 'app', 'command', 'shell', 'env', 'runAs', 'parameter', 'shards', 'resources', 'placement'],
        ...['partial', 'retry', 'failover', 'failoverLimit', 'failoverOnFailure', 'disconnect', 'disconnectMs', 'timeoutMs'],
        ...['startWithinMs', 'killGraceMs', 'shardingContext'],
      ].sort(),
    );
  });

  test.each([
    ['a job without a file has no directory that stays', {}, undefined],
    [
      'a job with a file works in a directory that begins with it',
      { file },
      { job: ID, file: { name: 'a.tar.gz', sha256, size: 12 }, asOf: 70 },
    ],
    ['a job that keeps its directory works in one that begins empty', { keepDirectory: true }, { job: ID, file: null, asOf: 70 }],
    ['a job that lost its file keeps no directory', { file: null, keepDirectory: false }, undefined],
    ['a job with an app works in the directory of its app', { app: 'my_app', keepDirectory: true }, undefined],
  ] as const)('%s', (_, difference, directory) => {
    expect(specOf(difference)?.directory).toEqual(directory);
  });
});
