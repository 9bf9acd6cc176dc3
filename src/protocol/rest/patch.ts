/** From the settings in requests to the fields of answers. */
import { z } from 'zod';

export const PatchBody = z.record(z.string(), z.unknown(), 'a JSON object with the fields to change');

/** A schema without its default: in an answer every field is there. */
type Bare<S> =
  S extends z.ZodDefault<infer I extends z.ZodType>
    ? Bare<I>
    : S extends z.ZodPrefault<infer I extends z.ZodType>
      ? Bare<I>
      : S extends z.ZodOptional<infer I extends z.ZodType>
        ? Bare<I>
        : S extends z.ZodObject<infer Shape>
          ? z.ZodObject<{ [K in keyof Shape]: Bare<Shape[K]> }>
          : S;

export type Answered<S extends z.ZodObject> = { [K in keyof S['shape']]: Bare<S['shape'][K]> };

/** The fields of an answer: those of the request, with their descriptions. */
export const answered = <S extends z.ZodObject>(settings: S): Answered<S> =>
  Object.fromEntries(Object.entries(settings.shape).map(([name, schema]) => [name, bare(schema as z.ZodType)])) as Answered<S>;

function bare(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional)
    return bare(schema.unwrap() as z.ZodType);
  if (schema instanceof z.ZodObject) return z.object(answered(schema)).meta({ ...schema.meta() });
  return schema;
}
