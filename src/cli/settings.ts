/**
 * Flags for the settings of a thing, made from the schema of its request: the field `killGraceMs`
 * is the flag `--kill-grace 10s`. `field-option.ts` makes one flag.
 */
import type { z } from 'zod';
import { flagOf } from './field-option.ts';
import type { Option, Options } from './options.ts';

/** The schema of a request, as an object of fields. */
export type Settings = z.ZodObject;
type Json = Record<string, unknown>;

interface Setting {
  /** Path in the request: `['retry', 'backoffMs']`. */
  path: string[];
  name: string;
  option: Option<unknown>;
}

/** Flags by name. `isChange`: settings that are not given stay, so no default is named. */
export const settingFlags = (settings: Settings, isChange: boolean): Options =>
  Object.fromEntries(settingsIn(settings, isChange).map(({ name, option }) => [name, option]));

/** The part of a request from the given flags. */
export function requestOf(settings: Settings, values: Readonly<Json>): Json {
  let request: Json = {};
  for (const { path, name } of settingsIn(settings, false)) {
    const value = values[name];
    if (value !== undefined)
      request = mergedSettings(request, path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Json);
  }
  return request;
}

/** `more` over `settings`. Groups are merged: parts that `more` does not have stay. */
export function mergedSettings(settings: Json, more: Json): Json {
  const merged = { ...settings };
  for (const [name, value] of Object.entries(more)) {
    const before = merged[name];
    merged[name] = isGroup(value) ? mergedSettings(isGroup(before) ? before : {}, value) : value;
  }
  return merged;
}

const isGroup = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

function settingsIn(settings: Settings, isChange: boolean, before: string[] = []): Setting[] {
  return Object.entries(settings.shape).flatMap(([field, schema]) => {
    const path = [...before, field];
    const flag = flagOf(field, schema as z.ZodType, { isChange });
    if (flag === undefined) return [];
    return 'group' in flag ? settingsIn(flag.group, isChange, path) : [{ path, ...flag }];
  });
}
