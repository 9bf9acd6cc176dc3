/** What `--help` shows, made from the declarations. */
import type { Options } from './options.ts';
import { recordOf } from './table.ts';
import { COMMON, type Entry, type Family, isProgram, type Verb } from './verb.ts';

const indent = (lines: string[]): string[] => lines.map(line => `  ${line}`);

const EXIT_CODES = 'Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused, 4 unreachable.';

export function helpOfAll(verbs: Record<string, Entry>): string[] {
  const shown = Object.entries(verbs).filter(([, entry]) => !(isProgram(entry) && entry.hidden));
  return [
    'troupe <verb>: runs jobs on a fleet of hosts',
    '',
    ...indent(recordOf(shown.map(([name, entry]) => [name, entry.says]))),
    '',
    'troupe <verb> --help tells the rest. Every verb takes --json.',
    'It talks to TROUPE_URL (http://127.0.0.1:8899) with TROUPE_API_TOKEN or with what "troupe login" keeps.',
    EXIT_CODES,
  ];
}

export function helpOfFamily(name: string, family: Family): string[] {
  const verbs = Object.entries(family.verbs).map(([verb, { takes, says }]) => [[verb, ...takes].join(' '), says] as const);
  return [
    `troupe ${name}: ${family.says}`,
    '',
    ...indent(recordOf(verbs)),
    '',
    `troupe ${name} <verb> --help tells the rest; without a verb it lists.`,
  ];
}

export function helpOfVerb(name: string, verb: Verb): string[] {
  const usage = [
    'troupe',
    name,
    ...verb.takes,
    Object.keys(verb.options).length > 0 ? '[flags]' : '',
    verb.takesRest ? '[-- COMMAND …]' : '',
  ];
  return [
    `${usage.filter(word => word !== '').join(' ')}`,
    '',
    `  ${verb.says}.`,
    '',
    ...indent(recordOf(flagsOf({ ...verb.options, ...COMMON }))),
    ...(verb.examples ? ['', 'Examples:', ...indent([...verb.examples])] : []),
  ];
}

const flagsOf = (options: Options): [string, string][] =>
  Object.entries(options).map(([name, { short, takes, says, negatable, many }]) => [
    `${short ? `-${short}, ` : ''}--${negatable ? '[no-]' : ''}${name}${takes === null ? '' : ` ${takes}`}`,
    many ? `${says} (again for each further one)` : says,
  ]);
