/** `/v1/executions`: ended, running and waiting executions. */
import type { ShardState } from '../../../actors/execution/types.ts';
import { type Route, serving } from '../../http/route.ts';
import { type Execution, executionEndpoints } from '../../protocol/rest/execution.ts';
import type { View } from '../../runtime/document.ts';
import { attemptKey } from '../../services/output/attempt.ts';
import { accountedBytes, keptBytes } from '../../services/output/read.ts';
import type { OutputStore } from '../../store/port.ts';
import { cancelExecution, retryExecution, visibleExecution } from '../commands/executions.ts';
import { toIso } from '../iso.ts';
import { presentFields } from '../lookup.ts';
import { oneOrNearest } from '../nearest-name.ts';
import type { RouteContext } from '../route-context.ts';
import { findHost } from './find-host.ts';
import { isArriving } from './logs/follow.ts';
import { pageOf } from './paging.ts';
import { quarantineOf } from './quarantine.ts';
import { released } from './release.ts';

const on = serving(executionEndpoints);

type Kept = Awaited<ReturnType<typeof keptBytes>>;

/**
 * Bytes that the log lacks: dropped by the host, by the log or by retention. They are counted from
 * the log, so both show the same number. Bytes in transit count as kept.
 */
const outputShape = (execution: string, { item, attempt, output }: ShardState, kept: Kept) => {
  if (!output) return null;
  const { stdoutBytes, stderrBytes } = output;
  const { stdout, stderr } = kept.get(attemptKey({ execution, item, attempt })) ?? { stdout: 0, stderr: 0 };
  return { stdoutBytes, stderrBytes, leftOutBytes: Math.max(0, stdoutBytes - stdout) + Math.max(0, stderrBytes - stderr) };
};

/** Adds the bytes of a just ended shard that are in transit. */
async function addArriving(store: Pick<OutputStore, 'output'>, execution: string, { item, attempt, output }: ShardState, kept: Kept) {
  const name = { execution, item, attempt };
  const { stdout, stderr } = kept.get(attemptKey(name)) ?? { stdout: 0, stderr: 0 };
  if (!output || (output.stdoutBytes <= stdout && output.stderrBytes <= stderr)) return;
  const accounted = await accountedBytes(store, name);
  kept.set(attemptKey(name), {
    stdout: stdout + Math.max(0, output.stdoutBytes - accounted.stdout),
    stderr: stderr + Math.max(0, output.stderrBytes - accounted.stderr),
  });
}

const shardShape = (execution: string, kept: Kept) => (shard: ShardState) => ({
  item: shard.item,
  parameter: shard.parameter,
  host: shard.host,
  hostName: shard.hostName,
  attempt: shard.attempt,
  status: shard.status,
  outcome: shard.outcome,
  exitCode: shard.exitCode,
  signal: shard.signal,
  startedAt: toIso(shard.startedAt),
  finishedAt: toIso(shard.finishedAt),
  notBefore: toIso(shard.notBefore),
  reason: shard.reason,
  output: outputShape(execution, shard, kept),
  past: shard.past.map(past => ({ ...past, startedAt: toIso(past.startedAt), finishedAt: toIso(past.finishedAt) })),
});

/** Why it waits, or why it ended so. */
const reasonOf = ({ outcome, blockedReason, reason }: View<'execution'>['context']): string | null =>
  outcome === null ? (blockedReason ?? reason) : reason;

const executionShape = ({ context, value, rev, quarantine }: View<'execution'>, kept: Kept): Execution => ({
  id: context.id,
  job: context.job,
  trigger: context.trigger,
  dueAt: toIso(context.dueAt),
  retryOf: context.retryOf,
  createdAt: toIso(context.createdAt),
  startedAt: toIso(context.startedAt),
  finishedAt: toIso(context.finishedAt),
  status: value as Execution['status'],
  outcome: context.outcome,
  reason: quarantine ? `quarantined: ${quarantine.reason}` : reasonOf(context),
  quarantine: quarantineOf({ quarantine }),
  pool: context.config.pool,
  app: context.config.app,
  shards: context.shards.map(shardShape(context.id, kept)),
  rev,
});

export function executionRoutes(center: RouteContext): Route[] {
  const { views, store } = center;
  const find = (id: string) => oneOrNearest(views, 'execution', id);
  const shown = async (view: View<'execution'>) => executionShape(view, await keptOf([view]));
  /** Only for executions with ended shards that wrote output; others show no number. */
  const keptOf = async (views: View<'execution'>[]): Promise<Kept> => {
    const wrote = ({ output }: ShardState) => output !== null && output.stdoutBytes + output.stderrBytes > 0;
    const wrotes = views.filter(({ context }) => context.shards.some(wrote)).map(({ context }) => context);
    const ids = wrotes.map(({ id }) => id);
    const kept = await keptBytes(store, ids);
    const now = center.clock.now();
    for (const { id, shards } of wrotes) {
      for (const shard of shards) if (isArriving(shard, now)) await addArriving(store, id, shard, kept);
    }
    return kept;
  };
  return [
    on('GET /v1/executions', async ({ query: { job, host, ...query } }) => {
      const found = host === undefined ? undefined : await findHost(views, host);
      const page = await views.list('execution', presentFields({ ...query, parent: job, host: found?.context.id }));
      const kept = await keptOf(page.items);
      return pageOf(page, view => executionShape(view, kept));
    }),
    on('GET /v1/executions/:id', async ({ params }) => shown(await find(params.id))),
    on('POST /v1/executions/:id/cancel', async ({ params, user }) => {
      await cancelExecution(center, params.id, user?.name);
      return shown(await find(params.id));
    }),
    on('POST /v1/executions/:id/retry', async ({ params, key }) => visibleExecution(center, await retryExecution(center, params.id, key))),
    on('POST /v1/executions/:id/release', async ({ params }) => shown(await released(center, params.id, find))),
  ];
}
