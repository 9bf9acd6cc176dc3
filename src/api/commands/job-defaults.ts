/** The configuration of a job from a request; defaults are those of `protocol/rest/job.ts`. */
import type { z } from 'zod';
import type { JobConfig } from '../../../actors/job/types.ts';
import { JobFields } from '../../protocol/rest/job.ts';

/** Default limit of waiting due times under `queue`, of open executions under `allow`. */
export const overlapLimitOf = (overlap: JobConfig['overlap']): number => (overlap === 'allow' ? 10 : 1);

/**
 * Default delay of `disconnect: stop`, ms: without one, a run would not stop. 0 for other policies.
 */
export const disconnectMsOf = (disconnect: JobConfig['disconnect']): number => (disconnect === 'stop' ? 60_000 : 0);

type Identity = Pick<JobConfig, 'id' | 'pool' | 'timeZone' | 'dialect' | 'file' | 'files'>;

type Body = z.output<typeof JobFields>;
/** A field without a counterpart in JobConfig does not compile. */
type NothingElse = Record<Exclude<keyof Body, keyof JobConfig | 'enabled'>, never>;

/** `identity`: fields that a body lacks or may omit. */
export function configOf(body: Body & NothingElse, identity: Identity): JobConfig {
  const { enabled: _, overlapLimit, disconnectMs, pool: _pool, timeZone: _zone, file: _file, files: _files, notify, ...rest } = body;
  const natural = {
    overlapLimit: overlapLimit ?? overlapLimitOf(rest.overlap),
    disconnectMs: disconnectMs ?? disconnectMsOf(rest.disconnect),
  };
  return { ...rest, ...identity, ...natural, ...(notify.succeed || notify.failed ? { notify } : {}) };
}

/** A job with its identity and defaults alone; dialects start from it. */
export const bareJob = ({ name, ...identity }: Omit<Identity, 'dialect'> & { name: string }): JobConfig =>
  configOf(JobFields.parse({ name }), { ...identity, dialect: {} });
