/** The texts of `--help`, made from the declarations. */
import type { CenterChoice } from './account.ts';
import type { Options } from './options.ts';
import { recordOf } from './table.ts';
import { COMMON, type Entry, type Family, flagsOfVerb, isProgram, type Verb } from './verb.ts';
import { wrapped } from './width.ts';

const indent = (lines: string[]): string[] => lines.map(line => `  ${line}`);

const FROM: Record<CenterChoice['from'], string> = {
  flag: 'by --center',
  environment: 'by TROUPE_URL',
  current: 'the current one',
  default: 'the default',
};
const CLOSING = [
  'troupe <verb> --help shows its flags. Every verb takes --json, --utc and --center, before or after it.',
  'Times are in the zone of this machine, with their offset. Durations are written as 90s, 5m or 1h30m.',
  'Exit codes: 0 done, 1 failed or not found, 2 wrong usage, 3 refused, 4 unreachable, 130 interrupted.',
];

/** The last parameter is the center of verbs without `--center`. */
export function helpOfAll(verbs: Record<string, Entry>, columns: number, { name, url, from }: CenterChoice): string[] {
  const shown = Object.entries(verbs).filter(([, entry]) => !(isProgram(entry) && entry.hidden));
  return [
    'troupe <verb>: runs jobs on a fleet of hosts',
    '',
    ...indent(
      recordOf(
        shown.map(([name, entry]) => [name, entry.summary]),
        columns - 2,
      ),
    ),
    '',
    ...wrapped(`Center: ${name === undefined ? url : `${name}, ${url}`} (${FROM[from]}); "troupe centers" lists and changes it.`, columns),
    ...CLOSING.flatMap(line => wrapped(line, columns)),
  ];
}

export function helpOfFamily(name: string, family: Family, columns: number): string[] {
  const verbs = Object.entries(family.verbs).map(([verb, { takes, summary }]) => [[verb, ...takes].join(' '), summary] as const);
  return [
    `troupe ${name}: ${family.summary}`,
    '',
    ...indent(recordOf(verbs, columns - 2)),
    '',
    `troupe ${name} <verb> --help shows its flags. Without a verb, troupe ${name} lists.`,
  ];
}

export async function helpOfVerb(name: string, verb: Verb, columns: number): Promise<string[]> {
  const options = await flagsOfVerb(verb);
  const usage = ['troupe', name, ...verb.takes, Object.keys(options).length > 0 ? '[flags]' : '', verb.takesRest ? '[-- COMMAND …]' : ''];
  return [
    `${usage.filter(word => word !== '').join(' ')}`,
    '',
    ...wrapped(`  ${verb.summary}.`, columns, '  '),
    '',
    ...indent(recordOf(flagsOf({ ...options, ...COMMON }), columns - 2)),
    ...(verb.examples ? ['', 'Examples:', ...indent([...verb.examples])] : []),
  ];
}

const flagsOf = (options: Options): [string, string][] =>
  Object.entries(options).map(([name, { short, takes, help, negatable, many }]) => [
    `${short ? `-${short}, ` : ''}--${negatable ? '[no-]' : ''}${name}${takes === null ? '' : ` ${takes}`}`,
    many ? `${help} (may be repeated)` : help,
  ]);
