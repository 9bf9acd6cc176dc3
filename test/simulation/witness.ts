/**
 * Watches the ports while it happens: nothing leaves without its commit (I2), commands of an
 * earlier owner are not carried out, no process starts that may not (I5, I7).
 */
import type { ExecutionContext, ShardState } from '../../actors/execution/types.ts';
import { type Command, keyOfRun, type Report } from '../../src/protocol/agent.ts';
import type { Occurrence, Store } from '../../src/store/port.ts';
import type { Direction } from './network.ts';
import type { Process } from './processes.ts';
import type { SimulatedSystem } from './system.ts';
import { stateOf, type Truth } from './truth.ts';

export interface Witness {
  /** A frame leaves. */
  sends(host: string, direction: Direction, text: string): void;
  /** A frame is handed over. */
  arrives(host: string, direction: Direction, text: string): void;
  /** A process is about to start. */
  starts(process: Process): void;
  /** The same store, with an eye on the ledger. */
  watch(store: Store): Store;
  readonly processes: Process[];
}

export const isLive = (process: Process): boolean => process.end === null || process.isChildAlive;

export function createWitness(system: SimulatedSystem, truth: Truth): Witness {
  const processes: Process[] = [];
  const byRun = new Map<string, Process>();
  /**
   * Highest epoch that reached a host with a command, by key; and the highest it acknowledged, by
   * partition.
   */
  const offered = new Map<string, { partition: number; epoch: number; command: Command }>();
  const acknowledged = new Map<string, number>();
  /** Runs whose end an agent reported: final, whatever was under way to its keeper. */
  const ended = new Set<string>();

  function leaves(host: string, { key, type }: Command): void {
    const [address, rev] = partsOf(key);
    const pendingEffects = truth.pendingEffectsOf(address, rev);
    if (!pendingEffects?.includes(`"key":"${key}"`)) system.fail('I2', `a ${type} left for ${host} with key ${key}, which no commit owes`);
  }

  function acknowledges(host: string, key: string): void {
    const known = offered.get(`${host} ${key}`);
    if (!known) {
      system.fail('I6', `${host} acknowledged ${key}, which it was never sent`);
      return;
    }
    const place = `${host} ${known.partition}`;
    const highest = acknowledged.get(place) ?? 0;
    if (known.epoch < highest) {
      system.fail(
        'fence',
        `${host} carried out ${key} of epoch ${known.epoch} after one of epoch ${highest} in partition ${known.partition}`,
      );
    }
    acknowledged.set(place, Math.max(highest, known.epoch));
  }

  /** The verdict that stands for this attempt, and whether it is the present one. */
  function shardOf(run: string): { context: ExecutionContext; value: unknown; shard: ShardState | undefined; attempt: number } | undefined {
    const state = stateOf(truth, `execution/${executionOf(run)}`);
    if (!state) return undefined;
    const context = state.context as unknown as ExecutionContext;
    const [item, attempt] = run.split(':').slice(-2).map(Number);
    return { context, value: state.value, shard: context.shards[item ?? -1], attempt: attempt ?? 0 };
  }

  function isLost(run: string): boolean {
    const found = shardOf(run);
    if (!found?.shard) return false;
    const { shard, attempt } = found;
    if (shard.attempt === attempt) return shard.outcome === 'lost';
    return shard.past.some(past => past.attempt === attempt && past.outcome === 'lost');
  }

  return {
    processes,
    sends(host, direction, text) {
      if (direction === 'toAgent' && /^\{"type":"(start|stop)"/.test(text)) leaves(host, JSON.parse(text) as Command);
      if (direction === 'toCenter' && text.startsWith('{"type":"commandsAcknowledged"')) {
        for (const key of (JSON.parse(text) as { keys: string[] }).keys) acknowledges(host, key);
      }
      if (direction === 'toCenter' && text.startsWith('{"type":"report"')) {
        const report = JSON.parse(text) as Report;
        if (report.state === 'ended') ended.add(keyOfRun(report.run));
      }
    },
    arrives(host, direction, text) {
      if (direction !== 'toAgent' || !/^\{"type":"(start|stop)"/.test(text)) return;
      const command = JSON.parse(text) as Command;
      const { partition, epoch } = command.fence;
      const known = offered.get(`${host} ${command.key}`);
      if (!known || known.epoch < epoch) offered.set(`${host} ${command.key}`, { partition, epoch, command });
    },
    starts(process) {
      const { run, host } = process;
      const before = byRun.get(run);
      if (before) system.fail('I5', `${run} starts on ${host}, and has run on ${before.host} already`);
      byRun.set(run, process);
      if (ended.has(run)) system.fail('I7', `${run} starts on ${host} after its end was reported`);
      const found = shardOf(run);
      if (!found?.shard) {
        system.fail('I2', `${run} starts, and there is no such shard`);
        return;
      }
      const { value, shard, attempt } = found;
      const isWanted = value !== 'done' && shard.attempt === attempt && ['starting', 'running', 'ending'].includes(shard.status);
      if (!isWanted && !isLost(run))
        system.fail('I7', `${run} starts on ${host} while its execution is ${String(value)}, its shard ${shard.status}`);
      // Its host was cut off when the other hosts went on without it: `failover` allows that, and
      // this process is the price.
      if (isLost(run)) return;
      // Of every edit: a job that allowed several at once may still have them open.
      const overlaps = [...truth.configsOf(`job/${process.job}`).values()].map(config => config.overlap);
      for (const other of processes) {
        if (other.job !== process.job || !isLive(other) || other.run === run || isLost(other.run)) continue;
        const sameShard = shardName(other.run) === shardName(run);
        const sameExecution = executionOf(other.run) === executionOf(run);
        if (sameShard) system.fail('I5', `${run} starts on ${host} beside ${other.run} on ${other.host}`);
        else if (!sameExecution && !overlaps.includes('allow')) {
          system.fail('overlap', `${run} starts beside ${other.run}, and the job's overlap was ${overlaps.join(', ')}`);
        }
      }
    },
    watch: store => ({
      ...store,
      async record(entries: Occurrence[]) {
        for (const { job, to } of entries) {
          const watermark = Number(/"watermark":(\d+)/.exec(truth.read(`job/${job}`)?.state ?? '')?.[1] ?? 0);
          if (watermark < to)
            system.fail('I2', `the ledger got a verdict of ${job} for ${new Date(to).toISOString()}, which no commit has`);
        }
        await store.record(entries);
      },
    }),
  };
}

export const executionOf = (run: string): string => run.split(':').slice(0, -2).join(':');
const shardName = (run: string): string => run.split(':').slice(0, -1).join(':');

/** Address and rev of an effect's key, `address:rev:index`. */
function partsOf(key: string): [address: string, rev: number] {
  const parts = key.split(':');
  return [parts.slice(0, -2).join(':'), Number(parts.at(-2))];
}
