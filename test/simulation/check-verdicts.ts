/** Every verdict against its process: the record matches the process, and `lost` needs a crash. */
import type { ExecutionContext, ShardAttempt, ShardState } from '../../actors/execution/types.ts';
import { executionsOf } from './checks.ts';
import type { Cluster } from './cluster.ts';
import type { Fault } from './faults.ts';
import type { Process } from './processes.ts';
import { START } from './system.ts';
import { stateOf } from './truth.ts';

/** A signal that crosses the end of its process: the keeper did not know of the end yet. */
const CROSSING_MS = 50;

/** Faults that can keep a host from its center for longer than its grace. */
const SEPARATING: Fault['kind'][] = [
  'centerCrash',
  'agentCrash',
  'reboot',
  'storeRefuses',
  'slowStore',
  'unknownCommit',
  'halfOpen',
  'drop',
  'cut',
];

type Attempt = Omit<ShardAttempt, 'host'>;

export function checkVerdicts(cluster: Cluster, faults: readonly Fault[]): void {
  const byRun = new Map(cluster.witness.processes.map(process => [process.run, process]));
  for (const execution of executionsOf(cluster)) {
    for (const shard of execution.shards) {
      for (const attempt of attemptsOf(shard)) {
        const run = `${execution.id}:${shard.item}:${attempt.attempt}`;
        const problem =
          problemOf(execution, attempt, byRun.get(run)) ?? (attempt.outcome === 'lost' ? unexplained(cluster, attempt, faults) : undefined);
        if (problem)
          cluster.system.fail(
            'verdict',
            `${run} on ${attempt.hostName} is "${attempt.outcome}" (${attempt.reason ?? 'no reason'}): ${problem}`,
          );
      }
    }
  }
}

function attemptsOf(shard: ShardState): Attempt[] {
  const { outcome } = shard;
  return outcome === null ? shard.past : [...shard.past, { ...shard, outcome }];
}

/** What does not fit, as the end of "is failed: ...". */
function problemOf({ config, cancelled }: ExecutionContext, attempt: Attempt, process: Process | undefined): string | undefined {
  const { outcome, exitCode, signal, reason } = attempt;
  if (outcome === 'lost') return undefined;
  if (outcome !== 'cancelled' && !process && (outcome !== 'failed' || !reason)) return 'no process ever ran';
  if (!process) return exitCode === null && signal === null ? undefined : 'it has an exit, and no process ever ran';
  const { end } = process;
  if (!end || process.endedAt === null) return 'its process never ended';
  if (end.code !== exitCode || end.signal !== signal)
    return `the record says ${signal ?? exitCode}, the process ended with ${end.signal ?? end.code}`;
  const wasSignalled = process.signalledAt !== null && process.signalledAt <= process.endedAt;
  switch (outcome) {
    case 'succeeded':
      return end.code === 0 ? undefined : `it ended with ${end.signal ?? end.code}`;
    case 'failed':
      return end.code !== 0 || /out of reach/.test(reason ?? '') ? undefined : 'it ended with 0';
    case 'timedOut': {
      if (config.timeoutMs === 0) return 'it has no timeout';
      const ranMs = (process.signalledAt ?? process.endedAt) - process.startedAt;
      return ranMs < config.timeoutMs - CROSSING_MS ? `it ran ${ranMs} ms, the limit is ${config.timeoutMs}` : undefined;
    }
    case 'cancelled':
      if (!cancelled) return 'nobody cancelled the execution';
      return wasSignalled ? undefined : 'it was not signalled before it ended';
  }
}

/** What explains that a host or a keeper could not account for the run; otherwise a sentence. */
function unexplained({ hosts, truth }: Cluster, { hostName, reason, finishedAt }: Attempt, faults: readonly Fault[]): string | undefined {
  const until = (finishedAt ?? START) - START;
  const crashes = (hosts.get(hostName ?? '')?.host.crashes ?? []).filter(crash => crash.at <= until);
  const happened = (what: string) => crashes.some(crash => crash.what === what);
  if (/machine restarted/.test(reason ?? '')) return happened('power') ? undefined : 'the machine did not restart';
  if (/keeper/.test(reason ?? '')) return happened('keeper') || happened('power') ? undefined : 'its keeper lived on';
  if (/was retired/.test(reason ?? '')) {
    const isRetired = [...truth.addresses].some(address => {
      const state = address.startsWith('host/') ? stateOf(truth, address) : undefined;
      return state?.value === 'retired' && state.context.name === hostName;
    });
    return isRetired ? undefined : 'nobody retired it';
  }
  if (/did not come back within/.test(reason ?? '')) {
    const separated = faults.some(
      fault => fault.atMs <= until && SEPARATING.includes(fault.kind) && (!('host' in fault) || fault.host === hostName),
    );
    return separated ? undefined : 'nothing kept its host away';
  }
  return 'its agent never forgot anything';
}
