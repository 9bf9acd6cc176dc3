/**
 * The small story of the crash walk: an app, a job with two shards that fires once by its schedule
 * and once by a trigger, a job without an end that is cancelled, a sticky job whose host drains;
 * all of them go. One crash, if any, at the nth call of the center or of one agent to its ports.
 */
import { aJob } from '../support/builders.ts';
import { createTableCheck } from './check-tables.ts';
import { checkEverything } from './checks.ts';
import { createCluster, isQuiet } from './cluster.ts';
import type { Fault } from './faults.ts';
import { createOperator } from './operator.ts';
import { createSimulatedSystem } from './system.ts';
import type { Workload } from './workload.ts';

export interface Point {
  /** The program that dies: `center`, or the name of a host. */
  who: 'center' | 'h1' | 'h2';
  call: number;
  when: 'before' | 'after';
}

export interface StoryResult {
  violations: readonly string[];
  /** Calls to the ports until the story was over, by program. */
  calls: Record<Point['who'], number>;
  /** The crash happened. */
  reached: boolean;
  executions: number;
}

const END_MS = 11_000;
const SETTLE_MS = 60_000;
/** The center restarts soon, so that the story includes it. */
const BACK_MS = 150;

const twoShards = aJob({
  name: 'twice',
  app: 'alpha',
  command: ['work', 'quick'],
  shards: { total: 2, parameters: {} },
  schedules: [{ type: 'cron', cron: '7 * * * * ?' }],
  placement: 'spread',
  overlap: 'queue',
});
const sticky = aJob({ name: 'sticky', command: ['work', 'quick'], shards: { total: 2, parameters: {} }, placement: 'sticky' });
const endless = aJob({ name: 'endless', command: ['work', 'endless'], killGraceMs: 300 });

const WORKLOAD: Workload = {
  apps: ['alpha'],
  jobs: [
    { name: 'twice', behaviour: 'quick', config: twoShards, registerAtMs: 5_600 },
    { name: 'endless', behaviour: 'endless', config: endless, registerAtMs: 5_700 },
    { name: 'sticky', behaviour: 'quick', config: sticky, registerAtMs: 5_800 },
  ],
  acts: [
    { do: 'trigger', job: 'endless', key: 'b', atMs: 6_500 },
    { do: 'trigger', job: 'sticky', key: 'c', atMs: 6_600 },
    { do: 'cancel', job: 'endless', nth: 0, atMs: 7_600 },
    { do: 'trigger', job: 'twice', key: 'a', atMs: 8_100 },
    { do: 'deregister', job: 'twice', atMs: 9_500 },
    { do: 'deregister', job: 'endless', atMs: 9_600 },
    // Its rows leave one of the hosts, and return.
    { do: 'drain', host: 1, atMs: 8_800 },
    { do: 'resume', host: 1, atMs: 9_300 },
    { do: 'deregister', job: 'sticky', atMs: 9_900 },
  ],
};

export function runStory(point?: Point, trace?: (line: string) => void): StoryResult {
  const system = createSimulatedSystem(1, trace);
  const { time } = system;
  const cluster = createCluster({ system, behaviourOf: job => (job === 'endless' ? 'endless' : 'quick'), names: ['h1', 'h2'] });
  const operator = createOperator({ ...cluster, workload: WORKLOAD, random: system.random('operator') });
  const pointOf = (who: Point['who']) => (who === 'center' ? cluster.centerPoint : cluster.hosts.get(who)?.point);
  const failed = () => system.violations.length > 0;
  const faults: Fault[] = [];
  if (point) {
    const { who, call, when } = point;
    faults.push(
      who === 'center'
        ? { atMs: 0, kind: 'centerCrash', call, when, backMs: BACK_MS }
        : { atMs: 0, kind: 'agentCrash', host: who, call, when, backMs: BACK_MS },
    );
    const die = () => (who === 'center' ? cluster.center.kill(BACK_MS) : cluster.hosts.get(who)?.host.killAgent(BACK_MS));
    pointOf(who)?.plan({ call, when, die });
  }
  cluster.start();
  operator.begin();
  const checkTables = createTableCheck(cluster);
  for (let until = 6_000; until <= END_MS; until += 250) {
    time.runUntil(until, failed);
    checkTables();
  }
  operator.wind(true);
  for (let until = time.elapsed + 500; until <= SETTLE_MS && !failed(); until += 500) {
    time.runUntil(until, failed);
    if (operator.isDone && isQuiet(cluster)) break;
  }
  time.runUntil(time.elapsed + 1_000, failed);
  const calls = { center: cluster.centerPoint.calls, h1: pointOf('h1')?.calls ?? 0, h2: pointOf('h2')?.calls ?? 0 };
  if (!failed()) checkEverything(cluster, faults);
  const died = point?.who === 'center' ? cluster.center.deaths.length : (cluster.hosts.get(point?.who ?? '')?.host.crashes.length ?? 0);
  const executions = [...cluster.truth.addresses].filter(address => address.startsWith('execution/')).length;
  return { violations: system.violations, calls, reached: died > 0, executions };
}
