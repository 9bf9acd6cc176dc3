/** Jobs too large for an agent or the kernel are refused with the field. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { executionDecisions } from '../../actors/execution/decide.ts';
import { runSpec } from '../../actors/execution/run-spec.ts';
import { ARGUMENT_BYTES_MAX, FromCenter } from '../../src/protocol/agent.ts';
import { anApi } from './support.ts';

const letters = (count: number, letter = 'a') => letter.repeat(count);

describe('values beyond the limits of agent and kernel', () => {
  let api: Awaited<ReturnType<typeof anApi>>;
  beforeAll(async () => {
    api = await anApi();
    await api.post('/api/app', { appName: 'app', appURL: 'http://127.0.0.1:1/x', bootstrapScript: 'run.sh' });
  });
  afterAll(() => api.runtime.stop(0));

  const dialect = (more: object) => ({
    appName: 'app',
    cpuCount: 0.1,
    memoryMB: 16,
    jobExecutionType: 'TRANSIENT',
    jobName: `dialect${Math.trunc(Bun.nanoseconds())}`,
    shardingTotalCount: 2,
    ...more,
  });
  const native = (more: object) => ({ name: `native${Math.trunc(Bun.nanoseconds())}`, command: ['true'], ...more });

  const cases: [what: string, path: string, body: object, field: string | undefined][] = [
    [
      '/api: a parameter at its limit, which the context carries again',
      '/api/job/register',
      dialect({ jobParameter: letters(65_400) }),
      undefined,
    ],
    ['/api: a parameter of control characters', '/api/job/register', dialect({ jobParameter: letters(40_000, '\u0001') }), 'jobParameter'],
    ['/api: a parameter of three bytes a letter', '/api/job/register', dialect({ jobParameter: letters(43_700, '中') }), 'jobParameter'],
    [
      '/api: a sharding parameter',
      '/api/job/register',
      dialect({ shardingItemParameters: `1=${letters(44_000, '中')}` }),
      'shardingItemParameters',
    ],
    ['/v1: a parameter of 43,700 x 中', '/v1/jobs', native({ parameter: letters(43_700, '中') }), 'parameter'],
    ['/v1: a parameter of 43,683 x 中', '/v1/jobs', native({ parameter: letters(43_683, '中') }), undefined],
    ['/v1: a word of a command', '/v1/jobs', native({ command: ['echo', letters(43_691, '中')] }), 'command'],
    ['/v1: a word of a command in one text', '/v1/jobs', native({ command: `echo ${letters(43_691, '中')}` }), 'command'],
    [
      '/v1: a command in one text whose words are short',
      '/v1/jobs',
      native({ command: `echo ${letters(16_000, '中').repeat(2)} ${letters(16_000, '中').repeat(2)}` }),
      undefined,
    ],
    ['/v1: a command for a shell', '/v1/jobs', native({ command: letters(43_691, '中'), shell: true }), 'command'],
    ['/v1: a variable', '/v1/jobs', native({ env: { BIG: letters(43_690, '中') } }), 'env.BIG'],
    [
      '/v1: a parameter of a shard',
      '/v1/jobs',
      native({ shards: { total: 2, parameters: { 1: letters(43_690, '中') } } }),
      'shards.parameters',
    ],
    ['/v1: a thousand starts', '/v1/jobs', native({ shards: { total: 1_000 }, parameter: letters(8_000) }), 'parameter'],
    [
      '/v1: a thousand starts with contexts',
      '/v1/jobs',
      native({ shards: { total: 1_000 }, parameter: letters(4_000), shardingContext: true }),
      'parameter',
    ],
    [
      '/v1: a thousand starts that fit',
      '/v1/jobs',
      native({ shards: { total: 1_000 }, parameter: letters(3_000), shardingContext: true }),
      undefined,
    ],
    [
      '/v1: a thousand starts of which one is large',
      '/v1/jobs',
      native({ shards: { total: 1_000, parameters: { 7: letters(60_000) } }, shardingContext: true }),
      undefined,
    ],
    ['/v1: a context', '/v1/jobs', native({ parameter: letters(65_500, '"'), shardingContext: true }), 'parameter'],
  ];
  test.each(cases)('a value beyond the limits of agent and kernel is refused with its field: %s', async (_, path, body, field) => {
    const { status, body: answer } = await api.post(path, body);
    expect({ status, field: (answer as { error?: { field?: string } }).error?.field }).toEqual(
      field === undefined ? { status: path === '/v1/jobs' ? 201 : 200, field } : { status: 400, field },
    );
  });

  test('a change to a value beyond the limits is refused as its creation is', async () => {
    await api.post('/v1/jobs', { name: 'changed', command: ['true'] });
    const { status, body } = await api.call('PATCH', '/v1/jobs/changed', { parameter: letters(43_700, '中') });
    expect([status, (body as { error: { field: string } }).error.field]).toEqual([400, 'parameter']);
  });

  test('the largest parameter that is taken fits one argument of the kernel, and its start an agent', async () => {
    const name = 'largest';
    const parameter = letters(ARGUMENT_BYTES_MAX - 'TROUPE_JOB_PARAMETER='.length - 2, 'ä').slice(0, 65_525);
    expect((await api.post('/v1/jobs', { name, command: ['true'], parameter, shardingContext: false })).status).toBe(201);
    const config = (await api.views.get(`job/${name}`))?.context.config;
    if (!config) throw new Error('the job is not there');
    const stamp = { at: 0, chance: 0, salt: 'abcdef' };
    const birth = {
      type: 'execution.create',
      id: `${name}@1`,
      trigger: 'api',
      dueAt: null,
      app: null,
      retryOf: null,
      blockedReason: null,
    } as const;
    const execution = executionDecisions.initialContext({ ...birth, config, ...stamp });
    const spec = runSpec(execution, execution.shards[0] as never);
    const fence = { partition: 0, epoch: 1, rev: 1 };
    const start = { type: 'start', key: 'k', fence, run: { execution: `${name}@1`, item: 0, attempt: 1 }, spec };
    expect(FromCenter.safeParse(JSON.parse(JSON.stringify(start))).success).toBe(true);
    expect(
      execFileSync('/bin/sh', ['-c', 'printf %s "$TROUPE_JOB_PARAMETER" | wc -c'], { env: { ...spec.env, PATH: '/bin:/usr/bin' } })
        .toString()
        .trim(),
    ).toBe(String(Buffer.byteLength(parameter)));
  });
});

test('the limit of one argument is that of this kernel', () => {
  if (!readFileSync('/proc/version', 'utf8').startsWith('Linux')) return;
  const echo = (bytes: number) => execFileSync('/bin/true', [letters(bytes)]);
  expect(() => echo(ARGUMENT_BYTES_MAX)).not.toThrow();
  expect(() => echo(ARGUMENT_BYTES_MAX + 1)).toThrow('E2BIG');
});
