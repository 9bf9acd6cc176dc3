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

/**
 * Where a schema says by `told` how it is told (a number that a query spells as text), that stands.
 * And the default of what is read into another type, which zod leaves out: the caller sees it as it
 * is told.
 */
function override({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: Json }): void {
  const { def } = zodSchema._zod;
  if (def.type === 'default' && !('default' in jsonSchema)) jsonSchema.default = def.defaultValue;
  const told = z.globalRegistry.get(zodSchema)?.told;
  if (typeof told !== 'object' || told === null) return;
  for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
  Object.assign(jsonSchema, told);
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
