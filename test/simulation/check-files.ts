/**
 * Nothing runs without its files: a process of a job with a directory works there, the directory is
 * whole, and its content is the one with which the execution began, one that its job had.
 */
import type { RunConfig } from '../../actors/execution/types.ts';
import type { HostDirectories } from './job-files.ts';
import { pathOf } from './job-files.ts';
import type { Process } from './processes.ts';
import type { SimulatedSystem } from './system.ts';
import { stateOf, type Truth } from './truth.ts';

/** Call it before a process starts. */
export function createFileCheck(system: SimulatedSystem, truth: Truth, directories: (host: string) => HostDirectories | undefined) {
  /** Execution -> where its first process worked. */
  const first = new Map<string, string>();

  return ({ run, job, host, cwd }: Process): void => {
    const execution = run.split(':').slice(0, -2).join(':');
    const config = stateOf(truth, `execution/${execution}`)?.context.config as RunConfig | undefined;
    if (!config) return;
    const { directory } = config;
    if (!directory) {
      if (cwd.startsWith('/jobs/')) system.fail('files', `${run} starts in ${cwd}, and its job has no directory`);
      return;
    }
    const path = pathOf(directory);
    if (cwd !== path) return system.fail('files', `${run} starts on ${host} in ${cwd}, not in ${path}`);
    if (!directories(host)?.isWhole(path)) system.fail('files', `${run} starts on ${host} in ${path}, which is not whole`);
    const before = first.get(execution) ?? path;
    first.set(execution, before);
    if (before !== path) system.fail('files', `${run} starts in ${path}, and its execution began in ${before}`);
    const had = [...truth.configsOf(`job/${job}`).values()].map(({ file }) => file?.sha256 ?? null);
    if (!had.includes(directory.file?.sha256 ?? null)) system.fail('files', `${run} starts with a content that its job never had`);
  };
}
