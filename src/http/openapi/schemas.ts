/**
 * Zod's schemas as OpenAPI 3.1 has them: JSON Schema 2020-12, with everything that has a name told
 * once, among the components.
 */
import { z } from 'zod';

export type Json = Record<string, unknown>;

export interface Schemas {
  /** `input`: what is taken. `output`: what is told. */
  of(schema: z.ZodType, io: 'input' | 'output'): Json;
  /** All that were named so far, by name. */
  components(): Record<string, Json>;
}

export function createSchemas(): Schemas {
  const named = new Map<string, Json>();
  return {
    of(schema, io) {
      // Inside of an object a schema with a name becomes a reference, also the outermost.
      const made = z.toJSONSchema(z.object({ it: schema }), { io, unrepresentable: 'any', override });
      const { properties, $defs = {} } = made as unknown as { properties: { it: Json }; $defs?: Record<string, Json> };
      for (const [name, definition] of Object.entries($defs)) named.set(name, pointed(definition) as Json);
      return pointed(properties.it) as Json;
    },
    components: () => Object.fromEntries([...named].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** What a schema says of itself for the command line alone. */
const FLAGS = ['flag', 'takes', 'help', 'usual'];
/** What belongs to a field rather than to its type. */
const NOTES = ['description', 'examples', 'x-unit'];

/**
 * Where a schema says by `written` how it is written (a number that a query spells as text), that
 * stands for its type. Default and examples of what is read into another type, which zod leaves
 * out, are shown as they are written. What is said of a value that may be null is said of both.
 */
function override({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: Json }): void {
  const { def } = zodSchema._zod;
  if (def.type === 'default' && !('default' in jsonSchema)) jsonSchema.default = def.defaultValue;
  const { written, unit, examples } = z.globalRegistry.get(zodSchema) ?? {};
  for (const note of [...FLAGS, 'unit', 'written']) delete jsonSchema[note];
  if (unit !== undefined) jsonSchema['x-unit'] = unit;
  if (examples !== undefined) jsonSchema.examples = examples;
  if (typeof written === 'object' && written !== null) {
    for (const key of Object.keys(jsonSchema)) if (!NOTES.includes(key) && key !== 'default') delete jsonSchema[key];
    Object.assign(jsonSchema, written);
  }
  if (def.type === 'nullable') hoistNotes(jsonSchema);
}

/** The inner schema may stand in other places, too: a copy goes without its notes. */
function hoistNotes(jsonSchema: Json): void {
  const [inner, ...others] = (jsonSchema.anyOf ?? []) as Json[];
  if (inner === undefined || '$ref' in inner) return;
  const isNote = ([key]: [string, unknown]) => NOTES.includes(key);
  for (const [note, value] of Object.entries(inner).filter(isNote)) jsonSchema[note] ??= value;
  jsonSchema.anyOf = [Object.fromEntries(Object.entries(inner).filter(each => !isNote(each))), ...others];
}

const FROM = '#/$defs/';
const TO = '#/components/schemas/';

/** References lead to the components of the whole document. */
function pointed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pointed);
  if (typeof value !== 'object' || value === null) return value;
  const leads = (key: string, inner: unknown): inner is string => key === '$ref' && typeof inner === 'string' && inner.startsWith(FROM);
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, leads(key, inner) ? TO + inner.slice(FROM.length) : pointed(inner)]),
  );
}
