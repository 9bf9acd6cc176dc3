/**
 * The faults of a seed: up to ten, each with its instant. Plain data, so that a failure can be
 * tried again with fewer of them.
 */

import type { SimulatedHost } from './host.ts';
import type { Direction, Network } from './network.ts';
import type { Random } from './random.ts';
import type { SimulatedTime } from './time.ts';
import type { StoreTrouble } from './truth.ts';

type Moment = 'before' | 'after';

export type Fault = { atMs: number } & (
  | { kind: 'centerCrash'; call: number; when: Moment; backMs: number }
  /** : one of the 256. */
  | { kind: 'workerCrash'; partition: number }
  | { kind: 'agentCrash'; host: string; call: number; when: Moment; backMs: number }
  | { kind: 'keeperCrash'; host: string }
  | { kind: 'reboot'; host: string; backMs: number }
  | { kind: 'unknownCommit'; outcomes: StoreTrouble['unknown'] }
  | { kind: 'storeRefuses'; ms: number }
  | { kind: 'slowStore'; ms: number; slowMs: number }
  | { kind: 'cut'; host: string }
  | { kind: 'halfOpen'; host: string; ms: number }
  | { kind: 'drop'; host: string; direction: Direction }
  | { kind: 'repeat'; host: string; direction: Direction; count: number }
  | { kind: 'reorder'; host: string; direction: Direction; ms: number }
  | { kind: 'replay'; host: string; direction: Direction; count: number }
);

export const FAULTS_MAX = 10;
/** Some seeds have several workers and lose some of them, besides all other faults. */
const WORKER_CRASHES_MAX = 3;
/** Partition workers of a center. */
export const WORKERS = 3;
const KINDS: Fault['kind'][] = [
  ...(['centerCrash', 'centerCrash', 'agentCrash', 'agentCrash', 'keeperCrash', 'reboot', 'unknownCommit', 'unknownCommit'] as const),
  ...(['storeRefuses', 'slowStore', 'cut', 'halfOpen', 'drop', 'repeat', 'reorder', 'replay', 'replay'] as const),
];

/** Up to ten, all of them within `storyMs`. */
export function drawFaults(random: Random, hosts: readonly string[], storyMs: number, kinds: readonly Fault['kind'][] = KINDS): Fault[] {
  const count = random.whole(0, FAULTS_MAX);
  const faults = Array.from({ length: count }, () =>
    drawFault(random, random.pick(kinds), random.pick(hosts), random.whole(500, storyMs - 1_000)),
  );
  if (kinds === KINDS && random.chance(0.4)) {
    const deaths = random.whole(1, WORKER_CRASHES_MAX);
    for (let death = 0; death < deaths; death++) faults.push(drawFault(random, 'workerCrash', '', random.whole(500, storyMs - 1_000)));
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}

function drawFault(random: Random, kind: Fault['kind'], host: string, atMs: number): Fault {
  const direction = random.pick<Direction>(['toAgent', 'toCenter']);
  const call = random.whole(1, 40);
  const when = random.pick<Moment>(['before', 'after']);
  switch (kind) {
    case 'centerCrash':
      return { atMs, kind, call, when, backMs: random.pick([20, 300, 2_000, 9_000]) };
    case 'workerCrash':
      return { atMs, kind, partition: random.whole(0, 255) };
    case 'agentCrash':
      return { atMs, kind, host, call, when, backMs: random.pick([50, 500, 4_000, 20_000]) };
    case 'keeperCrash':
      return { atMs, kind, host };
    case 'reboot':
      return { atMs, kind, host, backMs: random.pick([1_000, 6_000, 25_000]) };
    case 'unknownCommit':
      return {
        atMs,
        kind,
        outcomes: Array.from({ length: random.whole(1, 3) }, () => random.pick(['applied', 'lost', 'partly'] as const)),
      };
    case 'storeRefuses':
      return { atMs, kind, ms: random.pick([300, 2_000, 8_000]) };
    case 'slowStore':
      return { atMs, kind, ms: random.whole(2_000, 10_000), slowMs: random.whole(50, 2_000) };
    case 'cut':
      return { atMs, kind, host };
    case 'halfOpen':
      return { atMs, kind, host, ms: random.pick([100, 8_000, 35_000]) };
    case 'drop':
      return { atMs, kind, host, direction };
    case 'repeat':
      return { atMs, kind, host, direction, count: random.whole(1, 20) };
    case 'reorder':
      return { atMs, kind, host, direction, ms: random.pick([20, 500, 5_000]) };
    case 'replay':
      return { atMs, kind, host, direction, count: random.whole(3, 40) };
  }
}

/** A crash that waits for its call: the program dies before or after the nth call from now on. */
export interface PlannedCrash {
  call: number;
  when: Moment;
  die(): void;
}

/** The calls of one program to its ports, counted, and the call at which it can die. */
export interface CrashPoint {
  plan(crash: PlannedCrash): void;
  clear(): void;
  /** A call begins: its number, or 0 when the program died before it. */
  before(name: string): number;
  /** That call has taken effect. False: the program died of it, and gets no result. */
  after(call: number): boolean;
  readonly calls: number;
}

export function createCrashPoint(): CrashPoint {
  let planned: PlannedCrash[] = [];
  let calls = 0;
  const dies = (when: Moment, call: number): boolean => {
    if (planned.length === 0) return false;
    const crash = planned.find(each => each.when === when && each.call <= call);
    planned = planned.filter(each => each !== crash);
    crash?.die();
    return crash !== undefined;
  };
  return {
    plan: crash => void planned.push({ ...crash, call: calls + crash.call }),
    clear() {
      planned = [];
    },
    before() {
      calls += 1;
      return dies('before', calls) ? 0 : calls;
    },
    after: call => !dies('after', call),
    get calls() {
      return calls;
    },
  };
}

export interface Victims {
  time: SimulatedTime;
  network: Network;
  trouble: StoreTrouble;
  center: { kill(backMs: number): void; killWorker(partition: number): void };
  centerPoint: CrashPoint;
  hosts: ReadonlyMap<string, { host: SimulatedHost; point: CrashPoint }>;
}

/** Lets it happen. */
export function strike(fault: Fault, { time, network, trouble, center, centerPoint, hosts }: Victims): void {
  switch (fault.kind) {
    case 'centerCrash':
      return centerPoint.plan({ call: fault.call, when: fault.when, die: () => center.kill(fault.backMs) });
    case 'workerCrash':
      return center.killWorker(fault.partition);
    case 'agentCrash': {
      const there = hosts.get(fault.host);
      return there?.point.plan({ call: fault.call, when: fault.when, die: () => there.host.killAgent(fault.backMs) });
    }
    case 'keeperCrash':
      return hosts.get(fault.host)?.host.killKeeper();
    case 'reboot':
      return hosts.get(fault.host)?.host.cutPower(fault.backMs);
    case 'unknownCommit':
      trouble.unknown.push(...fault.outcomes);
      return;
    case 'storeRefuses':
      trouble.refusesUntil = time.elapsed + fault.ms;
      return;
    case 'slowStore':
      trouble.slowUntil = time.elapsed + fault.ms;
      trouble.slowMs = fault.slowMs;
      return;
    case 'cut':
      return network.cut(fault.host);
    case 'halfOpen':
      return network.silence(fault.host, fault.ms);
    case 'drop':
      return network.dropNext(fault.host, fault.direction);
    case 'repeat':
      return network.repeatNext(fault.host, fault.direction, fault.count);
    case 'reorder':
      return network.holdNext(fault.host, fault.direction, fault.ms);
    case 'replay':
      return network.replay(fault.host, fault.direction, fault.count);
  }
}
