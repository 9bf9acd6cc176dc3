/** The invariants after every seed, under all its faults. */
import type { ExecutionContext } from '../../actors/execution/types.ts';
import type { LedgerHost } from '../../actors/pool/types.ts';
import { checkLedger, checkStartWithin } from './check-ledger.ts';
import { checkNotices } from './check-notices.ts';
import { checkOutput } from './check-output.ts';
import { checkVerdicts } from './check-verdicts.ts';
import type { Cluster } from './cluster.ts';
import type { Fault } from './faults.ts';
import { stateOf } from './truth.ts';
import { isLive } from './witness.ts';

export function checkEverything(cluster: Cluster, faults: readonly Fault[]): void {
  const { system } = cluster;
  const checks = [
    checkOver,
    checkDrained,
    checkFires,
    checkPool,
    checkServers,
    checkFeed,
    checkLedger,
    checkStartWithin,
    checkVerdicts,
    checkOutput,
    checkNotices,
  ];
  for (const check of checks) {
    if (system.violations.length > 0) return;
    check(cluster, faults);
  }
}

export function* executionsOf({ truth }: Cluster): Generator<ExecutionContext & { value: unknown }> {
  for (const address of truth.addresses) {
    if (!address.startsWith('execution/')) continue;
    const state = stateOf(truth, address);
    if (state) yield { ...(state.context as unknown as ExecutionContext), value: state.value };
  }
}

/** I6: every execution has ended, and so have all processes. */
function checkOver(cluster: Cluster): void {
  const { system, witness } = cluster;
  for (const { id, value, reason, shards } of executionsOf(cluster)) {
    if (value === 'done') continue;
    const states = shards.map(shard => `${shard.item}:${shard.attempt} ${shard.status}`).join(', ');
    system.fail('I6', `execution ${id} is still ${String(value)} (${states}): ${reason}`);
  }
  for (const process of witness.processes)
    if (isLive(process)) system.fail('I6', `a process of ${process.run} still runs on ${process.host}`);
}

/** I8. */
function checkDrained({ system, truth }: Cluster): void {
  for (const address of truth.addresses) {
    const document = truth.read(address);
    if (document && document.pendingEffects !== '[]') system.fail('I8', `${address} still owes ${document.pendingEffects.slice(0, 300)}`);
    if (document?.quarantined) system.fail('quarantine', `${address} is in quarantine`);
  }
}

/** I4: at most one execution per job and due instant. */
function checkFires(cluster: Cluster): void {
  const seen = new Map<string, string>();
  for (const { id, job, dueAt } of executionsOf(cluster)) {
    if (dueAt === null) continue;
    const before = seen.get(`${job} ${dueAt}`);
    if (before) cluster.system.fail('I4', `${before} and ${id} stand for the same due time of ${job}`);
    seen.set(`${job} ${dueAt}`, id);
  }
}

/** No reservation is left: the ledger of the pool is back at nothing. */
function checkPool({ system, truth }: Cluster): void {
  const context = stateOf(truth, 'pool/default')?.context as { hosts: Record<string, LedgerHost>; waiting: unknown[] } | undefined;
  for (const { name, used, reservations } of Object.values(context?.hosts ?? {})) {
    const left = Object.keys(reservations);
    if (left.length > 0 || used.cpu !== 0 || used.memory !== 0) {
      system.fail('pool', `host ${name} has ${used.cpu} cpu and ${used.memory} memory given away, to ${left.join(', ') || 'nobody'}`);
    }
  }
  if (context && context.waiting.length > 0) system.fail('pool', `${context.waiting.length} requests still wait`);
}

/** No run is placed on a host that the servers of its pool or of its job do not name. */
function checkServers({ system, truth }: Cluster): void {
  const excluded = new Set<unknown>();
  for (const { type, data } of truth.factsOf('pool/default')) {
    if (type === 'pool.hostExcluded') excluded.add(data.host);
    if (type === 'pool.hostAdmitted') excluded.delete(data.host);
    if (type !== 'pool.placed') continue;
    for (const { host, item } of data.placed as { host: string; item: number }[]) {
      const execution = stateOf(truth, `execution/${String(data.execution)}`)?.context as ExecutionContext | undefined;
      const { name = '' } = (stateOf(truth, `host/${host}`)?.context ?? {}) as { name?: string };
      const named = execution?.config.servers ?? [];
      if (named.length > 0 && !named.some(each => each.toLowerCase() === name))
        system.fail('servers', `shard ${item} of ${String(data.execution)} was placed on ${name}, its servers are ${named.join()}`);
      if (excluded.has(host)) system.fail('servers', `shard ${item} of ${String(data.execution)} was placed on the excluded host ${host}`);
    }
  }
}

/** I9, and one reservation per run and host: repeats of a request are dropped. */
function checkFeed({ system, truth }: Cluster): void {
  for (const address of truth.addresses) {
    let last = { rev: 0, position: -1 };
    for (const { rev, position } of truth.factsOf(address)) {
      if (rev < last.rev || (rev === last.rev && position <= last.position))
        system.fail('I9', `facts of ${address} are out of order at rev ${rev}`);
      last = { rev, position };
    }
  }
  const placed = new Set<string>();
  for (const fact of truth.factsOf('pool/default')) {
    if (fact.type !== 'pool.placed') continue;
    for (const { item, attempt, host } of fact.data.placed as { item: number; attempt: number; host: string }[]) {
      // A shard of a sticky job gives back a place on the host that its job has left.
      const run = `${String(fact.data.execution)}:${item}:${attempt} on ${host}`;
      if (placed.has(run)) system.fail('repeat', `the pool gave room to ${run} twice`);
      placed.add(run);
    }
  }
}
