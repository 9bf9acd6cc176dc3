/**
 * `troupe <verb>`: finds the verb, reads its flags, lets it run, and turns whatever comes out into an exit code.
 *
 *   words -> verb (or the nearest name) -> flags (or what is wrong with them) -> run -> exit code, at most one sentence on standard error
 */
import about from '../../package.json' with { type: 'json' };
import { nearest } from '../nearest.ts';
import { accountFor } from './account.ts';
import { createClient } from './client.ts';
import { EXIT, wrongUsage } from './failure.ts';
import { helpOfAll, helpOfFamily, helpOfVerb } from './help.ts';
import { parseOptions } from './options.ts';
import { createPrinter } from './printer.ts';
import { inOneSentence, runProgram } from './program.ts';
import type { Shell } from './shell.ts';
import { COMMON, type Entry, isFamily, isProgram, type Verb } from './verb.ts';

/** Never rejects: what nobody foresaw is told in one sentence too. */
export const run = (argv: string[], shell: Shell, verbs: Record<string, Entry>): Promise<number> =>
  inOneSentence(argv, shell, () => dispatch(argv, shell, verbs));

async function dispatch([first, ...rest]: string[], shell: Shell, verbs: Record<string, Entry>): Promise<number> {
  const print = (lines: string[]) => shell.write(`${lines.join('\n')}\n`);
  if (first === undefined) {
    for (const line of helpOfAll(verbs, shell.columns)) shell.say(line);
    return EXIT.usage;
  }
  if (['--help', '-h', 'help'].includes(first) && rest.length === 0) {
    await print(helpOfAll(verbs, shell.columns));
    return EXIT.done;
  }
  if (first === '--version') {
    await print([about.version]);
    return EXIT.done;
  }
  if (first === 'help') return dispatch([...rest, '--help'], shell, verbs);

  const entry = find(verbs, first, 'troupe');
  if (isProgram(entry)) return runProgram(entry, rest, shell);
  if (!isFamily(entry)) return runVerb(first, entry, rest, shell);

  const [second = ''] = rest;
  if (second === '--help' || second === '-h') {
    await print(helpOfFamily(first, entry, shell.columns));
    return EXIT.done;
  }
  // `troupe jobs` and `troupe jobs --pool west` list.
  if (second === '' || second.startsWith('-')) return runVerb(`${first} list`, find(entry.verbs, 'list', `troupe ${first}`), rest, shell);
  return runVerb(`${first} ${second}`, find(entry.verbs, second, `troupe ${first}`), rest.slice(1), shell);
}

function find<E>(verbs: Record<string, E>, name: string, behind: string): E {
  const found = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (found !== undefined) return found;
  const meant = nearest(name, Object.keys(verbs));
  throw wrongUsage(`"${behind} ${name}" is no verb${meant ? `; did you mean "${behind} ${meant}"?` : `; "${behind} --help" lists them`}`);
}

async function runVerb(name: string, verb: Verb, args: string[], shell: Shell): Promise<number> {
  const dashes = args.indexOf('--');
  const own = dashes < 0 ? args : args.slice(0, dashes);
  // Before everything else: whoever asks for help need not get the rest right.
  if (own.includes('--help') || own.includes('-h')) {
    await shell.write(`${helpOfVerb(name, verb, shell.columns).join('\n')}\n`);
    return EXIT.done;
  }
  const { values: given, words, rest } = parseOptions(args, { ...verb.options, ...COMMON });
  // What every verb takes is no setting of this one: a list hands its own on as they are, and the center refuses what it does not know.
  const { center, json, help: _, ...values } = given as { center?: string; json?: boolean; help?: boolean };
  if (rest !== undefined && !verb.takesRest) throw wrongUsage(`troupe ${name} takes no "--"`);
  return verb.run({
    shell,
    print: createPrinter(shell, json ?? false),
    client: createClient({ account: () => accountFor({ env: shell.env, url: center }), signal: shell.signal }),
    values,
    words: fill(name, verb.takes, words),
    rest,
  });
}

function fill(name: string, takes: readonly string[], words: string[]): string[] {
  const usage = `troupe ${[name, ...takes].join(' ')}`;
  const missing = takes.find((word, place) => !word.startsWith('[') && !words[place]);
  if (missing) throw wrongUsage(`${missing} is missing: ${usage}`);
  if (words.length > takes.length) throw wrongUsage(`"${words[takes.length]}" is one word too many: ${usage}`);
  return takes.map((_, place) => words[place] ?? '');
}
