/**
 * One seed: a story of two minutes with its faults, a while to settle without any, and then
 * everything that must be true.
 */

import type { Keep } from '../../src/services/retention.ts';
import { createTableCheck } from './check-tables.ts';
import { checkEverything } from './checks.ts';
import { type Breakage, createCluster, HOSTS, isQuiet } from './cluster.ts';
import { drawFaults, type Fault, strike, WORKERS } from './faults.ts';
import { createOperator } from './operator.ts';
import { hashOf } from './random.ts';
import { createSimulatedSystem } from './system.ts';
import { drawWorkload, FULL, type Size, withFiles } from './workload.ts';

export interface SeedOptions {
  seed: number;
  /** Instead of the ones the seed draws. */
  faults?: readonly Fault[];
  /** Kinds of faults to draw from; default: all. */
  kinds?: readonly Fault['kind'][];
  /** Default: FULL. */
  size?: Size;
  breakage?: Breakage;
  /**
   * Deletes old history while the seed runs. Default: all is kept, and the traces of seeds stay the
   * same.
   */
  keep?: Keep;
  /** Whether jobs have files. Default true. Without, traces of earlier seeds stay the same. */
  files?: boolean;
  /** Invariants that are not looked at. */
  ignores?: readonly string[];
  trace?: (line: string) => void;
}

export interface SeedResult {
  seed: number;
  faults: readonly Fault[];
  /** Empty when every invariant held. */
  violations: readonly string[];
  /** Simulated ms. */
  elapsed: number;
  executions: number;
  processes: number;
  commits: number;
  /** Executions and tombstones that left. */
  deleted: { executions: number; tombstones: number };
}

/** From the end of the faults until everything must be over. */
const SETTLE_MS = 120_000;
/** Half seconds in which the last pending effect must have been trimmed. */
const DRAIN_LOOKS = 10;
/** Between two looks at the allocation tables. */
const TABLES_EVERY_MS = 1_000;
/** Jobs are disabled at first without, then with an end to what still runs. */
const PATIENCE_MS = 12_000;

export function faultsOf(seed: number, { storyMs }: Size = FULL, kinds?: readonly Fault['kind'][]): Fault[] {
  return drawFaults(createSimulatedSystem(seed).random('faults'), HOSTS, storyMs, kinds);
}

export function runSeed({
  seed,
  size = FULL,
  kinds,
  faults = faultsOf(seed, size, kinds),
  breakage,
  keep,
  files = true,
  ignores,
  trace,
}: SeedOptions): SeedResult {
  const system = createSimulatedSystem(seed, trace, ignores);
  const { time } = system;
  const { storyMs } = size;
  const drawn = drawWorkload(system.random('workload'), system.random('starts'), size);
  const workload = files ? withFiles(system.random('files'), drawn) : drawn;
  const behaviours = new Map(workload.jobs.map(({ name, behaviour }) => [name, behaviour]));
  const workers = faults.some(({ kind }) => kind === 'workerCrash') ? WORKERS : 1;
  const cluster = createCluster({ system, behaviourOf: job => behaviours.get(job) ?? 'quick', breakage, keep, workers });
  const operator = createOperator({ ...cluster, workload, random: system.random('operator') });
  const failed = () => system.violations.length > 0;

  cluster.start();
  operator.begin();
  for (const fault of faults) {
    time.after(fault.atMs, () => {
      system.note('fault', () => JSON.stringify(fault));
      strike(fault, cluster);
    });
  }
  const checkTables = createTableCheck(cluster);
  for (let until = TABLES_EVERY_MS; until <= storyMs && !failed(); until += TABLES_EVERY_MS) {
    time.runUntil(until, failed);
    checkTables();
  }

  system.note('story', () => 'no more faults');
  heal(cluster);
  operator.wind(false);
  time.runUntil(storyMs + PATIENCE_MS, failed);
  checkTables();
  operator.wind(true);
  for (let until = time.elapsed + 1_000; until <= storyMs + SETTLE_MS && !failed(); until += 1_000) {
    time.runUntil(until, failed);
    if (operator.isDone && isQuiet(cluster)) break;
  }
  // Late reports of agents (the last of their output), for which no caller waits.
  time.runUntil(time.elapsed + 3_000, failed);
  // An agent may reconnect at this very moment: its effects are trimmed a little later, and must
  // be.
  for (let look = 0; look < DRAIN_LOOKS && hasPending(cluster) && !failed(); look++) time.runUntil(time.elapsed + 500, failed);
  if (!failed()) checkEverything(cluster, faults);
  return {
    ...{ seed, faults, violations: system.violations, elapsed: time.elapsed, commits: cluster.truth.commits },
    executions: [...cluster.truth.addresses].filter(address => address.startsWith('execution/')).length,
    processes: cluster.witness.processes.length,
    deleted: { executions: cluster.truth.deleted.size, tombstones: cluster.truth.buried.size },
  };
}

const hasPending = ({ truth }: ReturnType<typeof createCluster>): boolean =>
  [...truth.addresses].some(address => (truth.read(address)?.pendingEffects ?? '[]') !== '[]');

function heal({ trouble, network, centerPoint, hosts, mail }: ReturnType<typeof createCluster>): void {
  trouble.refusesUntil = trouble.slowUntil = 0;
  trouble.unknown.length = 0;
  network.heal();
  mail.heal();
  centerPoint.clear();
  for (const { point } of hosts.values()) point.clear();
}

/** One number for a whole trace. */
export function traceHash(seed: number, size: Size = FULL): number {
  let hash = 0x811c9dc5;
  runSeed({
    seed,
    size,
    trace(line) {
      hash = hashOf(line, hash);
    },
  });
  return hash;
}
