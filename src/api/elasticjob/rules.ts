/** The rules of `/api`: errors of `/v1` but for the 401 that clients of ElasticJob know. */
import { z } from 'zod';
import { nativeErrors } from '../../http/errors.ts';
import { NATIVE_HEADERS, type SurfaceRules } from '../../http/surface.ts';
import { field, once } from '../../protocol/rest/fields.ts';

/** The body of 401, as ElasticJob's clients know it. */
const Unauthorized = once(() =>
  z.object({ message: field(z.literal('Unauthorized.'), 'always this word', { example: 'Unauthorized.' }) }).meta({ id: 'Unauthorized' }),
);

export const elasticjobRules: SurfaceRules = {
  prefix: '/api',
  errors: {
    body: failure => (failure.status === 401 ? { message: 'Unauthorized.' } : nativeErrors.body(failure)),
    schema: status => (status === 401 ? Unauthorized() : nativeErrors.schema(status)),
  },
  lenient: true,
  corsHeaders: NATIVE_HEADERS,
};
