/**
 * What holds for every path of one API: its errors, how it reads paths and bodies, what browsers
 * may send. Nothing else asks which API a path belongs to.
 */
import type { z } from 'zod';
import type { BodyLimits } from '../protocol/rest/endpoint.ts';
import type { ErrorFormat } from './errors.ts';

export interface SurfaceRules {
  /** Its paths are this one and those below it: `/api`. Without a slash at the end. */
  prefix: string;
  errors: ErrorFormat;
  /**
   * Reads the body of a request as an input of `schema`; undefined for an empty one. Throws
   * Problem.
   * Default: JSON, and its media type says so.
   */
  readBody?: (request: Request, schema: z.ZodType, limits?: BodyLimits) => Promise<unknown>;
  /** Ignores unknown query parameters and unexpected bodies, as the original system does. */
  lenient?: true;
  /** `/a/` is another path than `/a`. Default: it is the same. */
  exactPaths?: true;
  /** Parameters of paths lose white space at both ends; a blank one is refused. */
  trimsParams?: true;
  /** Request headers that pages of the origins of TROUPE_CORS may send. */
  corsHeaders: readonly string[];
}

/** The surface of a path; of a path of none the first one. */
export function surfaceAt<S extends SurfaceRules>(surfaces: readonly [S, ...S[]], path: string): S {
  return surfaces.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`)) ?? surfaces[0];
}

/** Request headers of `/v1`. */
export const NATIVE_HEADERS = ['Content-Type', 'Authorization', 'accessToken', 'Idempotency-Key'] as const;
