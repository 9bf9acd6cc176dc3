/** The flags that describe a job, and the body of `/v1/jobs` that they make. */
import { readFile } from 'node:fs/promises';
import { EXIT, Failure, wrongUsage } from '../failure.ts';
import { flagOption, type Options, textOption, texts, type Values } from '../options.ts';
import { mergedSettings } from '../settings.ts';
import type { Shell } from '../shell.ts';
import { given } from './common.ts';

/** Flags of a job that no field has, or that differ from their field. */
export const jobFlags = {
  settings: textOption('FILE', 'a JSON file with the settings, "-" for standard input; flags win over it'),
  file: textOption('NAME[@SHA256]', 'a file of the center for its runs: the newest content of this name, or just this one'),
  command: textOption('COMMAND', 'the command, split without a shell; or write it after "--"'),
  cron: texts('EXPRESSION', 'schedule in Quartz cron, seconds first'),
  crontab: texts('EXPRESSION', 'schedule in the five fields of a crontab, or @daily and the like'),
} satisfies Options;

export const loadJobSettings = async () => (await import('../../protocol/rest/job.ts')).JobSettings;

export const jobHints = {
  'disconnect-ms': 'durations have a unit: --disconnect-after 90s',
  retries: '--attempts sets the number of tries of a shard, the first one included',
  retry: '--attempts sets the number of tries of a shard, the first one included',
  every: '--crontab "*/5 * * * *" is every 5 minutes, as an example',
  name: 'the name comes first: troupe jobs create JOB',
  schedule: '--cron or --crontab gives one',
};

/** Flags of an update that remove settings. */
export const removals = {
  'unset-env': texts('NAME', 'removes a variable; --env changes the given ones alone'),
  'unset-shard-parameter': texts('ITEM', 'removes the parameter of one shard'),
  'no-run-as': flagOption('removes the user: its processes run as the usual user of each host'),
  'no-file': flagOption('removes the file; its contents stay among the earlier ones'),
  'no-notify-succeed': flagOption('nobody is notified of a success'),
  'no-notify-failed': flagOption('nobody is notified of a failure'),
  'no-schedule': flagOption('removes all schedules: it runs when it is triggered'),
  'no-group': flagOption('removes the business group'),
  'no-server': flagOption('removes the list of servers: any host of its pool may run it'),
} satisfies Options;

interface Asked {
  values: Values<typeof jobFlags> & Partial<Values<typeof removals>>;
  /** The settings from the flags of its fields. */
  settings: Record<string, unknown>;
  rest: string[] | undefined;
  shell: Shell;
}

/**
 * The settings from file, flags and the arguments after `--`. Empty without any. Throws Failure
 * `usage`.
 */
export async function jobBody({ values, settings, rest, shell }: Asked): Promise<Record<string, unknown>> {
  if (rest !== undefined && values.command !== undefined) throw wrongUsage('--command and "--" both give a command; one is enough');
  const file = values.settings === undefined ? {} : await readBody(values.settings, shell);
  const schedules = schedulesIn(values);
  const written = {
    ...given({ command: commandIn(values.command, rest, settings.shell ?? file.shell), schedules }),
    ...cleared(values, settings),
    ...unnotified(values, settings),
    ...without('env', settings.env, values['unset-env'], env => ({ env })),
    ...without('shard-parameter', partOf(settings.shards, 'parameters'), values['unset-shard-parameter'], parameters => ({
      shards: { parameters },
    })),
  };
  const whole = [settings, written].reduce(mergedSettings, file);
  // Replaced as a whole: the name of one content does not go with the digest of another.
  return { ...whole, ...given({ file: fileIn(values) }) };
}

/** Throws Failure `usage`. */
function unnotified(values: Asked['values'], settings: Asked['settings']): Record<string, unknown> {
  const removed = (['succeed', 'failed'] as const).filter(kind => values[`no-notify-${kind}`]);
  const both = removed.find(kind => partOf(settings.notify, kind) !== undefined);
  if (both !== undefined) throw wrongUsage(`--no-notify-${both} and --notify-${both} exclude each other; one is enough`);
  return removed.length === 0 ? {} : { notify: Object.fromEntries(removed.map(kind => [kind, null])) };
}

/** Undefined: no flag names a file. Throws Failure `usage`. */
function fileIn({ file, 'no-file': none }: Asked['values']): object | null | undefined {
  if (none && file !== undefined) throw wrongUsage('--no-file removes the file, and --file gives one; one of them is enough');
  if (none) return null;
  const [name = '', sha256] = file?.split('@') ?? [];
  return file === undefined ? undefined : { name, ...(sha256 === undefined ? {} : { sha256 }) };
}

/** Flag that clears, the setting, its empty value. */
const CLEARED = [
  ['no-run-as', 'runAs', null],
  ['no-group', 'group', null],
  ['no-server', 'servers', []],
] as const;

/** The settings that a flag clears. Throws Failure `usage` for one that is given, too. */
function cleared(values: Asked['values'], settings: Asked['settings']): Record<string, unknown> {
  const asked = CLEARED.filter(([flag]) => values[flag]);
  const both = asked.find(([, setting]) => settings[setting] !== undefined);
  if (both) throw wrongUsage(`--${both[0]} clears a setting that --${both[0].slice('no-'.length)} gives; one of them is enough`);
  return Object.fromEntries(asked.map(([, setting, empty]) => [setting, empty]));
}

/** A shell takes one text: with `byShell` one argument after `--`. Throws Failure `usage`. */
function commandIn(command: string | undefined, rest: string[] | undefined, byShell: unknown): string | string[] | undefined {
  if (rest === undefined || !byShell) return rest ?? command;
  const [only, ...others] = rest;
  if (others.length > 0)
    throw wrongUsage(`a shell takes one text, and ${rest.length} words came after "--"; put quotes around the whole command`);
  return only;
}

/** Undefined: no flag of a schedule is given. Throws Failure `usage`. */
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

/** Null for each entry to remove: a merge patch. Throws Failure `usage`. */
function without(
  flagName: string,
  entries: unknown,
  unset: string[] | undefined,
  patchOf: (entries: Record<string, null>) => Record<string, unknown>,
): Record<string, unknown> {
  if (unset === undefined) return {};
  const both = unset.find(name => partOf(entries, name) !== undefined);
  if (both !== undefined) throw wrongUsage(`--${flagName} and --unset-${flagName} both name ${both}; one is enough`);
  return patchOf(Object.fromEntries(unset.map(name => [name, null])));
}

const partOf = (group: unknown, part: string): unknown =>
  typeof group === 'object' && group !== null && Object.hasOwn(group, part) ? (group as Record<string, unknown>)[part] : undefined;

async function readBody(file: string, shell: Shell): Promise<Record<string, unknown>> {
  const name = file === '-' ? 'standard input' : file;
  let text: string;
  try {
    text = file === '-' ? await shell.readInput() : await readFile(file, 'utf8');
  } catch (error) {
    throw new Failure(EXIT.usage, `--settings is "${file}", which cannot be read: ${(error as Error).message}`, { cause: error });
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
