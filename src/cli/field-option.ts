/**
 * The flag of one field of a schema: its name, type, allowed values and help. The notes of the
 * field (`FieldNotes`) name the exceptions. Only types of zod are needed here.
 */
import type { z } from 'zod';
import { duration as durationText } from '../lib/durations.ts';
import type { FieldNotes } from '../protocol/rest/fields.ts';
import {
  choiceOption,
  choicesOption,
  durationOption,
  flagOption,
  instantOption,
  number,
  type Option,
  pairs,
  textOption,
  texts,
  wholeOption,
} from './options.ts';

interface Flag {
  /** `kill-grace` */
  name: string;
  option: Option<unknown>;
}

/** Replaces the flag that the type of a field gives. */
export interface HumanForm {
  flag?: string;
  /** Appended to the help of the field. */
  more?: string;
  option?(): Option<unknown>;
}

/**
 * Undefined: the field has no flag. A group of fields has none itself. `isChange`: a setting that
 * is not given stays unchanged, so the help names no default.
 */
export function flagOf(
  field: string,
  schema: z.ZodType,
  { isChange = false, form = {} }: { isChange?: boolean; form?: HumanForm } = {},
): Flag | { group: z.ZodObject } | undefined {
  const { value, given, notes } = unwrapped(schema);
  if (notes.flag === null) return undefined;
  if (defOf(value).type === 'object') return { group: value as z.ZodObject };
  const more = form.more ?? (notes.written?.type === 'array' && !notes.takes ? '; several with commas between' : '');
  const words = `${notes.help ?? notes.description ?? ''}${more}`;
  const help = isChange ? words.replace(/ \(default\b[^)]*\)/, '') : words + defaultText(given, notes);
  return { name: form.flag ?? notes.flag ?? nameOf(field), option: form.option?.() ?? optionOf(value, help, notes) };
}

/** The definition inside a schema, read without zod at run time. */
interface Def {
  type: string;
  innerType?: z.ZodType;
  in?: z.ZodType;
  defaultValue?: unknown;
  entries?: Record<string, string>;
}
const defOf = (schema: z.ZodType): Def => schema._zod.def as unknown as Def;

type Notes = FieldNotes & { description?: string; written?: Written };
/** Text form of a query value of another type (`written` of its schema). */
interface Written {
  type: 'integer' | 'boolean' | 'string' | 'array';
  minimum?: number;
  maximum?: number;
  items?: Words & { anyOf?: Words[] };
}
/** Texts that a list may have: some words, or all that match a pattern. */
interface Words {
  enum?: string[];
  pattern?: string;
}

/** The schema of the value itself, with its default and the notes of the field. */
function unwrapped(schema: z.ZodType): { value: z.ZodType; given: unknown; notes: Notes } {
  let value = schema;
  let given: unknown;
  let notes: Notes = {};
  for (;;) {
    const { innerType, in: input, type, defaultValue } = defOf(value);
    notes = { ...(value.meta() as Notes | undefined), ...notes };
    if (type === 'default') given ??= defaultValue;
    const inner = innerType ?? input;
    if (inner === undefined) return { value, given, notes };
    value = inner;
  }
}

/** `killGraceMs`: `kill-grace`; a flag writes the unit with the value. */
const nameOf = (field: string): string => field.replace(/Ms$/, '').replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);

function defaultText(given: unknown, { usual, unit }: Notes): string {
  if (usual !== undefined) return usual === '' ? '' : ` (default: ${usual})`;
  if (typeof given === 'number') return ` (default: ${unit === 'ms' ? durationText(given) : given})`;
  return typeof given === 'string' && given !== '' ? ` (default: ${given})` : '';
}

function optionOf(value: z.ZodType, help: string, { takes, unit, written }: Notes): Option<unknown> {
  if (written !== undefined) return writtenOption(written, help, takes);
  const { type, entries } = defOf(value);
  if (type === 'boolean') return flagOption(help, { negatable: true });
  if (type === 'enum') return choiceOption(Object.values(entries ?? {}), help);
  if (type === 'record') return pairs(takes ?? 'NAME=VALUE', help);
  if (type === 'array') return texts(takes ?? 'TEXT', help);
  if (type !== 'number') return textOption(takes ?? 'TEXT', help);
  const { minValue, isInt } = value as z.ZodNumber;
  // A number with a unit of time is written with it. Upper limits are those of the center.
  if (unit === 'ms') return durationOption(help, { min: minValue ?? 0 });
  return isInt ? wholeOption(takes ?? 'N', help, minValue ?? 0) : number(takes ?? (unit === 'MB' ? 'MB' : 'N'), help);
}

function writtenOption({ type, minimum, maximum, items = {} }: Written, help: string, takes: string | undefined): Option<unknown> {
  if (type === 'boolean') return flagOption(help);
  if (type === 'integer') return wholeOption(takes ?? 'N', help, minimum, maximum);
  if (type === 'string') return instantOption(help);
  const kinds = items.anyOf ?? [items];
  const values = kinds.flatMap(kind => kind.enum ?? []);
  const pattern = kinds.find(kind => kind.pattern !== undefined)?.pattern;
  return choicesOption(takes ?? values.join('|'), help, values, pattern === undefined ? undefined : new RegExp(pattern));
}
