/**
 * Environment and flags -> frozen Config. A flag wins over the variable of the same name
 * (`--heartbeat 5s` over `TROUPE_HEARTBEAT_MS=5000`), and an empty value counts as absent. Every
 * problem is reported at once: variable, value, expectation.
 */
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { readDuration } from '../lib/durations.ts';
import { readFlags } from '../lib/flags.ts';
import { isLoopbackHost } from '../lib/ip-ranges.ts';
import { nearest } from '../lib/suggest.ts';
import type { Config } from './types.ts';
import {
  readDays,
  readHosts,
  readListeners,
  readLog,
  readNetworks,
  readOnOff,
  readOrigins,
  readSmtp,
  readStore,
  readWhole,
  readZone,
  withoutSecrets,
} from './values.ts';

export interface ConfigProblem {
  /** TROUPE_LISTEN, or --listen when it came as a flag. */
  variable: string;
  /** The given value; secrets are masked. */
  value: string | undefined;
  expected: string;
}

export class ConfigError extends Error {
  readonly problems: ConfigProblem[];
  constructor(problems: ConfigProblem[]) {
    const lines = problems.map(
      ({ variable, value, expected }) => `  ${variable}${value === undefined ? '' : ` is "${value}"`}: ${expected}`,
    );
    super(`the configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${lines.join('\n')}`);
    this.problems = problems;
  }
}

const whole = (fallback: number, min: number, max: number) =>
  z
    .string()
    .default(String(fallback))
    .transform(readWhole(min, max))
    .meta({ values: `${min} to ${max}` });

/** For a variable whose absence has a meaning of its own. */
const optional =
  <T>(read: (value: string, context: z.RefinementCtx) => T) =>
  (value: string | undefined, context: z.RefinementCtx): T | undefined =>
    value === undefined ? undefined : read(value, context);

/**
 * A number of days, kept as ms. Minimum: a quarter of an hour, because younger records may be in
 * use.
 */
const days = (fallback: number) =>
  z.string().default(String(fallback)).transform(readDays(0.01, 36_500)).meta({ values: 'days, 0.01 to 36500' });
const COUNT_MAX = 1_000_000_000;
const MEGABYTE = 2 ** 20;
const BACKUP_EVERY_MAX_MS = 30 * 86_400_000;

/**
 * The variables of a center. The message of an issue states the expectation. The metadata of each
 * variable makes its row in deploy/settings.md (`bun run docs`): `values` that it takes, `absent`
 * where the default depends on the machine.
 */
export const variablesOf = (machine: Machine) =>
  z.object({
    TROUPE_LISTEN: z.string().default('127.0.0.1:8899,127.0.0.1:8985').transform(readListeners).meta({
      values: 'host:port, commas between',
      description: 'listeners; each serves every route',
    }),
    TROUPE_DATA: z.string().default('./data').meta({ values: 'directory', description: 'directory of database, lock and mark' }),
    TROUPE_STORE: z.string().default('sqlite').transform(readStore).meta({
      values: '`sqlite`, `mongodb://user:password@host/database`',
      description: 'SQLite file in the data directory, or a MongoDB database',
    }),
    TROUPE_STANDBY: z.string().default('off').transform(readOnOff).meta({
      values: '`on`, `off`',
      description: 'waits while another center has the database, and takes over after it (hosts.md)',
    }),
    TROUPE_ROOT_PASSWORD: z.string().max(1024, 'must be at most 1024 characters').optional().meta({
      values: 'at most 1024 characters',
      absent: 'random, printed at the first start',
      description: 'password of user `root`',
    }),
    TROUPE_AUTH: z.string().default('on').transform(readOnOff).meta({
      values: '`on`, `off`',
      description: '`off` needs loopback listeners only; any other name in `Host` then gets a 421',
    }),
    TROUPE_WORKERS: whole(Math.max(1, machine.cores - 1), 1, 256).meta({
      absent: 'cores less one, at least 1',
      description: 'worker threads that run the actors',
    }),
    TROUPE_POOL: z
      .string()
      .default('default')
      .refine(name => /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name), 'must be a name: letters, digits, ".", "_" and "-"')
      .meta({ values: 'name', description: 'pool of jobs that name none' }),
    TROUPE_TIME_ZONE: z.string().default(machine.timeZone).transform(readZone).meta({
      values: 'IANA zone',
      absent: "the system's",
      description: 'zone of schedules that name none, where their pool names none',
    }),
    TROUPE_LOG: z.string().default('info').transform(readLog).meta({
      values: '`debug`, `info`, `warn`, `error`; `pretty`, `json`; or both with a comma',
      description: 'lowest level that is logged, and the format (`pretty`)',
    }),
    TROUPE_HEARTBEAT_MS: whole(5_000, 100, 3_600_000).meta({
      description: 'milliseconds between heartbeats of agents; three missed ones close the connection',
    }),
    TROUPE_HOST_GRACE_MS: whole(60_000, 0, 7 * 86_400_000).meta({
      description: 'milliseconds from the last message of a host to its loss',
    }),
    TROUPE_CLOSED_GRACE_MS: whole(3_000, 0, 7 * 86_400_000).meta({
      description: 'the same after a socket that closed without a goodbye (guarantees.md)',
    }),
    TROUPE_ALLOC_RECOVERY_MS: whole(320_000, 0, 7 * 86_400_000).meta({
      description: 'milliseconds between two checks of the allocation tables, 0 for none',
    }),
    TROUPE_PROXIES: z.string().default('').transform(readNetworks).meta({
      values: 'addresses and networks, commas between',
      absent: 'none',
      description: 'proxies whose `X-Forwarded-For` names the caller',
    }),
    TROUPE_CORS: z.string().default('').transform(readOrigins).meta({
      values: 'origins, commas between',
      absent: 'none',
      description: 'origins that browsers may call from',
    }),
    TROUPE_SMTP: z.string().optional().transform(readSmtp).meta({
      values: '`smtp://user:password@host:25`, `smtps://…`',
      absent: 'none: no mail is sent',
      description: 'mail server of notifications (notifications.md)',
    }),
    TROUPE_SMTP_FROM: z
      .string()
      .refine(address => /^[^\s@<>]+@[^\s@<>]+$/.test(address), 'must be a mail address')
      .optional()
      .meta({
        values: 'mail address',
        absent: "`TROUPE_SMTP`'s user, or `troupe@` its host",
        description: 'sender of the mails',
      }),
    TROUPE_WEBHOOK_SECRET: z.string().max(1024, 'must be at most 1024 characters').optional().meta({
      values: 'at most 1024 characters',
      absent: 'none: webhooks have no signature',
      description: 'key of the signature of webhooks (notifications.md)',
    }),
    TROUPE_NOTIFY_PER_MINUTE: whole(60, 1, 100_000).meta({
      description: 'notifications that a recipient gets per minute, over all jobs; others wait',
    }),
    TROUPE_METRICS_JOBS: whole(2_000, 0, 100_000).meta({ description: 'jobs with metrics of their own (metrics.md)' }),
    TROUPE_FILE_URLS: z.string().default('off').transform(readOnOff).meta({
      values: '`on`, `off`',
      description: 'whether an app may be a file of its host (`file:` URL)',
    }),
    TROUPE_ARTIFACT_HOSTS: z.string().optional().transform(readHosts).meta({
      values: '`h`, `h:8080`, `*.h`, commas between',
      absent: 'any but link-local',
      description: 'hosts that apps may come from; checked at each redirect',
    }),
    TROUPE_FILE_MB: whole(100, 1, 10_240).meta({ description: 'megabytes of one uploaded file' }),
    TROUPE_FILES_MAX_MB: whole(10_240, 1, 10_485_760).meta({
      description: 'megabytes of all uploaded files; an upload beyond is refused',
    }),
    TROUPE_BACKUP_DIR: z.string().optional().meta({
      values: 'directory',
      absent: 'none',
      description: 'directory of the backups, `troupe-<time>.sqlite`; best on another disk',
    }),
    TROUPE_BACKUP_EVERY_MS: z
      .string()
      .optional()
      .transform(optional(readWhole(0, BACKUP_EVERY_MAX_MS)))
      .meta({
        values: `0 to ${BACKUP_EVERY_MAX_MS}`,
        absent: 'none',
        description: 'milliseconds between two backups, 0 for none; needed with `TROUPE_BACKUP_DIR`',
      }),
    TROUPE_BACKUP_KEEP: whole(24, 1, 10_000).meta({
      description: 'backups to keep; the center deletes the oldest once a newer one is verified',
    }),
    // A month answers "when did it last work?". A million executions are some gigabytes, and a
    // limit per job keeps a busy job from pushing out the others.
    TROUPE_KEEP_EXECUTIONS_DAYS: days(30).meta({ description: 'ended executions with their output, by age' }),
    TROUPE_KEEP_EXECUTIONS: whole(1_000_000, 100, COUNT_MAX).meta({ description: 'ended executions of all jobs' }),
    TROUPE_KEEP_EXECUTIONS_PER_JOB: whole(10_000, 10, COUNT_MAX).meta({
      description: 'ended executions of one job, so that a busy job does not push out the others',
    }),
    // Output is by far the largest, and is read within days after a failure or never.
    TROUPE_KEEP_OUTPUT_DAYS: days(7).meta({ description: 'output of ended executions' }),
    // A quarter of small rows for audits; a job that fires each second reaches its number in a day.
    TROUPE_KEEP_OCCURRENCES_DAYS: days(90).meta({ description: 'due times with their verdicts' }),
    TROUPE_KEEP_OCCURRENCES_PER_JOB: whole(100_000, 100, COUNT_MAX).meta({
      description: 'due times of one job, checked every six hours',
    }),
    TROUPE_KEEP_POSTED_LOGS_DAYS: days(30).meta({ description: 'logs that `POST /cloudtask/v2/logs` brought, by age' }),
    TROUPE_KEEP_POSTED_LOGS: whole(200_000, 100, COUNT_MAX).meta({ description: 'such logs of all jobs' }),
    TROUPE_KEEP_POSTED_LOGS_PER_JOB: whole(10_000, 10, COUNT_MAX).meta({ description: 'such logs of one job' }),
    TROUPE_KEEP_FILES_DAYS: days(30).meta({ description: 'uploaded files that no job and no app names' }),
    // A watcher that was absent over a holiday still finds its cursor.
    TROUPE_KEEP_FACTS_DAYS: days(14).meta({ description: 'facts, and with them histories; a watcher may be away that long' }),
    TROUPE_KEEP_FACTS: whole(10_000_000, 1_000, COUNT_MAX).meta({ description: 'facts' }),
    // Only messages that were under way at the deletion can still refer to a tombstone.
    TROUPE_KEEP_TOMBSTONES_DAYS: days(90).meta({ description: 'tombstones of deleted jobs, apps and pools' }),
    TROUPE_KEEP_TOMBSTONES: whole(10_000, 0, COUNT_MAX).meta({
      description: 'tombstones; while one is kept, a name that is used again repeats no key',
    }),
  });

type Variables = z.output<ReturnType<typeof variablesOf>>;

/** Variables of agents, command line and running jobs: not the center's, but no typos. */
const OTHERS = [
  'CENTER CENTER_KEY JOIN_TOKEN NAME CPUS MEMORY LABELS AGENT_DATA RUN_AS RUN_AS_ALLOWED APP_ISOLATION URL API_TOKEN',
  'JOB EXECUTION DUE_AT ATTEMPT SHARD SHARD_TOTAL SHARD_PARAMETER JOB_PARAMETER HOST APP_DIR WORK_DIR',
].flatMap(words => words.split(' ').map(word => `TROUPE_${word}`));

/** A wrong value as messages show it: masked where it may hold a password. */
const SHOWN: Record<string, (value: string) => string> = {
  TROUPE_ROOT_PASSWORD: () => '***',
  TROUPE_SMTP: withoutSecrets,
  TROUPE_WEBHOOK_SECRET: () => '***',
  TROUPE_STORE: withoutSecrets,
};

export interface Machine {
  cores: number;
  timeZone: string;
}

const thisMachine = (): Machine => ({
  cores: availableParallelism(),
  timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC',
});

/** `argv`: the arguments after the verb. Throws ConfigError with every problem. */
export function readConfig({
  env,
  argv = [],
  machine = thisMachine(),
}: {
  env: Record<string, string | undefined>;
  argv?: readonly string[];
  machine?: Machine;
}): Config {
  const schema = variablesOf(machine);
  const known = Object.keys(schema.shape);
  const { flags, problems } = readVariables(argv, known);
  for (const variable of Object.keys(env)) {
    if (!variable.startsWith('TROUPE_') || known.includes(variable) || OTHERS.includes(variable)) continue;
    const meant = nearest(variable, [...known, ...OTHERS]);
    problems.push({ variable, value: undefined, expected: `there is no such variable${meant ? `; did you mean ${meant}?` : ''}` });
  }
  const given = Object.fromEntries(known.map(name => [name, (flags[name] ?? env[name]) || undefined]));
  const report = (name: string, expected: string) => {
    const value = given[name];
    problems.push({
      variable: name in flags ? flagOf(name) : name,
      value: value === undefined ? undefined : (SHOWN[name]?.(value) ?? value),
      expected,
    });
  };
  // Once in a process: compiling a parser for it would take longer.
  const read = schema.safeParse(given, { jitless: true });
  for (const issue of read.error?.issues ?? []) report(String(issue.path[0]), issue.message);

  // Parsed separately, so that this rule reports beside other problems.
  const auth = schema.shape.TROUPE_AUTH.safeParse(given.TROUPE_AUTH);
  const listen = schema.shape.TROUPE_LISTEN.safeParse(given.TROUPE_LISTEN);
  const open = listen.data?.find(listener => !isLoopbackHost(listener.host));
  if (auth.data === 'off' && open)
    report('TROUPE_AUTH', `may be off only while every listener is loopback, and ${open.host}:${open.port} is not`);

  if (read.data) {
    const { TROUPE_BACKUP_DIR: directory, TROUPE_BACKUP_EVERY_MS: everyMs, TROUPE_STORE: store } = read.data;
    if (directory !== undefined && everyMs === undefined)
      report('TROUPE_BACKUP_EVERY_MS', 'must be set with TROUPE_BACKUP_DIR: milliseconds between two backups, 0 for none');
    if (directory === undefined && everyMs) report('TROUPE_BACKUP_DIR', 'must be set with TROUPE_BACKUP_EVERY_MS: where backups are put');
    if (read.data.TROUPE_STANDBY === 'on' && store.kind !== 'mongodb')
      report('TROUPE_STANDBY', 'must be off with SQLite, whose directory has one center: set TROUPE_STORE to a MongoDB');
    if (everyMs && store.kind === 'mongodb')
      report('TROUPE_BACKUP_EVERY_MS', 'must be 0 with a MongoDB, which has tools of its own for backups: mongodump');
  }

  if (!read.success || problems.length > 0) throw new ConfigError(problems);
  return frozen(configOf(read.data));
}

/** The user of the mail server where that is an address, else one of its host. */
function senderOf(smtp: Config['smtp']): string | null {
  if (smtp === null) return null;
  return smtp.user?.includes('@') ? smtp.user : `troupe@${smtp.host}`;
}

const configOf = (read: Variables): Config => ({
  listen: read.TROUPE_LISTEN,
  dataDir: read.TROUPE_DATA,
  store: read.TROUPE_STORE,
  standby: read.TROUPE_STANDBY === 'on',
  rootPassword: read.TROUPE_ROOT_PASSWORD ?? null,
  auth: read.TROUPE_AUTH,
  workers: read.TROUPE_WORKERS,
  pool: read.TROUPE_POOL,
  timeZone: read.TROUPE_TIME_ZONE,
  log: read.TROUPE_LOG,
  heartbeatMs: read.TROUPE_HEARTBEAT_MS,
  hostGraceMs: read.TROUPE_HOST_GRACE_MS,
  closedGraceMs: read.TROUPE_CLOSED_GRACE_MS,
  allocRecoveryMs: read.TROUPE_ALLOC_RECOVERY_MS,
  proxies: read.TROUPE_PROXIES,
  cors: read.TROUPE_CORS,
  smtp: read.TROUPE_SMTP,
  smtpFrom: read.TROUPE_SMTP_FROM ?? senderOf(read.TROUPE_SMTP),
  webhookSecret: read.TROUPE_WEBHOOK_SECRET ?? null,
  notifyPerMinute: read.TROUPE_NOTIFY_PER_MINUTE,
  metricsJobs: read.TROUPE_METRICS_JOBS,
  fileUrls: read.TROUPE_FILE_URLS === 'on',
  artifactHosts: read.TROUPE_ARTIFACT_HOSTS,
  files: {
    fileBytes: read.TROUPE_FILE_MB * MEGABYTE,
    filesBytes: read.TROUPE_FILES_MAX_MB * MEGABYTE,
    keepMs: read.TROUPE_KEEP_FILES_DAYS,
  },
  backup:
    read.TROUPE_BACKUP_DIR !== undefined && read.TROUPE_BACKUP_EVERY_MS
      ? { directory: read.TROUPE_BACKUP_DIR, everyMs: read.TROUPE_BACKUP_EVERY_MS, keep: read.TROUPE_BACKUP_KEEP }
      : null,
  keep: {
    executionsMs: read.TROUPE_KEEP_EXECUTIONS_DAYS,
    executions: read.TROUPE_KEEP_EXECUTIONS,
    executionsPerJob: read.TROUPE_KEEP_EXECUTIONS_PER_JOB,
    outputMs: read.TROUPE_KEEP_OUTPUT_DAYS,
    occurrencesMs: read.TROUPE_KEEP_OCCURRENCES_DAYS,
    occurrencesPerJob: read.TROUPE_KEEP_OCCURRENCES_PER_JOB,
    postedLogsMs: read.TROUPE_KEEP_POSTED_LOGS_DAYS,
    postedLogs: read.TROUPE_KEEP_POSTED_LOGS,
    postedLogsPerJob: read.TROUPE_KEEP_POSTED_LOGS_PER_JOB,
    factsMs: read.TROUPE_KEEP_FACTS_DAYS,
    facts: read.TROUPE_KEEP_FACTS,
    tombstonesMs: read.TROUPE_KEEP_TOMBSTONES_DAYS,
    tombstones: read.TROUPE_KEEP_TOMBSTONES,
  },
});

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

/** `meant`: the suggested flag. */
export const noSuchFlag = (flag: string, meant: string | undefined): ConfigProblem => ({
  variable: flag,
  value: undefined,
  expected: `there is no such flag${meant ? `; did you mean ${meant}?` : ''}`,
});

const flagOf = (variable: string): string => `--${variable.slice('TROUPE_'.length).replace(/_MS$/, '').toLowerCase().replaceAll('_', '-')}`;

/** Flags of durations have no unit in their name; the value has one. */
const isDuration = (variable: string): boolean => variable.endsWith('_MS');

/** Flags that mean `on` where no value follows. */
const SWITCHES = ['TROUPE_STANDBY'];

/** Texts by the name of their variable. */
function readVariables(argv: readonly string[], known: string[]): { flags: Record<string, string>; problems: ConfigProblem[] } {
  const byFlag = new Map(known.map(name => [flagOf(name), name]));
  const flags: Record<string, string> = {};
  const problems: ConfigProblem[] = [];
  const unknown = (flag: string) => {
    const plain = flag.replace(/-ms$/, '');
    const hasUnit = plain !== flag && byFlag.has(plain);
    problems.push(noSuchFlag(flag, hasUnit ? `${plain} 90s` : nearest(flag, byFlag.keys())));
  };
  const specs = Object.fromEntries(known.map(name => [flagOf(name).slice(2), { takes: SWITCHES.includes(name) ? ['on', 'off'] : true }]));
  const { tokens, rest } = readFlags(argv, specs);
  for (const token of tokens) {
    if (token.kind === 'word') unknown(token.text);
    else if (token.kind === 'unknown') unknown(token.written);
    else {
      const flag = `--${token.name}`;
      const name = byFlag.get(flag) ?? '';
      if (token.kind === 'valueMissing') problems.push({ variable: flag, value: undefined, expected: 'needs a value' });
      else if (token.value === undefined) flags[name] = 'on';
      else if (!isDuration(name) || token.value === '') flags[name] = token.value;
      else {
        const ms = readDuration(token.value);
        if (ms === undefined)
          problems.push({ variable: flag, value: token.value, expected: 'must be a duration such as 90s, 5m or 1h30m' });
        else flags[name] = String(ms);
      }
    }
  }
  if (rest !== undefined) unknown('--');
  return { flags, problems };
}
