/** What a verb is: a declaration that the dispatcher, the help and the tests read. */
import type { z } from 'zod';
import type { WrittenQuery } from '../protocol/rest/index.ts';
import type { Client } from './client.ts';
import type { Exit } from './failure.ts';
import { filterFlags } from './filters.ts';
import { flagOption, type Options, textOption, type Values } from './options.ts';
import type { Printer } from './printer.ts';
import { type Settings, settingFlags } from './settings.ts';
import type { Shell } from './shell.ts';

export interface VerbCall<O extends Options = Options, Q extends z.ZodObject = z.ZodObject> {
  shell: Shell;
  print: Printer;
  /** The center, as far as this verb needs one. */
  client: Client;
  values: Values<O>;
  /** The part of a request that the flags of `settings` gave. */
  settings: Record<string, unknown>;
  /** The query that the flags of `query` gave. */
  query: WrittenQuery<Q>;
  /** As many as `takes` names; an optional one that did not come is ''. */
  words: string[];
  /** What stands behind `--`. */
  rest: string[] | undefined;
}

export interface Verb<O extends Options = Options, Q extends z.ZodObject = z.ZodObject> {
  /** One sentence for the help, without a full stop. */
  summary: string;
  /** Names of the words it takes, optional ones in brackets: `JOB`, `[EXECUTION]`. */
  takes: readonly string[];
  /** A flag of the same name comes before that of `settings` and `query`. */
  options: O;
  /** The schema whose fields are flags, too. Loaded when the verb is. */
  settings?: () => Promise<Settings>;
  /** The schema of the query, such as filters of a list: its fields are flags, too. */
  query?: () => Promise<Q>;
  /** It changes a thing: what is not given stays, so that no default is named. */
  isChange?: true;
  /** Takes `-- COMMAND …`. */
  takesRest?: boolean;
  examples?: readonly string[];
  /** Flags that people expect here and that are elsewhere, with what to do instead. */
  hints?: Readonly<Record<string, string>>;
  run(call: VerbCall<O, Q>): Promise<Exit>;
}

/** A program of its own behind a verb: it reads all its words itself. */
export interface Program {
  summary: string;
  /** Absent: the program answers `--help` itself. */
  help?: string;
  /** Instead of `help`, for the completion. */
  usage?(): Promise<string>;
  /** Not in the list of verbs: for other programs. */
  hidden?: boolean;
  main(args: string[], shell: Shell): Promise<number>;
}

/** Verbs under one noun; without a word it lists. */
export interface Family {
  summary: string;
  verbs: Record<string, Verb>;
  /** Verbs that people expect here and that are elsewhere, with what to do instead. */
  hints?: Readonly<Record<string, string>>;
}

export type Entry = Verb | Family | Program;

/** Declares a verb; the call gets its types from the options and the query. */
export const verb = <const O extends Options, Q extends z.ZodObject = z.ZodObject>(declared: Verb<O, Q>): Verb =>
  declared as unknown as Verb;

/** Every verb takes these. */
export const COMMON = {
  center: textOption(
    'NAME|URL',
    'which center, or several of one installation with commas between (default: TROUPE_URL, then the current one of "troupe centers", then http://127.0.0.1:8899)',
  ),
  json: flagOption('print JSON'),
  utc: flagOption('show and read times in UTC, instead of the zone of this machine'),
  help: flagOption('show this', { short: 'h' }),
} satisfies Options;

/** Its own flags, and those that its settings and its query make. */
export const flagsOfVerb = async ({ options, settings, query, isChange }: Verb): Promise<Options> => ({
  ...(query ? filterFlags(await query()) : {}),
  ...options,
  ...(settings ? settingFlags(await settings(), isChange ?? false) : {}),
});

export const isFamily = (entry: Entry): entry is Family => 'verbs' in entry;
export const isProgram = (entry: Entry): entry is Program => 'main' in entry;
