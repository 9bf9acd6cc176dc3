/** Schemas of secrets: an error names the field and never repeats its value. */
import { z } from 'zod';

const SECRET = z.registry<Record<string, never>>();

/** The same schema, known to hold secrets, as everything in it does. */
export function secret<S extends z.ZodType>(schema: S): S {
  SECRET.add(schema, {});
  return schema;
}

export const isSecret = (schema: unknown): boolean => schema instanceof z.ZodType && SECRET.has(schema);
