/** Twenty jobs and what an operator does to them in two minutes, drawn from the seed. */
import type { JobConfig, JobFile } from '../../actors/job/types.ts';
import type { NoticeSetting } from '../../actors/notice/types.ts';
import { aJob } from '../support/builders.ts';
import { NOBODY } from './mail.ts';
import { hashOf, type Random, randomOf } from './random.ts';
import type { Behaviour } from './script.ts';

export interface Cron {
  text: string;
  /**
   * Seconds of each minute that it names: what the ledger is checked against, without asking the
   * product's own reading of it.
   */
  seconds: readonly number[];
}

export interface JobPlan {
  name: string;
  behaviour: Behaviour;
  config: JobConfig;
  registerAtMs: number;
}

export type Act =
  | { do: 'trigger'; job: string; key?: string }
  | { do: 'cancel'; job: string; nth: number }
  | { do: 'retry'; job: string }
  | { do: 'disable'; job: string; kill: boolean }
  | { do: 'enable'; job: string }
  | { do: 'update'; job: string; config: JobConfig }
  | { do: 'deregister'; job: string }
  | { do: 'register'; job: string; config: JobConfig }
  | { do: 'appModify'; app: string }
  | { do: 'appDisable'; app: string; kill: boolean }
  | { do: 'appEnable'; app: string }
  | { do: 'drain'; host: number }
  | { do: 'resume'; host: number }
  | { do: 'retire'; host: number }
  /** Only while the job is idle. */
  | { do: 'start'; job: string }
  | { do: 'stop'; job: string }
  | { do: 'servers'; servers: string[] };

export interface Workload {
  apps: string[];
  jobs: JobPlan[];
  acts: (Act & { atMs: number })[];
}

/** How much happens in one seed. */
export interface Size {
  jobs: number;
  storyMs: number;
}
export const FULL: Size = { jobs: 20, storyMs: 120_000 };
/** For the suite, which has seconds and no minutes. */
export const SMALL: Size = { jobs: 8, storyMs: 40_000 };

const every = (from: number, step: number): number[] => {
  const seconds: number[] = [];
  for (let second = from; second < 60; second += step) seconds.push(second);
  return seconds;
};

/** Every cron text a simulation uses, with its own reading. */
export const CRONS: readonly Cron[] = [
  { text: '* * * * * ?', seconds: every(0, 1) },
  { text: '0/5 * * * * ?', seconds: every(0, 5) },
  { text: '3/7 * * * * ?', seconds: every(3, 7) },
  { text: '*/20 * * * * ?', seconds: every(0, 20) },
  { text: '10/25 * * * * ?', seconds: every(10, 25) },
  { text: '0,17,44 * * * * ?', seconds: [0, 17, 44] },
  { text: '11-13 * * * * ?', seconds: [11, 12, 13] },
  { text: '30 * * * * ?', seconds: [30] },
  { text: '7 * * * * ?', seconds: [7] },
];

export const secondsOf = (text: string): readonly number[] => CRONS.find(cron => cron.text === text)?.seconds ?? [];

const ENDLESS: Behaviour[] = ['endless', 'stubborn'];

function scheduleOf(random: Random, behaviour: Behaviour, place: number): string[] {
  if (place === 0) return ['* * * * * ?'];
  if (place === 1) return [random.pick(['0/5 * * * * ?', '3/7 * * * * ?', '*/20 * * * * ?'])];
  if (random.chance(0.6)) return [];
  if (behaviour !== 'quick' || random.chance(0.8)) return [random.pick(['10/25 * * * * ?', '30 * * * * ?', '30 * * * * ?', '7 * * * * ?'])];
  return ['11-13 * * * * ?', '0,17,44 * * * * ?'];
}

function planJob(random: Random, place: number, apps: string[]): JobPlan {
  const behaviour: Behaviour =
    place === 0
      ? // A fire a second is a story of its own: mostly one that meets the execution before it.
        random.pick(['quick', 'slow', 'slow', 'endless', 'stubborn'])
      : random.pick(['quick', 'quick', 'slow', 'failing', 'failing', 'endless', 'stubborn', 'chatty', 'littering', 'unstartable']);
  const name = `job${place}_${behaviour}`;
  return { name, behaviour, config: configOf(random, name, behaviour, place, apps), registerAtMs: random.whole(100, 6_000) };
}

function configOf(random: Random, name: string, behaviour: Behaviour, place: number, apps: string[]): JobConfig {
  const overlap =
    place === 0 ? random.pick(['skip', 'skip', 'queue', 'allow'] as const) : random.pick(['skip', 'queue', 'allow', 'replace'] as const);
  const total = place > 1 && random.chance(0.3) ? random.whole(2, 5) : 1;
  const needsEnd = ENDLESS.includes(behaviour) || behaviour === 'slow';
  const stops = random.chance(0.15);
  const config = aJob({
    name,
    app: random.chance(0.4) ? random.pick(apps) : null,
    command: ['work', behaviour],
    shards: { total, parameters: {} },
    schedules: scheduleOf(random, behaviour, place).map(cron => ({ type: 'cron' as const, cron })),
    timeZone: random.pick(['UTC', 'UTC', 'Europe/Berlin', 'Asia/Kolkata']),
    resources: { cpus: random.pick([0.1, 0.1, 0.25, 0.5, 1]), memoryMB: 64 },
    placement: random.pick(['pack', 'spread', 'sticky'] as const),
    partial: random.chance(0.3),
    overlap,
    overlapLimit: overlap === 'allow' ? random.whole(2, 3) : random.whole(1, 2),
    misfire: { policy: random.pick(['skip', 'once', 'all'] as const), limit: random.whole(1, 4) },
    misfireGraceMs: random.pick([60_000, 2_000, 5_000]),
    retry: { attempts: random.pick([1, 1, 2, 3]), backoffMs: random.whole(100, 1_500), maxBackoffMs: 5_000, jitter: 'equal' },
    failover: random.chance(0.5),
    failoverLimit: random.whole(1, 3),
    disconnect: stops ? 'stop' : 'continue',
    disconnectMs: stops ? random.whole(2_000, 9_000) : 0,
    timeoutMs: needsEnd && random.chance(0.6) ? random.whole(1_000, 9_000) : 0,
    killGraceMs: random.whole(200, 2_500),
  });
  // A random source of its own: a new policy changes known seeds as little as possible.
  const known = { ...config, retry: { ...config.retry, jitter: undefined }, ...{ runAs: undefined, failoverOnFailure: undefined } };
  const own = randomOf(`begin/${JSON.stringify({ ...known, startWithinMs: undefined })}`);
  const jitter = own.pick(['none', 'equal', 'full'] as const);
  const startWithinMs = own.chance(0.2) ? own.whole(500, 8_000) : 0;
  const notify = own.chance(0.5) && { notify: notifyOf(own, name) };
  const servers = own.chance(0.3) && { servers: own.pick([['h1'], ['H2', 'h3'], ['h3', 'box-9.lan']]) };
  return { ...config, retry: { ...config.retry, jitter }, startWithinMs, ...notify, ...servers };
}

function notifyOf(random: Random, name: string): NonNullable<JobConfig['notify']> {
  const notice = (): NoticeSetting => ({
    enabled: random.chance(0.9),
    subject: random.pick(['', '', 'another']),
    to: [`${name}@x.org`, 'ops@x.org', NOBODY].slice(0, random.whole(1, 3)),
    content: '',
  });
  return { succeed: random.chance(0.5) ? notice() : null, failed: notice() };
}

function drawAct(random: Random, jobs: JobPlan[], apps: string[], changed: (plan: JobPlan) => JobConfig): Act {
  const plan = random.pick(jobs);
  const job = plan.name;
  switch (random.whole(0, 15)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return { do: 'cancel', job, nth: random.whole(0, 3) };
    case 4:
      return { do: 'disable', job, kill: random.chance(0.5) };
    case 5:
      return { do: 'enable', job };
    case 6:
    case 7:
      return { do: 'update', job, config: changed(plan) };
    case 8:
      return { do: 'deregister', job };
    case 9:
      return { do: 'register', job, config: changed(plan) };
    case 10:
      return { do: 'retry', job };
    case 11:
      return random.pick<Act>([
        { do: 'appModify', app: random.pick(apps) },
        { do: 'appDisable', app: random.pick(apps), kill: random.chance(0.3) },
        { do: 'appEnable', app: random.pick(apps) },
      ]);
    case 12:
      return random.pick<Act>([
        { do: 'drain', host: random.whole(1, 3) },
        { do: 'resume', host: random.whole(1, 3) },
        // One of three at most: the others have to do what is left.
        { do: 'retire', host: 3 },
      ]);
    default:
      return random.chance(0.5) ? { do: 'trigger', job, key: `key${random.whole(0, 9)}` } : { do: 'trigger', job };
  }
}

/** A host that drains and resumes every second for a while. */
function drawFlaps(random: Random, fromMs: number): Workload['acts'] {
  if (random.chance(0.6)) return [];
  const host = random.whole(1, 3);
  return Array.from({ length: random.whole(2, 6) }, (_, nth) => [
    { do: 'drain' as const, host, atMs: fromMs + nth * 1_000 },
    { do: 'resume' as const, host, atMs: fromMs + nth * 1_000 + random.whole(100, 900) },
  ]).flat();
}

/** From a random source of their own: they leave the rest of a known seed as it was. */
function drawStarts(random: Random, jobs: JobPlan[], storyMs: number): Workload['acts'] {
  const at = () => random.whole(7_000, storyMs);
  return [
    ...jobs.flatMap(({ name: job }): Workload['acts'] => {
      if (random.chance(0.6)) return [];
      const atMs = at();
      // Two at the same instant: one of them at most may start it.
      const starts = [atMs, atMs].map(each => ({ do: 'start' as const, job, atMs: each }));
      return random.chance(0.5) ? starts : [...starts, { do: 'stop', job, atMs: random.chance(0.5) ? atMs : at() }];
    }),
    ...Array.from({ length: random.whole(0, 3) }, () => ({
      do: 'servers' as const,
      servers: random.pick([['H1', 'h2'], ['h2', 'box-3.lan'], ['h1', 'h2', 'h3'], []]),
      atMs: at(),
    })),
    ...drawFlaps(random, at()),
  ];
}

export function drawWorkload(random: Random, startRandom: Random, { jobs: count, storyMs }: Size): Workload {
  const apps = ['alpha', 'beta'];
  const jobs = Array.from({ length: count }, (_, place) => planJob(random, place, apps));
  const changed = (plan: JobPlan) => configOf(random, plan.name, plan.behaviour, Math.max(2, jobs.indexOf(plan)), apps);
  const acts: Workload['acts'] = [];
  for (const { name } of jobs.slice(2)) if (random.chance(0.7)) acts.push({ do: 'trigger', job: name, atMs: random.whole(7_000, storyMs) });
  const more = random.whole(count / 2, count * 1.25);
  for (let nth = 0; nth < more; nth++) acts.push({ ...drawAct(random, jobs, apps, changed), atMs: random.whole(7_000, storyMs) });
  acts.push(...drawStarts(startRandom, jobs, storyMs));
  return { apps, jobs, acts };
}

/** Contents of the center. */
const CONTENTS = 6;

const digits = (text: string, count: number): string => {
  let digest = '';
  for (let hash = hashOf(text); digest.length < count; hash = hashOf(text, hash)) digest += hash.toString(16).padStart(8, '0');
  return digest.slice(0, count);
};

function contentOf(index: number): JobFile {
  const name = `content-${index}`;
  return { name, sha256: digits(`${name} sha256`, 64), md5: digits(`${name} md5`, 32), size: 10 };
}

/**
 * The same workload with files: some jobs without an app have one, or keep their directory, and
 * edits change both. Each job has an id of its own, which its directories have as a name.
 */
export function withFiles(random: Random, { apps, jobs, acts }: Workload): Workload {
  const hasFiles = new Set(jobs.filter(() => random.chance(0.6)).map(({ name }) => name));
  const changed = (config: JobConfig): JobConfig => {
    const own = { ...config, id: digits(config.name, 24) };
    if (config.app !== null || !hasFiles.has(config.name)) return own;
    if (random.chance(0.7)) return { ...own, file: contentOf(random.whole(1, CONTENTS)) };
    return { ...own, file: null, keepDirectory: random.chance(0.7) };
  };
  return {
    apps,
    jobs: jobs.map(plan => ({ ...plan, config: changed(plan.config) })),
    acts: acts.map(act => ('config' in act ? { ...act, config: changed(act.config) } : act)),
  };
}
