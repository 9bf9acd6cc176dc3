/** What an execution takes of its job: the fields that a run needs, as they are at its creation. */
import type { RunConfig } from '../execution/types.ts';
import type { JobConfig } from './types.ts';

/** Schedules, history of files, group and texts of dialects stay with the job. */
export function runConfigOf(config: JobConfig): RunConfig {
  const { id, app, file, keepDirectory } = config;
  return {
    name: config.name,
    pool: config.pool,
    ...(config.servers?.length && { servers: config.servers }),
    app,
    command: config.command,
    shell: config.shell,
    env: config.env,
    runAs: config.runAs,
    parameter: config.parameter,
    shards: config.shards,
    resources: config.resources,
    placement: config.placement,
    partial: config.partial,
    retry: config.retry,
    failover: config.failover,
    failoverLimit: config.failoverLimit,
    failoverOnFailure: config.failoverOnFailure,
    disconnect: config.disconnect,
    disconnectMs: config.disconnectMs,
    timeoutMs: config.timeoutMs,
    startWithinMs: config.startWithinMs,
    killGraceMs: config.killGraceMs,
    shardingContext: config.shardingContext,
    // An app brings its own directory.
    ...(app === null && (file || keepDirectory) && { directory: { job: id, file: file ? fileOf(file) : null } }),
  };
}

const fileOf = ({ name, sha256, size }: NonNullable<JobConfig['file']>) => ({ name, sha256, size });
