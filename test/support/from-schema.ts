/** Values that fit a zod schema, or fit it but for one thing: input of fuzz tests. */
import fc from 'fast-check';
import type { z } from 'zod';

interface Def {
  type: string;
  shape?: Record<string, z.core.$ZodType>;
  element?: z.core.$ZodType;
  options?: z.core.$ZodType[];
  innerType?: z.core.$ZodType;
  values?: unknown[];
  entries?: Record<string, string>;
  checks?: z.core.$ZodCheck[];
}

const defOf = (schema: z.core.$ZodType): Def => schema._zod.def as unknown as Def;
interface Check {
  check: string;
  format?: string;
  value?: number;
  maximum?: number;
}

/** What the checks of a number or a text allow. */
function boundsOf(schema: z.core.$ZodType) {
  const checks = (defOf(schema).checks ?? []).map(({ _zod }) => _zod.def as unknown as Check);
  const limitOf = (check: string) => checks.find(each => each.check === check)?.value;
  return {
    minimum: limitOf('greater_than'),
    maximum: limitOf('less_than'),
    longest: checks.find(({ check }) => check === 'max_length')?.maximum,
    isWhole: checks.some(({ format }) => format === 'safeint'),
  };
}

const within = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value));

/**
 * Values that the schema takes. Throws for a kind of schema that it does not know, so that none is
 * left out in silence.
 */
export function valid(schema: z.core.$ZodType): fc.Arbitrary<unknown> {
  const def = defOf(schema);
  switch (def.type) {
    case 'object': {
      const fields = Object.entries(def.shape ?? {});
      const optional = fields.filter(([, field]) => defOf(field).type === 'optional').map(([name]) => name);
      const required = fields.map(([name]) => name).filter(name => !optional.includes(name));
      const record = Object.fromEntries(fields.map(([name, field]) => [name, valid(field)]));
      return fc.record(record, { requiredKeys: required });
    }
    case 'array':
      return fc.array(valid(def.element as z.core.$ZodType), { maxLength: 3, minLength: 1 });
    case 'record':
      return fc.dictionary(fc.string({ maxLength: 10 }), fc.string({ maxLength: 10 }), { maxKeys: 3 });
    case 'union':
      return fc.oneof(...(def.options ?? []).map(valid));
    case 'optional':
    case 'nullable':
      return valid(def.innerType as z.core.$ZodType);
    case 'literal':
      return fc.constantFrom(...(def.values ?? []));
    case 'enum':
      return fc.constantFrom(...Object.values(def.entries ?? {}));
    case 'boolean':
      return fc.boolean();
    case 'string':
      return fc.string({ maxLength: Math.min(20, boundsOf(schema).longest ?? 20), unit: 'binary' });
    case 'number': {
      const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER, isWhole } = boundsOf(schema);
      // A number that need not be whole has a minimum that does not count itself.
      const least = isWhole ? minimum : minimum + 0.001;
      const between = isWhole
        ? fc.maxSafeInteger().map(each => within(each, least, maximum))
        : fc.double({ min: least, max: maximum, noNaN: true });
      // The edges come as often as anything between them.
      return fc.oneof(fc.constantFrom(least, maximum), between);
    }
    default:
      throw new Error(`a schema of type "${def.type}" cannot be made up yet`);
  }
}

/** Unexpected values of a field: every type, and numbers beyond each limit. */
export const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, '', '\0', '\ud800', 'x'.repeat(5_000), [], {}, [null], { __proto__: null }, { toString: 1 }),
  fc.constantFrom<unknown>(
    -1,
    0,
    1.5,
    -0,
    2 ** 31,
    2 ** 53,
    8_640_000_000_000_000,
    8_640_000_000_000_001,
    -8_640_000_000_000_001,
    1e308,
    -1e308,
  ),
);

type Place = (string | number)[];

/** Where in a value something stands, itself included. */
function placesIn(value: unknown, at: Place = []): Place[] {
  if (typeof value !== 'object' || value === null) return [at];
  const within = Object.entries(value).flatMap(([name, each]) => placesIn(each, [...at, name]));
  return at.length === 0 ? within : [at, ...within];
}

function changed(value: unknown, [name, ...rest]: Place, change: (parent: Record<string, unknown>, name: string) => void): unknown {
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
  if (rest.length === 0) change(copy, String(name));
  else copy[String(name)] = changed(copy[String(name)], rest, change);
  return copy;
}

/** A valid value with one field replaced, removed or added. */
export const mutated = (value: unknown): fc.Arbitrary<unknown> =>
  fc
    .tuple(fc.constantFrom(...placesIn(value)), fc.constantFrom('replace', 'replace', 'replace', 'remove', 'add'), anything)
    .map(([place, how, other]) =>
      changed(value, place, (parent, name) => {
        if (how === 'replace') parent[name] = other;
        else if (how === 'remove') delete parent[name];
        else parent.surplus = other;
      }),
    );
