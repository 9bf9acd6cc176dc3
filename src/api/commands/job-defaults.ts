/** The configuration of a job from a request; defaults are those of `protocol/rest/job.ts`. */
import type { z } from 'zod';
import type { JobConfig } from '../../../actors/job/types.ts';
import { JobFields } from '../../protocol/rest/job.ts';

/** Due times that may wait under `queue`, executions that may be open under `allow`. */
export const overlapLimitOf = (overlap: JobConfig['overlap']): number => (overlap === 'allow' ? 10 : 1);

/**
 * How long a run that shall stop without its center goes on without it, ms: `stop` alone must not
 * mean never.
 */
export const disconnectMsOf = (disconnect: JobConfig['disconnect']): number => (disconnect === 'stop' ? 60_000 : 0);

type Identity = Pick<JobConfig, 'id' | 'pool' | 'timeZone' | 'dialect'>;

type Body = z.output<typeof JobFields>;
/** Nothing may be set that the configuration has no type for: a call with more does not compile. */
type NothingElse = Record<Exclude<keyof Body, keyof JobConfig | 'enabled'>, never>;

/** `identity` is what a body does not say, or says only perhaps. */
export function configOf(body: Body & NothingElse, { id, pool, timeZone, dialect }: Identity): JobConfig {
  const { enabled: _, overlapLimit, disconnectMs, pool: _pool, timeZone: _zone, ...rest } = body;
  const natural = {
    overlapLimit: overlapLimit ?? overlapLimitOf(rest.overlap),
    disconnectMs: disconnectMs ?? disconnectMsOf(rest.disconnect),
  };
  return { ...rest, id, pool, timeZone, dialect, ...natural };
}

/** A job of which nothing is said but who it is; every dialect starts from here. */
export const bareJob = ({ name, ...identity }: Omit<Identity, 'dialect'> & { name: string }): JobConfig =>
  configOf(JobFields.parse({ name }), { ...identity, dialect: {} });
