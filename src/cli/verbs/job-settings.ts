/** The flags that describe a job, and the body of `/v1/jobs` that they make. */
import { readFile } from 'node:fs/promises';
import { EXIT, Failure, wrongUsage } from '../failure.ts';
import { choice, duration, flag, number, type Options, pairs, text, texts, type Values, whole } from '../options.ts';
import type { Shell } from '../shell.ts';
import { given } from './common.ts';

export const jobSettings = {
  file: text('FILE', 'a JSON file with the settings, "-" for standard input; flags win over it'),
  command: text('COMMAND', 'what runs, split without a shell; or write it behind "--"'),
  shell: flag('give the command, one text in quotes, to a shell as it is', { negatable: true }),
  app: text('APP', 'an app that is fetched, and brings the command unless one is given'),
  pool: text('POOL', 'where it runs (default: the pool "default")'),
  kind: choice(['transient', 'resident'], 'runs when due, or is kept running (default: transient)'),
  cron: texts('EXPRESSION', 'when it is due: Quartz cron, seconds first'),
  crontab: texts('EXPRESSION', 'when it is due: the five fields of a crontab, or @daily and its like'),
  'time-zone': text('ZONE', 'of its schedules, such as Europe/Berlin'),
  shards: whole('N', 'into how many shards an execution is cut (default: 1)', 1),
  'shard-parameter': pairs('ITEM=TEXT', 'what one shard is told'),
  parameter: text('TEXT', 'what the job is told'),
  env: pairs('NAME=VALUE', 'environment of its processes'),
  'run-as': text('USER', 'user of the hosts that its processes run as, where their agents allow it'),
  cpus: number('N', 'of a host, for each shard (default: 0.1)'),
  memory: number('MB', 'for each shard (default: 64)'),
  placement: choice(['pack', 'sticky', 'spread'], 'how hosts are chosen (default: pack)'),
  partial: flag('start the shards that fit now, instead of all or none', { negatable: true }),
  overlap: choice(['skip', 'queue', 'allow', 'replace'], 'when it is due while it runs (default: skip)'),
  'overlap-limit': whole('N', 'how many may wait with "queue", or be open at once with "allow" (default: 1 and 10)', 1),
  misfire: choice(['skip', 'once', 'all'], 'when its time passed while the center was down (default: once)'),
  'misfire-limit': whole('N', 'most that "all" makes good (default: 10)'),
  'misfire-grace': duration('a due time later than this counts as missed (default: 1m)'),
  attempts: whole('N', 'how often a failed shard is tried in all (default: 1)', 1),
  backoff: duration('before the second attempt, doubling (default: 1s)'),
  'max-backoff': duration('longest wait between attempts (default: 5m)'),
  jitter: choice(['none', 'equal', 'full'], 'how much of a wait is left to chance: nothing, its second half, all of it (default: equal)'),
  failover: flag('move to another host when its own is lost', { negatable: true }),
  'failover-limit': whole('N', 'how often a shard may move (default: 3)'),
  'failover-on-failure': flag('with --failover: also a shard that failed, once its attempts are spent', { negatable: true }),
  disconnect: choice(['continue', 'stop'], 'when its host cannot reach the center (default: continue)'),
  'disconnect-after': duration('with "stop": how long it may go on without its center (default: 1m; 0: for ever)'),
  timeout: duration('longest run of a shard (default: 0, no limit)'),
  'start-within': duration('an execution that has started no process by then has failed (default: 0, no limit)'),
  'kill-grace': duration('from TERM to KILL (default: 10s)'),
  'sharding-context': flag('append the sharding context as the last argument, as ElasticJob scripts expect', { negatable: true }),
  description: text('TEXT', 'for people'),
} satisfies Options;

export const jobHints = {
  'disconnect-ms': 'durations have a unit: --disconnect-after 90s',
  retries: '--attempts says how often a shard is tried in all',
  retry: '--attempts says how often a shard is tried in all',
  every: '--crontab "*/5 * * * *" is every 5 minutes, as an example',
  name: 'the name comes first: troupe jobs create JOB',
  schedule: '--cron or --crontab gives one',
};

/** What an update removes. */
export const removals = {
  'unset-env': texts('NAME', 'removes a variable; --env changes the given ones alone'),
  'unset-shard-parameter': texts('ITEM', 'removes the parameter of one shard'),
  'no-run-as': flag('its processes run as the user that each host says'),
  'no-schedule': flag('removes all schedules: it runs when it is triggered'),
} satisfies Options;

interface Asked {
  values: Values<typeof jobSettings> & Partial<Values<typeof removals>>;
  rest: string[] | undefined;
  shell: Shell;
}

/**
 * What was asked for, by file, flags and the words behind `--`. An empty body: nothing was. Throws
 * Failure `usage`.
 */
export async function jobBody({ values, rest, shell }: Asked): Promise<Record<string, unknown>> {
  if (rest !== undefined && values.command !== undefined) throw wrongUsage('--command and "--" both give a command; one is enough');
  const file = values.file === undefined ? {} : await readBody(values.file, shell);
  const schedules = schedulesIn(values);
  const flags = given({
    command: commandIn(values, rest, file.shell),
    shell: values.shell,
    app: values.app,
    pool: values.pool,
    kind: values.kind,
    schedules,
    timeZone: values['time-zone'],
    shards: over(file.shards, {
      total: values.shards,
      parameters: over(
        partOf(file.shards, 'parameters'),
        removing('shard-parameter', values['shard-parameter'], values['unset-shard-parameter']),
      ),
    }),
    parameter: values.parameter,
    env: over(file.env, removing('env', values.env, values['unset-env'])),
    runAs: values['no-run-as'] ? null : values['run-as'],
    resources: over(file.resources, { cpus: values.cpus, memoryMB: values.memory }),
    placement: values.placement,
    partial: values.partial,
    overlap: values.overlap,
    overlapLimit: values['overlap-limit'],
    misfire: over(file.misfire, { policy: values.misfire, limit: values['misfire-limit'] }),
    misfireGraceMs: values['misfire-grace'],
    retry: over(file.retry, {
      attempts: values.attempts,
      backoffMs: values.backoff,
      maxBackoffMs: values['max-backoff'],
      jitter: values.jitter,
    }),
    failover: values.failover,
    failoverLimit: values['failover-limit'],
    failoverOnFailure: values['failover-on-failure'],
    disconnect: values.disconnect,
    disconnectMs: values['disconnect-after'],
    timeoutMs: values.timeout,
    startWithinMs: values['start-within'],
    killGraceMs: values['kill-grace'],
    shardingContext: values['sharding-context'],
    description: values.description,
  });
  return { ...file, ...flags };
}

/** A shell takes one text: with `shell` one word behind `--`. Throws Failure `usage`. */
function commandIn({ command, shell }: Asked['values'], rest: string[] | undefined, fromFile: unknown): string | string[] | undefined {
  if (rest === undefined || !(shell ?? fromFile)) return rest ?? command;
  const [only, ...others] = rest;
  if (others.length > 0)
    throw wrongUsage(`a shell takes one text, and ${rest.length} words came behind "--"; put quotes around the whole command`);
  return only;
}

/** Undefined: nothing was said about it. Throws Failure `usage`. */
function schedulesIn(values: Asked['values']): object[] | undefined {
  const { cron, crontab } = values;
  const given = [
    ...(cron ?? []).map(expression => ({ type: 'cron', cron: expression })),
    ...(crontab ?? []).map(expression => ({ type: 'crontab', crontab: expression })),
  ];
  if (!values['no-schedule']) return given.length === 0 ? undefined : given;
  if (given.length > 0) throw wrongUsage('--no-schedule removes all schedules, and --cron and --crontab give some; one of them is enough');
  return [];
}

/** The given entries, null for those to remove: a merge patch. Throws Failure `usage`. */
function removing(flagName: string, entries: Record<string, string> = {}, unset: string[] = []): Record<string, string | null> {
  const both = unset.find(name => Object.hasOwn(entries, name));
  if (both !== undefined) throw wrongUsage(`--${flagName} and --unset-${flagName} both name ${both}; one is enough`);
  return { ...entries, ...Object.fromEntries(unset.map(name => [name, null])) };
}

const partOf = (group: unknown, part: string): unknown =>
  typeof group === 'object' && group !== null ? (group as Record<string, unknown>)[part] : undefined;

/** A flag for one part of a group leaves the file's other parts alone. */
function over(fromFile: unknown, flags: Record<string, unknown>): Record<string, unknown> | undefined {
  const told = given(flags);
  return told && { ...(typeof fromFile === 'object' ? fromFile : {}), ...told };
}

async function readBody(file: string, shell: Shell): Promise<Record<string, unknown>> {
  const name = file === '-' ? 'standard input' : file;
  let text: string;
  try {
    text = file === '-' ? await shell.readInput() : await readFile(file, 'utf8');
  } catch (error) {
    throw new Failure(EXIT.usage, `--file is "${file}", which cannot be read: ${(error as Error).message}`, { cause: error });
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new Failure(EXIT.usage, `${name} must hold a JSON object: ${(error as Error).message}`, { cause: error });
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw wrongUsage(`${name} must hold a JSON object, the settings of one job`);
  return body as Record<string, unknown>;
}
