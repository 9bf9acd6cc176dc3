/** `troupe executions`: each fire of a job, its shards and how they ended. */

import type { Execution, Shard } from '../../protocol/rest/execution.ts';
import type { Quarantine } from '../../protocol/rest/responses.ts';
import { EXIT } from '../failure.ts';
import { textOption } from '../options.ts';
import { type Family, type VerbCall, verb } from '../verb.ts';
import { between } from '../words.ts';
import { checkExists, releaseOf, showList } from './common.ts';

/** Its state in one word. */
export const stateOf = ({ status, outcome, quarantine }: { status: string; outcome: string | null; quarantine?: Quarantine }): string =>
  quarantine ? 'quarantined' : (outcome ?? status);

/** The reason of the outcome: its own, or that of the first shard that did not succeed. */
export function whyOf({ reason, shards }: Pick<Execution, 'reason' | 'shards'>): string {
  const bad = shards.find(({ outcome }) => outcome !== null && outcome !== 'succeeded');
  if (reason || !bad) return reason ?? '';
  const how = bad.reason ?? (bad.signal ? `ended by ${bad.signal}` : bad.exitCode === null ? '' : `exit code ${bad.exitCode}`);
  return how && shards.length > 1 ? `shard ${bad.item}: ${how}` : how;
}

const list = verb({
  summary: 'lists executions, the latest first',
  takes: [],
  options: {},
  query: async () => (await import('../../protocol/rest/execution.ts')).executionEndpoints['GET /v1/executions'].query,
  async run(call) {
    const { job } = call.query;
    const page = await call.client.list('GET /v1/executions', { query: call.query });
    // The center itself refuses an unknown host.
    await checkExists(page, [() => job && call.client.call('GET /v1/jobs/:name', { params: { name: job } })]);
    await showList<Execution>(call, page, 'executions', [
      { head: 'EXECUTION', cell: one => one.id },
      { head: 'STATE', cell: stateOf, paint: call.print.paint.state },
      { head: 'TRIGGER', cell: one => one.trigger, spare: true },
      { head: 'DUE', cell: one => call.print.instant(one.dueAt ?? one.createdAt), spare: true },
      { head: 'TOOK', cell: one => between(one.startedAt, one.finishedAt), right: true },
      { head: 'WHY', cell: whyOf },
    ]);
    return EXIT.done;
  },
});

const executionLines = ({ print }: Pick<VerbCall, 'print'>, one: Execution): string[] => [
  ...print.record([
    ['execution', one.id],
    ['job', one.job],
    ['state', stateOf(one), print.paint.state],
    ['why', whyOf(one)],
    ['trigger', one.trigger],
    ['due', print.instant(one.dueAt, 'ms')],
    ['created', print.instant(one.createdAt, 'ms')],
    ['started', print.instant(one.startedAt, 'ms')],
    ['finished', print.instant(one.finishedAt, 'ms')],
    ['took', between(one.startedAt, one.finishedAt)],
  ]),
  ...(one.shards.length > 0 ? ['', ...print.table(one.shards, shardColumns(print.paint.state))] : []),
];

const shardColumns = (state: (shown: string) => string) => [
  { head: 'SHARD', cell: (shard: Shard) => String(shard.item), right: true },
  { head: 'STATE', cell: (shard: Shard) => stateOf(shard), paint: state },
  { head: 'HOST', cell: (shard: Shard) => shard.hostName ?? shard.host ?? '' },
  { head: 'ATTEMPT', cell: (shard: Shard) => String(shard.attempt), right: true, spare: true },
  { head: 'EXIT', cell: (shard: Shard) => shard.signal ?? String(shard.exitCode ?? ''), right: true },
  { head: 'TOOK', cell: (shard: Shard) => between(shard.startedAt, shard.finishedAt), right: true },
  { head: 'PARAMETER', cell: (shard: Shard) => shard.parameter, spare: true },
  { head: 'WHY', cell: (shard: Shard) => shard.reason ?? '' },
];

const show = verb({
  summary: 'shows one execution with its shards',
  takes: ['EXECUTION'],
  options: {},
  async run(call) {
    const one = await call.client.call('GET /v1/executions/:id', { params: { id: call.words[0] ?? '' } });
    await call.print.show(one, () => executionLines(call, one));
    return EXIT.done;
  },
});

const cancel = verb({
  summary: 'ends an execution: TERM, the grace of its job, KILL',
  takes: ['EXECUTION'],
  options: {},
  async run({ client, print, words }) {
    const one = await client.call('POST /v1/executions/:id/cancel', { params: { id: words[0] ?? '' } });
    await print.show(one ?? { id: words[0] }, () => [`cancelling ${words[0]}`]);
    return EXIT.done;
  },
});

const retry = verb({
  summary: 'runs a finished execution once more, as a new one',
  takes: ['EXECUTION'],
  options: { key: textOption('TEXT', 'idempotency key: requests with the same key make one execution') },
  async run({ client, print, words, values }) {
    const { execution } = await client.call('POST /v1/executions/:id/retry', { params: { id: words[0] ?? '' }, key: values.key });
    await print.show({ execution }, () => [execution]);
    return EXIT.done;
  },
});

export const executions: Family = {
  summary: 'each fire of a job, and how it ended',
  verbs: {
    list,
    show,
    cancel,
    retry,
    release: releaseOf('EXECUTION', 'an execution', (client, id) => client.call('POST /v1/executions/:id/release', { params: { id } })),
  },
};
