/**
 * Completion for shells, generated from the declarations of the verbs. One table of all words is
 * written in the language of each shell. Names of jobs, hosts and others come from the center when
 * the user presses Tab.
 */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of shells.
import type { Options } from './options.ts';
import { COMMON, type Entry, flagsOfVerb, isFamily, isProgram, type Verb } from './verb.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
/** Kinds with names to complete, from the center or the configuration folder. */
export const NAMED = ['job', 'execution', 'app', 'host', 'pool', 'token', 'center'] as const;
type Named = (typeof NAMED)[number];

interface Position {
  /** The words of the verb: `jobs create`; '' for the program itself. */
  verb: string;
  /** Words that may follow the verb. */
  words: { word: string; help: string }[];
  flags: { flag: string; short: string | undefined; help: string; value: Value | undefined }[];
  /** Kinds whose names may be its first word. */
  names: readonly Named[];
  /** Values of its first word, where they are fixed. */
  choices: readonly string[];
  /** Whether its first word is a file. */
  isFile: boolean;
}
interface Value {
  choices: readonly string[];
  names: readonly Named[];
  isFile: boolean;
}

const FILES = ['FILE', 'DIR'];
const namesIn = (takes: string): Named[] => NAMED.filter(kind => takes.split(/[^A-Z]+/).includes(kind.toUpperCase()));

const flagsOf = (options: Options): Position['flags'] =>
  Object.entries(options).flatMap(([name, { short, takes, help, negatable, values = [] }]) => {
    const value =
      takes === null
        ? undefined
        : { choices: values, names: name === 'center' ? (['center'] as const) : namesIn(takes), isFile: FILES.includes(takes) };
    const flag = { flag: `--${name}`, short: short && `-${short}`, help, value };
    return negatable ? [flag, { ...flag, flag: `--no-${name}`, short: undefined }] : [flag];
  });

const positionOf = async (name: string, verb: Verb): Promise<Position> => {
  const [first = ''] = verb.takes;
  // A new thing has no name to complete.
  const isNew = / (create|publish|add)$/.test(name);
  const choices = /^\[?[a-z|]+\]?$/.test(first) ? first.replaceAll(/[[\]]/g, '').split('|') : [];
  return {
    verb: name,
    words: [],
    flags: flagsOf({ ...(await flagsOfVerb(verb)), ...COMMON }),
    names: isNew ? [] : namesIn(first),
    choices,
    isFile: FILES.includes(first.replace('…', '')),
  };
};

/**
 * Flags of a program that reads them itself, from its help. A flag has a value where a word in
 * capitals follows it.
 */
const flagsIn = (usage: string): Position['flags'] =>
  [...usage.matchAll(/^ *(--[a-z-]+)( [A-Z][A-Za-z=]*)?(?: .*? {2,}| {2,})?(.*)$/gm)].map(([, flag = '', takes, help = '']) => ({
    flag,
    short: undefined,
    help: help.trim(),
    value: takes === undefined ? undefined : { choices: [], names: [], isFile: FILES.includes(takes.trim()) },
  }));

async function positionsOf(verbs: Record<string, Entry>): Promise<Position[]> {
  const shown = Object.entries(verbs).filter(([, entry]) => !(isProgram(entry) && entry.hidden));
  const wordsOf = (entries: [string, { summary: string }][]) => entries.map(([word, { summary }]) => ({ word, help: summary }));
  const root = {
    verb: '',
    words: [...wordsOf(shown), { word: 'help', help: 'shows help' }],
    flags: flagsOf(COMMON),
    names: [],
    choices: [],
    isFile: false,
  };
  const positions: Position[] = [root];
  for (const [name, entry] of shown) {
    if (isProgram(entry)) {
      const usage = entry.help ?? (await entry.usage?.()) ?? '';
      positions.push({ verb: name, words: [], flags: flagsIn(usage), names: [], choices: [], isFile: false });
    } else if (isFamily(entry)) {
      const { list: lists } = entry.verbs;
      const list = flagsOf({ ...(lists ? await flagsOfVerb(lists) : {}), ...COMMON });
      positions.push({ verb: name, words: wordsOf(Object.entries(entry.verbs)), flags: list, names: [], choices: [], isFile: false });
      for (const [word, verb] of Object.entries(entry.verbs)) positions.push(await positionOf(`${name} ${word}`, verb));
    } else positions.push(await positionOf(name, entry));
  }
  return positions;
}

/** The script that a shell reads at its start. */
export async function completionFor(shell: (typeof SHELLS)[number], verbs: Record<string, Entry>): Promise<string> {
  const positions = await positionsOf(verbs);
  return { bash: inBash, zsh: inZsh, fish: inFish }[shell](positions);
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const askedOf = (names: readonly Named[]): string => names.map(kind => `troupe completion --names ${kind} 2>/dev/null`).join('; ');

/**
 * The common part of bash and zsh: finds `$verb` in the words before the last one, and sets
 * `$found` to the possible next words.
 */
function inSh(positions: Position[]): string[] {
  const valued = positions.flatMap(({ verb, flags }) =>
    flags.filter(({ value }) => value).flatMap(({ flag, short }) => [flag, ...(short ? [short] : [])].map(name => `"${verb} ${name}"`)),
  );
  const values = positions.flatMap(({ verb, flags }) =>
    flags.flatMap(({ flag, short, value }) => {
      if (!value) return [];
      const pattern = [flag, ...(short ? [short] : [])].map(name => `"${verb} ${name}"`).join('|');
      if (value.isFile) return [`    ${pattern}) files=1 ;;`];
      const found =
        value.choices.length > 0
          ? `found=${quoted(value.choices.join(' '))}`
          : value.names.length > 0
            ? `found=$(${askedOf(value.names)})`
            : ':';
      return [`    ${pattern}) ${found} ;;`];
    }),
  );
  const words = positions.flatMap(({ verb, words, flags, names, choices, isFile }) => {
    const all = [...words.map(({ word }) => word), ...choices];
    const found =
      all.length > 0 ? `found=${quoted(all.join(' '))}` : names.length > 0 ? `found=$(${askedOf(names)})` : isFile ? 'files=1' : ':';
    return [`    "${verb}") if [[ $cur == -* ]]; then found=${quoted(flags.map(({ flag }) => flag).join(' '))}; else ${found}; fi ;;`];
  });
  return [
    '_troupe_takes_value() {',
    '  case "$1" in',
    `    ${valued.join('|')}) return 0 ;;`,
    '  esac',
    '  return 1',
    '}',
    '_troupe_is_verb() {',
    '  case "$1" in',
    `    ${positions
      .filter(({ verb }) => verb !== '')
      .map(({ verb }) => `"${verb}"`)
      .join('|')}) return 0 ;;`,
    '  esac',
    '  return 1',
    '}',
    '# Sets found and files from the words before the cursor, and cur.',
    '_troupe_find() {',
    '  local verb="" word last="" skip=""',
    '  found="" files=""',
    '  for word in "$@"; do',
    '    if [[ -n $skip ]]; then skip=""; last=""; continue; fi',
    '    if [[ $word == -- ]]; then files=1; return; fi',
    '    if [[ $word == -* ]]; then',
    '      last=$word',
    '      if _troupe_takes_value "$verb $word"; then skip=1; fi',
    '    else',
    '      last=""',
    '      if _troupe_is_verb "${verb:+$verb }$word"; then verb="${verb:+$verb }$word"; fi',
    '    fi',
    '  done',
    '  if [[ -n $skip ]]; then',
    '    case "$verb $last" in',
    ...values.map(line => `  ${line}`),
    '    esac',
    '    return',
    '  fi',
    '  case "$verb" in',
    ...words,
    '  esac',
    '}',
  ];
}

const inBash = (positions: Position[]): string =>
  [
    '# bash completion for troupe: source <(troupe completion bash)',
    ...inSh(positions),
    '_troupe() {',
    '  local line=${COMP_LINE:0:COMP_POINT} cur="" found files words=()',
    '  read -ra words <<< "$line"',
    '  if [[ $line != *[[:space:]] ]]; then cur=${words[${#words[@]}-1]}; unset "words[${#words[@]}-1]"; fi',
    '  _troupe_find "${words[@]:1}"',
    '  if [[ -n $files ]]; then COMPREPLY=($(compgen -f -- "$cur")); compopt -o filenames 2>/dev/null; return; fi',
    '  COMPREPLY=($(compgen -W "$found" -- "$cur"))',
    '  # bash breaks words at "@" and ":", and replaces the last part alone.',
    '  local before=${cur%"${COMP_WORDS[COMP_CWORD]}"}',
    '  COMPREPLY=("${COMPREPLY[@]#"$before"}")',
    '}',
    'complete -F _troupe troupe',
  ].join('\n');

const inZsh = (positions: Position[]): string =>
  [
    '#compdef troupe',
    '# zsh completion for troupe: source <(troupe completion zsh), behind compinit',
    ...inSh(positions),
    '_troupe() {',
    '  local cur=${words[CURRENT]} found files',
    '  _troupe_find "${(@)words[2,CURRENT-1]}"',
    '  if [[ -n $files ]]; then _files; else compadd -- ${=found}; fi',
    '}',
    'if [[ $funcstack[1] == _troupe ]]; then _troupe "$@"; else compdef _troupe troupe; fi',
  ].join('\n');

function inFish(positions: Position[]): string {
  const valued = positions.flatMap(({ verb, flags }) =>
    flags
      .filter(({ value }) => value)
      .flatMap(({ flag, short }) => [flag, ...(short ? [short] : [])].map(name => quoted(`${verb} ${name}`))),
  );
  const lines = positions.flatMap(({ verb, words, flags, names, choices, isFile }) => {
    const here = `complete -c troupe -n ${quoted(`__troupe_at ${quoted(verb)}`)}`;
    return [
      ...words.map(({ word, help }) => `${here} -a ${quoted(word)} -d ${quoted(help)}`),
      ...choices.map(word => `${here} -a ${quoted(word)}`),
      ...(isFile ? [`${here} -F`] : []),
      ...(names.length > 0 ? [`${here} -a ${quoted(`(${askedOf(names)})`)}`] : []),
      ...flags.map(({ flag, short, help, value }) => {
        const takes = !value
          ? ''
          : value.isFile
            ? ' -r -F'
            : ` -x -a ${quoted(value.names.length > 0 ? `(${askedOf(value.names)})` : value.choices.join(' '))}`;
        return `${here} -l ${flag.slice(2)}${short ? ` -s ${short.slice(1)}` : ''} -d ${quoted(help)}${takes}`;
      }),
    ];
  });
  return [
    '# fish completion for troupe: troupe completion fish | source',
    'function __troupe_at',
    "  set -l verb ''",
    '  set -l skip 0',
    '  for word in (commandline -opc)[2..-1]',
    '    if test $skip = 1',
    '      set skip 0',
    '      continue',
    '    end',
    '    switch "$verb $word"',
    `      case ${valued.join(' ')}`,
    '        set skip 1',
    "      case '* -*'",
    "      case '*'",
    '        set -l longer (string trim "$verb $word")',
    '        contains -- "$longer" $__troupe_verbs; and set verb $longer',
    '    end',
    '  end',
    '  test "$verb" = "$argv[1]"',
    'end',
    `set -g __troupe_verbs ${positions
      .filter(({ verb }) => verb !== '')
      .map(({ verb }) => quoted(verb))
      .join(' ')}`,
    'complete -c troupe -e',
    'complete -c troupe -f',
    ...lines,
  ].join('\n');
}
