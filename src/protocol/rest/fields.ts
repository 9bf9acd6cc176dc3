/**
 * Field schemas of every body and query: a type, its limits, and the text of the expectation ("must
 * be …").
 */
import { z } from 'zod';
import { commaEntries } from '../../lib/comma-list.ts';

/** Notes of a field for reference and command line, besides its type and its limits. */
export interface FieldNotes {
  /** What a number counts. */
  unit?: 'ms' | 'cores' | 'MB' | 'bytes';
  /** A value that the field may have. */
  example?: unknown;
  /** Its flag. Default: the name of the field, `killGraceMs` as `kill-grace`. null: it has none. */
  flag?: string | null;
  /** Placeholder of the flag's value: `POOL`. Default: by the type. */
  takes?: string;
  /** Text of the flag in the help. Default: the description. */
  help?: string;
  /** How the help names the default; empty: not at all. Default: by the value and the unit. */
  usual?: string;
}

/**
 * The same schema, described. Description and notes belong to the value itself: `.default()` and
 * `.optional()` go around it.
 */
export const field = <S extends z.ZodType>(
  schema: S,
  description: string,
  { unit, example, flag, takes, help, usual }: FieldNotes = {},
): S =>
  schema.meta({
    description,
    ...(unit === undefined ? {} : { unit }),
    ...(example === undefined ? {} : { examples: [example] }),
    ...(flag === undefined ? {} : { flag }),
    ...(takes === undefined ? {} : { takes }),
    ...(help === undefined ? {} : { help }),
    ...(usual === undefined ? {} : { usual }),
  });

/** Creates a value at its first use. */
export const once = <T>(make: () => T): (() => T) => {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
};

/** Names of jobs, apps and pools. They stand in paths and in addresses. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const nameRule = 'a name: 1 to 100 letters, digits, ".", "_" or "-", beginning with a letter or digit';
export const name = () =>
  z
    .string(nameRule)
    .regex(NAME, nameRule)
    .meta({ examples: ['nightly'] });

const idRule = '24 hex digits';
/** The id of a job: kept in lower case, found in any. */
export const jobId = () =>
  z
    .string(idRule)
    .regex(/^[0-9a-fA-F]{24}$/, idRule)
    .overwrite(id => id.toLowerCase());

/** Longest free text: a command, a parameter. */
export const TEXT_MAX = 65_536;
/** A NUL ends a text for the operating system and would hide the rest. */
export const text = (max = TEXT_MAX, min = 0) => {
  const rule = min > 0 ? `a text of ${min} to ${max} characters` : `a text of at most ${max} characters`;
  // One check after the other would copy the schema with each.
  return z.string(rule).check(
    z.minLength(min, rule),
    z.maxLength(max, rule),
    z.refine((value: string) => !value.includes('\0'), `${rule}, without NUL`),
  );
};

/** A text without line breaks and other controls, so that it cannot break a header. */
export const line = (max: number) => {
  const rule = `one line of at most ${max} characters, without controls`;
  return z.string(rule).check(
    z.maxLength(max, rule),
    z.refine((value: string) => !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(value), rule),
  );
};

const number = (min: number, max: number) => {
  const rule = `a number from ${min} to ${max}`;
  return z.number(rule).check(z.gte(min, rule), z.lte(max, rule));
};

export const whole = (min: number, max: number) => {
  const rule = `a whole number from ${min} to ${max}`;
  return z.number(rule).check(z.int(rule), z.gte(min, rule), z.lte(max, rule));
};

export const flag = () => z.boolean('true or false');

export const choice = <const T extends readonly [string, ...string[]]>(values: T) => z.enum(values, `one of ${values.join(', ')}`);

/** Largest cpu and memory of a request: more than any machine has. */
const CPUS_MAX = 100_000;
const MEMORY_MAX = 1_000_000_000;
export const cpus = (min = 0.001) => number(min, CPUS_MAX);
export const memoryMB = (min = 1) => number(min, MEMORY_MAX);

/** Longest span that a policy may name: a year. */
export const SPAN_MAX = 366 * 86_400_000;
export const span = () => whole(0, SPAN_MAX);

/** argv, or one text that is split without a shell. */
export const command = () => {
  const rule = 'a command: a text that is not empty, or a list of 1 to 1000 texts whose first is not empty';
  const word = z
    .string(rule)
    .max(TEXT_MAX, rule)
    .refine(value => !value.includes('\0'), rule);
  return z.union(
    [
      word.refine(value => value.trim() !== '', rule),
      z
        .array(word)
        .min(1, rule)
        .max(1000, rule)
        .refine(words => words[0] !== '', rule),
    ],
    rule,
  );
};

/**
 * Bytes of an app's command as JSON: each of a thousand shards is started with a copy of it, and
 * what starts them is written as one.
 */
export const APP_COMMAND_MAX = 4_096;
const isShort = (value: string | string[]): boolean => Buffer.byteLength(JSON.stringify(value)) <= APP_COMMAND_MAX;
const shortRule = `a command of at most ${APP_COMMAND_MAX} bytes; put a longer one into the archive`;
/** `command`, and short enough for an app. */
export const appCommand = () => command().refine(isShort, shortRule);
/** The same of the dialect: one text. */
export const appScript = () =>
  text(undefined, 1)
    .refine(value => value.trim() !== '', 'a command that is not empty')
    .refine(isShort, shortRule);

/** Addresses of people: mail, or a webhook. No white space, so no address breaks a header. */
const MAIL = /^[^\s@<>(),;:\\"[\]]{1,64}@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;
const ADDRESS_MAX = 2_000;
const addressRule = 'a mail address or an http(s) URL, such as ops@example.org';
export const isRecipient = (value: string): boolean =>
  value.length <= ADDRESS_MAX && (MAIL.test(value) || (/^https?:\/\/[^\s;]+$/i.test(value) && URL.canParse(value)));
/** A mail address or an http(s) URL. */
export const address = () => z.string(addressRule).refine(isRecipient, addressRule);

/** First and last instant whose year has four digits, epoch ms. */
const INSTANT_MIN = -62_167_219_200_000;
const INSTANT_MAX = 253_402_300_799_999;

const instantRule = 'an instant such as 2026-11-22T08:00:00.000Z';
const INSTANT = /^(\d{4})-(\d\d)-(\d\d)(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;

/** Whether the calendar has the day: 30 February would be read as 2 March. */
const isDay = (written: string): boolean => {
  const [, year, month, day] = INSTANT.exec(written) ?? [];
  return new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day);
};

/** ISO 8601 with a zone (a date alone is midnight UTC) -> epoch ms. */
export const instant = () =>
  z
    .string(instantRule)
    .transform((value, context) => {
      // A plus sign in a query that was not encoded arrives as a space.
      const written = value.replace(' ', '+');
      const at = isDay(written) ? Date.parse(written) : Number.NaN;
      // A zone may carry it beyond the years of four digits.
      if (at >= INSTANT_MIN && at <= INSTANT_MAX) return at;
      context.issues.push({ code: 'custom', input: value, message: instantRule });
      return z.NEVER;
    })
    .meta({ written: { type: 'string', format: 'date-time' }, examples: ['2026-11-22T08:00:00Z'] });

/** Refuses a range of time that ends before it begins. */
export const inOrder = <T extends { from?: number | undefined; to?: number | undefined }>(query: T, context: z.core.$RefinementCtx<T>) => {
  const { from, to } = query;
  if (from === undefined || to === undefined || from <= to) return;
  const [first, last] = [from, to].map(at => new Date(at).toISOString());
  const message = `from is ${first}, but must not be later than to, ${last}.`;
  context.issues.push({ code: 'custom', input: query, path: ['from'], message });
};

/** A whole number as a query spells it. */
export const digits = (min: number, max: number) => {
  const rule = `a whole number from ${min} to ${max}`;
  return z
    .string(rule)
    .regex(/^\d{1,15}$/, rule)
    .transform(Number)
    .refine(value => value >= min && value <= max, rule)
    .meta({ written: { type: 'integer', minimum: min, maximum: max } });
};

/** `true` or `false` as a query spells it; the bare word (`?kill`) is true. */
export const queryFlag = () =>
  z
    .enum(['true', 'false', ''], 'true or false')
    .transform(value => value !== 'false')
    .meta({ written: { type: 'boolean' } });

/** One or several of the values, separated by commas. */
export const choices = <const T extends readonly [string, ...string[]]>(values: T) => {
  const rule = `one or more of ${values.join(', ')}, separated by commas`;
  return z
    .string(rule)
    .transform((value, context) => {
      const chosen = commaEntries(value);
      if (chosen.every(word => values.includes(word))) return chosen as T[number][];
      context.issues.push({ code: 'custom', input: value, message: rule });
      return z.NEVER;
    })
    .meta({ written: { type: 'array', items: { type: 'string', enum: [...values] } } });
};
