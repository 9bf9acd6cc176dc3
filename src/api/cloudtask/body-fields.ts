/** Fields of logs and messages, as agents of the original write them. */
import { z } from 'zod';
import { TEXT_MAX } from '../../protocol/rest/fields.ts';

/** RFC 3339 as Go reads it, with up to nine digits of a second. */
const TIME = /^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
const timeRule = 'a time such as 2018-05-22T15:04:05.999999999+08:00; none: 0001-01-01T00:00:00Z';
/** Go's zero time, whatever its zone, is before this. */
const NO_TIME_BEFORE = Date.parse('0001-01-02T00:00:00Z');

/** Epoch ms; null: none. */
export const goTime = () =>
  z
    .string(timeRule)
    .refine(time => Number.isFinite(instantOf(time)), timeRule)
    .transform(time => (instantOf(time) < NO_TIME_BEFORE ? null : instantOf(time)))
    .meta({ written: { type: 'string', format: 'date-time' } })
    .default(null);

/** NaN: no time. */
function instantOf(time: string): number {
  if (!TIME.test(time)) return Number.NaN;
  const day = time.slice(0, 'YYYY-MM-DD'.length);
  // Date takes 30 February for a day of March.
  const isDay = new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day);
  return isDay ? Date.parse(time.replace(/(\.\d{3})\d+/, '$1')) : Number.NaN;
}

const INT64_MAX = 2n ** 63n - 1n;
const timestampRule = 'a whole number of 64 bits';

/** As decimal digits: nanoseconds exceed 2^53. */
export const timestamp = () =>
  z
    .union([z.int(timestampRule), z.bigint(timestampRule)], timestampRule)
    .refine(value => BigInt(value) >= -INT64_MAX - 1n && BigInt(value) <= INT64_MAX, timestampRule)
    .transform(String)
    .meta({ written: { type: 'integer', format: 'int64' } })
    .default('0');

/** A text, without one empty. */
export const shortText = (max = TEXT_MAX) => z.string('a text').max(max, `a text of at most ${max} characters`).default('');

const idRule = 'the id of a job, 1 to 100 characters';
/** In lower case. The job need not exist. */
export const anyJobId = () =>
  z
    .string(idRule)
    .trim()
    .min(1, idRule)
    .max(100, idRule)
    .transform(id => id.toLowerCase());
