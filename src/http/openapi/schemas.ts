/**
 * Zod schemas as JSON Schema 2020-12 for OpenAPI 3.1. Named schemas become components, and others
 * refer to them.
 */
import { z } from 'zod';

export type Json = Record<string, unknown>;

export interface Schemas {
  /** `input`: of requests. `output`: of responses. */
  of(schema: z.ZodType, io: 'input' | 'output'): Json;
  /** All named schemas of the calls so far, by name. */
  components(): Record<string, Json>;
}

export function createSchemas(): Schemas {
  const named = new Map<string, Json>();
  return {
    of(schema, io) {
      // Inside an object a named schema becomes a reference, the outermost one too.
      const made = z.toJSONSchema(z.object({ it: schema }), { io, unrepresentable: 'any', override });
      const { properties, $defs = {} } = made as unknown as { properties: { it: Json }; $defs?: Record<string, Json> };
      for (const [name, definition] of Object.entries($defs)) named.set(name, pointed(definition) as Json);
      return pointed(properties.it) as Json;
    },
    components: () => Object.fromEntries([...named].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** Metadata for the command line alone. */
const FLAGS = ['flag', 'takes', 'help', 'usual'];
/** Metadata of a field rather than of its type. */
const NOTES = ['description', 'examples', 'x-unit'];

/**
 * `written` of a schema replaces its type: a number in a query is a text. Adds the default and the
 * examples that zod omits for transformed types.
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
}

/** Notes of a nullable value hold for both. zod merges two bare types into a list of types. */
function hoistNotes(schema: Json): Json {
  const { anyOf, ...rest } = schema;
  const [inner, other, ...more] = Array.isArray(anyOf) ? (anyOf as Json[]) : [];
  const isNullable = inner !== undefined && other?.type === 'null' && more.length === 0;
  if (!isNullable || '$ref' in inner) return schema;
  const isNote = ([key]: [string, unknown]) => NOTES.includes(key);
  const notes = Object.fromEntries(Object.entries(inner).filter(isNote));
  const bare = Object.fromEntries(Object.entries(inner).filter(each => !isNote(each)));
  const isType = typeof bare.type === 'string' && Object.keys(bare).length === 1;
  return { ...notes, ...rest, ...(isType ? { type: [bare.type, 'null'] } : { anyOf: [bare, other] }) };
}

const FROM = '#/$defs/';
const TO = '#/components/schemas/';

/** Points references to the components of the document. */
function pointed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pointed);
  if (typeof value !== 'object' || value === null) return value;
  const leads = (key: string, inner: unknown): inner is string => key === '$ref' && typeof inner === 'string' && inner.startsWith(FROM);
  return hoistNotes(
    Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, leads(key, inner) ? TO + inner.slice(FROM.length) : pointed(inner)]),
    ),
  );
}
