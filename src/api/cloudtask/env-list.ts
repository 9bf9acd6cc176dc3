/** The environment of a job as Cloudtask writes it: a list of `NAME=value`. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { Problem } from '../../http/errors.ts';
import { text } from '../../protocol/rest/fields.ts';
import { secret } from '../../protocol/rest/secrets.ts';
import { HIDDEN_VALUE } from '../../security/secrets.ts';

const ENTRIES_MAX = 500;
const ENTRY = /^([A-Za-z_][A-Za-z0-9_]{0,199})=/;
const listRule = `a list of at most ${ENTRIES_MAX} texts NAME=value`;

/** No refusal repeats a value. */
export const EnvList = () =>
  secret(
    z
      .array(text().regex(ENTRY, 'NAME=value, and letters, digits and "_" make a NAME, at most 200, and no digit begins it'), listRule)
      .max(ENTRIES_MAX, listRule),
  );

const nameIn = (entry: string): string => entry.slice(0, entry.indexOf('='));
const valueIn = (entry: string): string => entry.slice(entry.indexOf('=') + 1);

/** Of several values of one name the last counts. */
export const variablesIn = (entries: readonly string[]): Record<string, string> =>
  Object.fromEntries(entries.map(entry => [nameIn(entry), valueIn(entry)]));

/** Hidden values become the stored ones. Throws Problem `invalid` where none is stored. */
export function revealed(entries: readonly string[], stored: Readonly<Record<string, string>>): string[] {
  return entries.map((entry, index) => {
    if (valueIn(entry) !== HIDDEN_VALUE) return entry;
    const variable = nameIn(entry);
    if (Object.hasOwn(stored, variable)) return `${variable}=${stored[variable]}`;
    const sentence = `env[${index}] is ${entry}, but the job has no ${variable} whose value could stay; give its value.`;
    throw new Problem('invalid', sentence, { field: `env[${index}]` });
  });
}

/** As given while it still means the same. */
export function entriesOf(env: Readonly<Record<string, string>>, given: readonly string[] | undefined): string[] {
  if (given && isDeepStrictEqual(variablesIn(given), env)) return [...given];
  return Object.entries(env).map(([variable, value]) => `${variable}=${value}`);
}
