/** Schemas of secrets: an error names the field and never repeats its value. */
import { z } from 'zod';

const SECRET = z.registry<{ isSecret: true }>();

/** The same schema, marked as secret with everything in it; also once it is described. */
export function secret<S extends z.ZodType>(schema: S): S {
  SECRET.add(schema, { isSecret: true });
  return schema;
}

/** A described schema is a copy; the registry has its original. */
export const isSecret = (schema: unknown): boolean => schema instanceof z.ZodType && SECRET.get(schema) !== undefined;
