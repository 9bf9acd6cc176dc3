/**
 * Scheduled jobs in numbers: memory, and the time from kill -9 until every due time is met again;
 * then the same with 100,000 due times missed while the center was down, and one job that is due
 * each second beside them.
 *
 * The jobs are put into the store as a center would have left them (see `seed.ts`); from then on
 * everything goes through the front door. A center counts as armed when the last due time that it
 * met late is behind it: what is seen in its facts, not what it says of itself.
 */
import { feedCursor } from '../../src/store/cursor.ts';
import { type House, until } from '../support/house.ts';
import { fillStore } from './bulk.ts';
import { type Seen, watchFacts } from './facts.ts';
import { aPaperFleet } from './fleet.ts';
import { aBareHouse, askDatabase, dataOf, memoryOf } from './house.ts';
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
  const house = await aBareHouse();
  try {
    const seededMs = await seed(house, count, spread === 'hourly' ? hourly : daily, Date.now());
    await house.startCenter();
    const firstMemory = memoryOf(house.centerPid);
    const rounds: { served: number; armed: number; memory: number }[] = [];
    for (let round = 0; round < 3; round++) {
      let cursor = await settled(house);
      const killed = Date.now();
      await house.killCenter();
      await house.startCenter();
      const served = Date.now() - killed;
      const fires: Seen[] = [];
      const watching = await watchFacts(house.url, { kinds: 'job.fired', after: cursor }, fact => fires.push(fact));
      // Long enough that every second of the cycle has had its due times.
      await Bun.sleep(5_000);
      watching.close();
      cursor = watching.cursor ?? cursor;
      const late = fires.filter(({ at, data }) => at > killed && at - Date.parse(String(data.dueAt)) > ON_TIME_MS);
      if (fires.filter(({ at }) => at > killed).length === 0) throw new Error('nothing was due in five seconds');
      rounds.push({ served, armed: Math.max(served, ...late.map(({ at }) => at - killed)), memory: memoryOf(house.centerPid) });
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
    await house.close();
  }
}

/**
 * Each of the jobs had one due time in the hour that the center was down; beside them one job that
 * is due each second, with an agent of paper.
 */
async function missed(count: number): Promise<BenchResult> {
  const house = await aBareHouse();
  try {
    const from = Date.now() - 1.1 * HOUR;
    await seed(house, count, place => onceWithin(from, place, count), from - HOUR);
    await seed(house, 1, () => '* * * * * ?', Date.now(), 'eachSecond');
    const began = Date.now();
    await house.startCenter();
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
    const watching = await watchFacts(house.url, { kinds: 'job.fired,job.skipped', after: emptyBeginning(house) }, onFact);
    const fleet = await aPaperFleet({ url: house.url, count: 1 });
    fleet.dial();
    await until('every missed due time is decided', () => decided >= count, 300_000);
    await fleet.allUp();
    // Three more seconds: what was due before the end may arrive after it, and some of peace to
    // compare with.
    await Bun.sleep(3_500);
    watching.close();
    const during = seconds.filter(({ due }) => due <= lastDecided).map(({ late }) => late);
    const afterwards = seconds.filter(({ due }) => due > lastDecided).map(({ late }) => late);
    await fleet.close();
    const [ledger] = askDatabase<{ due: number }>(house, `select sum(count) as due from occurrences where verdict = 'missedDown'`);
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
        memoryMB: memoryOf(house.centerPid),
      },
    };
  } finally {
    await house.close();
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

async function seed(house: House, count: number, cronOf: (place: number) => string, at: number, prefix = 'job'): Promise<number> {
  const began = performance.now();
  const job = scheduledJobs({ command: ['true'], resources: { cpus: 0.01, memoryMB: 1 } });
  await fillStore(dataOf(house), fill =>
    fill(count, place => job({ name: `${prefix}${String(place).padStart(7, '0')}`, cron: cronOf(place), at })),
  );
  return performance.now() - began;
}

/** The place in the feed behind everything that was put there. */
function emptyBeginning(house: House): string {
  const [row] = askDatabase<{ sequence: number }>(
    house,
    `select coalesce(max(_id), 0) as sequence from facts where type = 'job.registered'`,
  );
  return feedCursor(row?.sequence ?? 0);
}

/** The newest cursor of the feed, once a fact has come along. */
async function settled(house: House): Promise<string> {
  let seen: string | undefined;
  const watching = await watchFacts(house.url, { kinds: 'job.fired' }, ({ cursor }) => {
    seen = cursor;
  });
  await until('something is due', () => seen !== undefined);
  watching.close();
  return seen ?? '';
}
