/**
 * The flags that give the settings of a thing, made from the schema of its request: a field of the
 * schema is a flag, `killGraceMs` is `--kill-grace 10s`. What a field says of itself (`FieldNotes`)
 * names the exceptions; only types of zod are needed here.
 */
import type { z } from 'zod';
import { duration as durationText } from '../lib/durations.ts';
import type { FieldNotes } from '../protocol/rest/fields.ts';
import {
  choiceOption,
  durationOption,
  flagOption,
  number,
  type Option,
  type Options,
  pairs,
  textOption,
  texts,
  wholeOption,
} from './options.ts';

/** The schema of a request, as an object of fields. */
export type Settings = z.ZodObject;
type Json = Record<string, unknown>;

interface Setting {
  /** Where it stands in the request: `['retry', 'backoffMs']`. */
  path: string[];
  name: string;
  option: Option<unknown>;
}

/** By name of the flag. `isChange`: what is not given stays as it is, so no default is named. */
export const settingFlags = (settings: Settings, isChange: boolean): Options =>
  Object.fromEntries(settingsIn(settings, isChange).map(({ name, option }) => [name, option]));

/** The part of a request that the given flags make. */
export function requestOf(settings: Settings, values: Readonly<Json>): Json {
  let request: Json = {};
  for (const { path, name } of settingsIn(settings, false)) {
    const value = values[name];
    if (value !== undefined)
      request = mergedSettings(request, path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Json);
  }
  return request;
}

/** `more` over `settings`: a part of a group leaves the other parts alone. */
export function mergedSettings(settings: Json, more: Json): Json {
  const merged = { ...settings };
  for (const [name, value] of Object.entries(more)) {
    const before = merged[name];
    merged[name] = isGroup(value) ? mergedSettings(isGroup(before) ? before : {}, value) : value;
  }
  return merged;
}

const isGroup = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What wraps a schema, without zod at run time. */
interface Def {
  type: string;
  innerType?: z.ZodType;
  in?: z.ZodType;
  defaultValue?: unknown;
  entries?: Record<string, string>;
}
const defOf = (schema: z.ZodType): Def => schema._zod.def as unknown as Def;

function settingsIn(settings: Settings, isChange: boolean, before: string[] = []): Setting[] {
  return Object.entries(settings.shape).flatMap(([field, schema]) => {
    const path = [...before, field];
    const { value, given, notes } = unwrapped(schema as z.ZodType);
    if (notes.flag === null) return [];
    if (defOf(value).type === 'object') return settingsIn(value as Settings, isChange, path);
    const words = notes.help ?? notes.description ?? '';
    const says = isChange ? words.replace(/ \(default\b[^)]*\)/, '') : words + defaultText(given, notes);
    return [{ path, name: notes.flag ?? flagOf(field), option: optionOf(value, says, notes) }];
  });
}

type Notes = FieldNotes & { description?: string };

/** The schema of the value itself, with its default and what the field says of itself. */
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
const flagOf = (field: string): string => field.replace(/Ms$/, '').replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);

function defaultText(given: unknown, { usual, unit }: Notes): string {
  if (usual !== undefined) return usual === '' ? '' : ` (default: ${usual})`;
  if (typeof given === 'number') return ` (default: ${unit === 'ms' ? durationText(given) : given})`;
  return typeof given === 'string' && given !== '' ? ` (default: ${given})` : '';
}

function optionOf(value: z.ZodType, says: string, { takes, unit }: Notes): Option<unknown> {
  const { type, entries } = defOf(value);
  if (type === 'boolean') return flagOption(says, { negatable: true });
  if (type === 'enum') return choiceOption(Object.values(entries ?? {}), says);
  if (type === 'record') return pairs(takes ?? 'NAME=VALUE', says);
  if (type === 'array') return texts(takes ?? 'TEXT', says);
  if (type !== 'number') return textOption(takes ?? 'TEXT', says);
  const { minValue, isInt } = value as z.ZodNumber;
  // A number with a unit of time is written with it. Upper limits are those of the center.
  if (unit === 'ms') return durationOption(says, { min: minValue ?? 0 });
  return isInt ? wholeOption(takes ?? 'N', says, minValue ?? 0) : number(takes ?? (unit === 'MB' ? 'MB' : 'N'), says);
}
