/** The declaration of a verb, read by dispatcher, help, completion and tests. */
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
  /** Connects to the center at the first call. */
  client: Client;
  values: Values<O>;
  /** The part of a request from the flags of `settings`. */
  settings: Record<string, unknown>;
  /** The query from the flags of `query`. */
  query: WrittenQuery<Q>;
  /** As many as `takes` names; '' for an optional one that is not given. */
  words: string[];
  /** The arguments after `--`. */
  rest: string[] | undefined;
}

export interface Verb<O extends Options = Options, Q extends z.ZodObject = z.ZodObject> {
  /** One sentence for the help, without a full stop. */
  summary: string;
  /** Names of the words it takes: `JOB`, optional `[EXECUTION]`, one or more `FILE…` at the end. */
  takes: readonly string[];
  /** Replaces flags of the same name from `query`; `settings` replaces it. */
  options: O;
  /** The schema whose fields are flags, too. Loaded with the verb. */
  settings?: () => Promise<Settings>;
  /** The schema of the query, such as filters of a list: its fields are flags, too. */
  query?: () => Promise<Q>;
  /** The verb changes a thing: settings that are not given stay, so the help names no default. */
  isChange?: true;
  /** Takes `-- COMMAND …`. */
  takesRest?: boolean;
  examples?: readonly string[];
  /** Hints for flags that users expect here and that are elsewhere. */
  hints?: Readonly<Record<string, string>>;
  run(call: VerbCall<O, Q>): Promise<Exit>;
}

/** A verb that is a program of its own: it reads all its arguments itself. */
export interface Program {
  summary: string;
  /** Absent: the program answers `--help` itself. */
  help?: string;
  /** Replaces `help` for the completion. */
  usage?(): Promise<string>;
  /** Omitted from the list of verbs: other programs start it. */
  hidden?: boolean;
  main(args: string[], shell: Shell): Promise<number>;
}

/** Verbs under one noun. Without a verb it runs `list`. */
export interface Family {
  summary: string;
  verbs: Record<string, Verb>;
  /** Hints for verbs that users expect here and that are elsewhere. */
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
    'the center to use, or several of one installation with commas between (default: TROUPE_URL, then the current one of "troupe centers", then http://127.0.0.1:8899)',
  ),
  json: flagOption('print JSON'),
  utc: flagOption('show and read times in UTC, instead of the zone of this machine'),
  help: flagOption('show this help', { short: 'h' }),
} satisfies Options;

/** All flags of a verb: its own, and those of its settings and its query. */
export const flagsOfVerb = async ({ options, settings, query, isChange }: Verb): Promise<Options> => ({
  ...(query ? filterFlags(await query()) : {}),
  ...options,
  ...(settings ? settingFlags(await settings(), isChange ?? false) : {}),
});

export const isFamily = (entry: Entry): entry is Family => 'verbs' in entry;
export const isProgram = (entry: Entry): entry is Program => 'main' in entry;
