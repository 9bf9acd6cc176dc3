/**
 * `troupe <verb>`: finds the verb, reads its flags, runs it, and turns the result into an exit
 * code.
 *
 *   arguments -> verb (or the nearest name) -> flags (or the reason why not) -> run
 *             -> exit code, at most one sentence on standard error
 */

import { parseArgs } from 'node:util';
import about from '../../package.json' with { type: 'json' };
import { nearest } from '../lib/suggest.ts';
import { accountFor, addressesOf, centerFor, saveServing } from './account.ts';
import { createClient } from './client.ts';
import { EXIT, wrongUsage } from './failure.ts';
import { queryOf } from './filters.ts';
import { helpOfAll, helpOfFamily, helpOfVerb } from './help.ts';
import { flagOption, parseOptions } from './options.ts';
import { createPrinter } from './printer.ts';
import { reportFailure, runProgram } from './program.ts';
import { requestOf } from './settings.ts';
import type { Shell } from './shell.ts';
import { COMMON, type Entry, flagsOfVerb, isFamily, isProgram, type Verb } from './verb.ts';

/** Resolves with the exit code. Never rejects. */
export const run = (argv: string[], shell: Shell, verbs: Record<string, Entry>): Promise<number> =>
  reportFailure(argv, shell, () => dispatch(argv, shell, verbs));

async function dispatch(argv: string[], shell: Shell, verbs: Record<string, Entry>): Promise<number> {
  const print = (lines: string[]) => shell.write(`${lines.join('\n')}\n`);
  const { before, first, rest } = split(argv);
  const { values } = parseOptions(before, { ...COMMON, version: flagOption('') }, { now: shell.clock.now(), hints: HINTS });
  if (first === undefined || first === 'help') {
    if (rest.length > 0) return dispatch([...before, ...rest, '--help'], shell, verbs);
    if (values.version) await print([about.version]);
    else {
      const lines = helpOfAll(verbs, shell.columns, await centerFor({ env: shell.env, named: values.center }));
      if (first === 'help' || values.help) await print(lines);
      else {
        for (const line of lines) shell.notify(line);
        return EXIT.usage;
      }
    }
    return EXIT.done;
  }

  const entry = find(verbs, first, 'troupe', VERB_HINTS);
  if (isProgram(entry)) return runProgram(entry, [...before, ...rest], shell);
  if (!isFamily(entry)) return runVerb(first, entry, [...before, ...rest], shell);

  const [second = ''] = rest;
  if (second === '--help' || second === '-h') {
    await print(helpOfFamily(first, entry, shell.columns));
    return EXIT.done;
  }
  // `troupe jobs` and `troupe jobs --pool west` list.
  if (second === '' || second.startsWith('-')) {
    return runVerb(`${first} list`, find(entry.verbs, 'list', `troupe ${first}`), [...before, ...rest], shell);
  }
  return runVerb(`${first} ${second}`, find(entry.verbs, second, `troupe ${first}`, entry.hints), [...before, ...rest.slice(1)], shell);
}

/** Flags of every verb may also come before the verb. */
function split(argv: string[]): { before: string[]; first: string | undefined; rest: string[] } {
  const options = Object.fromEntries(
    Object.entries(COMMON).map(([name, { takes }]) => [name, { type: takes === null ? 'boolean' : 'string' } as const]),
  );
  const { tokens } = parseArgs({ args: argv, options, strict: false, allowPositionals: true, tokens: true });
  const index = tokens.find(({ kind }) => kind === 'positional')?.index ?? argv.length;
  return { before: argv.slice(0, index), first: argv[index], rest: argv.slice(index + 1) };
}

/** Hints for flags without a verb. */
const HINTS = { v: '"troupe --version" prints the version', V: '"troupe --version" prints the version' };
/** Hints for verbs of other programs. */
const VERB_HINTS = {
  run: '"troupe trigger JOB" runs a job now, "troupe jobs create JOB -- COMMAND" registers one',
  start: '"troupe trigger JOB" runs a job now, "troupe up" starts a center and one agent',
  stop: '"troupe jobs stop JOB" ends what a job runs, "troupe jobs disable JOB" keeps it from starting',
  version: '"troupe --version" prints the version',
  status: '"troupe jobs", "troupe executions" and "troupe hosts" list them, "troupe why JOB" explains one job',
  create: '"troupe jobs create JOB -- COMMAND" registers a job',
  list: '"troupe jobs", "troupe executions" and "troupe hosts" list them',
  ps: '"troupe executions --status running" lists the running ones',
  delete: '"troupe jobs delete JOB" deletes a job',
  cancel: '"troupe executions cancel EXECUTION" ends a run',
};

/** Names that other programs use for verbs of a family. */
const SAME_VERBS: Readonly<Record<string, readonly string[]>> = {
  rm: ['delete', 'remove'],
  remove: ['delete'],
  del: ['delete', 'remove'],
  delete: ['remove'],
  get: ['show'],
  describe: ['show'],
  info: ['show'],
  ls: ['list'],
  add: ['create', 'publish'],
  new: ['create', 'publish'],
  create: ['publish', 'add'],
  update: ['modify'],
  modify: ['update'],
  edit: ['modify', 'update'],
  set: ['update', 'modify'],
  kill: ['cancel'],
  stop: ['cancel'],
};

function find<E>(verbs: Record<string, E>, name: string, behind: string, hints: Readonly<Record<string, string>> = {}): E {
  const found = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (found !== undefined) return found;
  if (Object.hasOwn(hints, name)) throw wrongUsage(`"${behind} ${name}" is no verb; ${hints[name]}`);
  const same = Object.hasOwn(SAME_VERBS, name) ? SAME_VERBS[name] : undefined;
  const meant = same?.find(word => Object.hasOwn(verbs, word)) ?? nearest(name, Object.keys(verbs));
  throw wrongUsage(`"${behind} ${name}" is no verb${meant ? `; did you mean "${behind} ${meant}"?` : `; "${behind} --help" lists them`}`);
}

async function runVerb(name: string, verb: Verb, args: string[], shell: Shell): Promise<number> {
  const dashes = args.indexOf('--');
  const own = dashes < 0 ? args : args.slice(0, dashes);
  // Before all checks: `--help` works with wrong arguments, too.
  if (own.includes('--help') || own.includes('-h')) {
    await shell.write(`${(await helpOfVerb(name, verb, shell.columns)).join('\n')}\n`);
    return EXIT.done;
  }
  const {
    values: given,
    words,
    rest,
  } = parseOptions(args, { ...(await flagsOfVerb(verb)), ...COMMON }, { now: shell.clock.now(), hints: verb.hints });
  // The common flags are no settings of the verb, which may send its own to the center.
  const { center, json, utc, help: _, ...values } = given as { center?: string; json?: boolean; utc?: boolean; help?: boolean };
  if (rest !== undefined && !verb.takesRest) throw wrongUsage(`troupe ${name} takes no "--"`);
  return verb.run({
    shell,
    print: createPrinter(shell, { json, utc }),
    client: createClient({
      account: () => accountFor({ env: shell.env, named: center }),
      addresses: account => addressesOf(shell.env, account),
      serves: (account, url) => saveServing(shell.env, account, url),
      signal: shell.signal,
    }),
    values,
    settings: verb.settings ? requestOf(await verb.settings(), values) : {},
    query: verb.query ? queryOf(await verb.query(), values) : {},
    words: fill(name, verb, words),
    rest,
  });
}

function fill(name: string, { takes, takesRest }: Verb, words: string[]): string[] {
  const usage = `troupe ${[name, ...takes].join(' ')}`;
  const missing = takes.find((word, index) => !word.startsWith('[') && !words[index]);
  if (missing) throw wrongUsage(`${missing} is missing: ${usage}`);
  // `FILE…` takes all further words.
  if (takes.at(-1)?.endsWith('…') && words.length > takes.length) return words;
  if (words.length > takes.length) {
    // Most often a command without "--", or an expression that the caller's shell split.
    const hint = takesRest ? ' [flags] [-- COMMAND …]; the command comes after "--", and a word with a space or a "*" needs quotes' : '';
    throw wrongUsage(`"${words[takes.length]}" is one word too many: ${usage}${hint}`);
  }
  return takes.map((_, index) => words[index] ?? '');
}
