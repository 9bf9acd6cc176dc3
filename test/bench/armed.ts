/**
 * Scheduled jobs in numbers: memory, and the time from kill -9 until every due time is met again;
 * then the same with 100,000 due times missed while the center was down, and one job that is due
 * each second beside them.
 *
 * The jobs are stored as a center would have left them (see `seed.ts`); the rest goes over HTTP. A
 * center counts as armed when its facts have the last late due time.
 */
import { feedCursor } from '../../src/store/cursor.ts';
import { type Cluster, until } from '../support/cluster.ts';
import { fillStore } from './bulk.ts';
import { aBareCluster, askDatabase, dataOf, memoryOf } from './cluster.ts';
import { type Seen, watchFacts } from './facts.ts';
import { aSimulatedFleet } from './fleet.ts';
import { atMost, type BenchResult, median, rounded, type Size } from './report.ts';
import { scheduledJobs } from './seed.ts';

/** A due time decided later than this was not met. */
const ON_TIME_MS = 100;
const HOUR = 3_600_000;

export async function bench({ quick }: Size): Promise<BenchResult[]> {
  if (quick) return [await armed(20_000, 'hourly', 2_000, 200), await missed(5_000)];
  return [await armed(100_000, 'hourly', 500, 200), await armed(1_000_000, 'daily', 10_000, 1_000), await missed(100_000)];
}

/** `count` jobs, evenly over the hour or the day. */
async function armed(count: number, spread: 'hourly' | 'daily', goalMs: number, goalMB: number): Promise<BenchResult> {
  const cluster = await aBareCluster();
  try {
    const seededMs = await seed(cluster, count, spread === 'hourly' ? hourly : daily, Date.now());
    await cluster.startCenter();
    const firstMemory = memoryOf(cluster.centerPid);
    const rounds: { served: number; armed: number; memory: number }[] = [];
    for (let round = 0; round < 3; round++) {
      let cursor = await settled(cluster);
      const killed = Date.now();
      await cluster.killCenter();
      await cluster.startCenter();
      const served = Date.now() - killed;
      const fires: Seen[] = [];
      const watching = await watchFacts(cluster.url, { kinds: 'job.fired', after: cursor }, fact => fires.push(fact));
      // Long enough that every second of the cycle has had its due times.
      await Bun.sleep(5_000);
      watching.close();
      cursor = watching.cursor ?? cursor;
      const late = fires.filter(({ at, data }) => at > killed && at - Date.parse(String(data.dueAt)) > ON_TIME_MS);
      if (fires.filter(({ at }) => at > killed).length === 0) throw new Error('nothing was due in five seconds');
      rounds.push({ served, armed: Math.max(served, ...late.map(({ at }) => at - killed)), memory: memoryOf(cluster.centerPid) });
    }
    const thousands = `${count / 1000} k jobs`;
    return {
      name: 'armed',
      judged: [
        atMost(`${thousands}, from kill -9 to all armed`, Math.round(median(rounds.map(each => each.armed))), goalMs, 'ms'),
        atMost(`${thousands}, memory`, median(rounds.map(each => each.memory)), goalMB, 'MB'),
      ],
      figures: {
        jobs: count,
        seededSeconds: rounded(seededMs / 1000, 1),
        firstStartMB: firstMemory,
        fromKillToServingMs: Math.round(median(rounds.map(each => each.served))),
        dueEverySecond: rounded(count / (spread === 'hourly' ? 3_600 : 86_400), 1),
      },
    };
  } finally {
    await cluster.close();
  }
}

/**
 * Each of the jobs had one due time in the hour that the center was down; beside them one job that
 * is due each second, with an agent of paper.
 */
async function missed(count: number): Promise<BenchResult> {
  const cluster = await aBareCluster();
  try {
    const from = Date.now() - 1.1 * HOUR;
    await seed(cluster, count, place => onceWithin(from, place, count), from - HOUR);
    await seed(cluster, 1, () => '* * * * * ?', Date.now(), 'eachSecond');
    const began = Date.now();
    await cluster.startCenter();
    const served = Date.now() - began;
    let decided = 0;
    let lastDecided = began;
    const seconds: { due: number; late: number }[] = [];
    const onFact = ({ type, arrived, data }: Seen) => {
      if (data.job === 'eachSecond0000000') {
        const due = Date.parse(String(data.dueAt ?? data.from));
        if (due > began + served) seconds.push({ due, late: arrived - due });
      } else if (type === 'job.skipped') {
        decided += Number(data.count);
        lastDecided = Math.max(lastDecided, arrived);
      }
    };
    // From the very beginning of the feed behind the seed: nothing was decided before this start.
    const watching = await watchFacts(cluster.url, { kinds: 'job.fired,job.skipped', after: emptyBeginning(cluster) }, onFact);
    const fleet = await aSimulatedFleet({ url: cluster.url, count: 1 });
    fleet.dial();
    await until('every missed due time is decided', () => decided >= count, 300_000);
    await fleet.allUp();
    // Three more seconds: late facts of due times before the end, and a quiet time to compare with.
    await Bun.sleep(3_500);
    watching.close();
    const during = seconds.filter(({ due }) => due <= lastDecided).map(({ late }) => late);
    const afterwards = seconds.filter(({ due }) => due > lastDecided).map(({ late }) => late);
    await fleet.close();
    const [ledger] = askDatabase<{ due: number }>(cluster, `select sum(count) as due from occurrences where verdict = 'missedDown'`);
    return {
      name: 'armed',
      judged: [
        atMost(`${count / 1000} k missed, all decided`, lastDecided - began, 10_000, 'ms'),
        atMost('the job of each second meanwhile, worst', Math.max(0, ...during), 1_000, 'ms'),
        atMost('missed due times without a verdict', count - (ledger?.due ?? 0), 0, 'due times'),
      ],
      figures: {
        missed: count,
        servedMs: served,
        secondsMeanwhile: during.length,
        eachSecondAfterwardsWorstMs: Math.max(0, ...afterwards),
        memoryMB: memoryOf(cluster.centerPid),
      },
    };
  } finally {
    await cluster.close();
  }
}

/** A step that shares no factor with the cycle reaches every second of it. */
const hourly = (place: number): string => `${place % 60} ${Math.floor(place / 60) % 60} * * * ?`;
const daily = (place: number): string => `${place % 60} ${Math.floor(place / 60) % 60} ${Math.floor(place / 3_600) % 24} * * ?`;

/** A time of day within the hour that begins then. */
function onceWithin(from: number, place: number, count: number): string {
  const at = new Date(from + Math.floor((place * HOUR) / count));
  return `${at.getUTCSeconds()} ${at.getUTCMinutes()} ${at.getUTCHours()} * * ?`;
}

async function seed(cluster: Cluster, count: number, cronOf: (place: number) => string, at: number, prefix = 'job'): Promise<number> {
  const began = performance.now();
  const job = scheduledJobs({ command: ['true'], resources: { cpus: 0.01, memoryMB: 1 } });
  await fillStore(dataOf(cluster), fill =>
    fill(count, place => job({ name: `${prefix}${String(place).padStart(7, '0')}`, cron: cronOf(place), at })),
  );
  return performance.now() - began;
}

/** The position in the feed behind the last stored fact. */
function emptyBeginning(cluster: Cluster): string {
  const [row] = askDatabase<{ sequence: number }>(
    cluster,
    `select coalesce(max(_id), 0) as sequence from facts where type = 'job.registered'`,
  );
  return feedCursor(row?.sequence ?? 0);
}

/** The newest cursor of the feed, once a fact has come along. */
async function settled(cluster: Cluster): Promise<string> {
  let seen: string | undefined;
  const watching = await watchFacts(cluster.url, { kinds: 'job.fired' }, ({ cursor }) => {
    seen = cursor;
  });
  await until('something is due', () => seen !== undefined);
  watching.close();
  return seen ?? '';
}
