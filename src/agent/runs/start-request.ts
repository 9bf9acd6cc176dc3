/**
 * From the spec of a run to the keeper's start request: app, work directory, program, environment.
 */
import type { AppRules } from '../../lib/host-policy.ts';
import { keyOfRun, type ProcessSpec, type Run } from '../../protocol/agent.ts';
import type { StartRequest } from '../../protocol/keeper.ts';
import { HostFaultError } from '../host-fault.ts';
import type { AgentLimits } from '../limits.ts';
import type { Artifacts, CenterFiles, Programs, WorkDirs } from '../ports.ts';
import { identityOf, type RunUsers, userOf } from '../users.ts';
import { resolveArgv } from './command.ts';
import { runEnvironment } from './environment.ts';

export interface StartRequestParts {
  artifacts: Artifacts;
  workDirs: WorkDirs;
  programs: Programs;
  inherited: Record<string, string>;
  limits: AgentLimits;
  users: RunUsers;
  /** Where apps may come from, by the last welcome. */
  appRules(): AppRules;
  /** Where files of the center are; undefined while no session is up. */
  centerFiles(): CenterFiles | undefined;
}

/**
 * `note`: a sentence for the report of the end. Throws ArtifactError, CommandProblem, UserProblem,
 * HostFaultError, or the signal's reason.
 */
export async function buildStartRequest(
  parts: StartRequestParts,
  run: Run,
  spec: ProcessSpec,
  signal: AbortSignal,
): Promise<{ request: StartRequest; note: string | null }> {
  const { artifacts, workDirs, programs, inherited, limits } = parts;
  const key = keyOfRun(run);
  const user = userOf(parts.users, spec.runAs);
  const owner = user && { uid: user.uid, gid: user.gid };
  const app =
    spec.artifact &&
    (await artifacts.prepare(spec.artifact, {
      run: key,
      execution: run.execution,
      owner,
      rules: parts.appRules(),
      center: parts.centerFiles,
      signal,
    }));
  // Nothing runs without its files.
  if (spec.directory?.file) throw new Error(`this agent cannot fetch ${spec.directory.file.name}, the file of the job`);
  signal.throwIfAborted();
  const workDirectory = await workDirs.make(key, owner).catch((cause: unknown) => {
    // The agent chooses the path, so the run cannot be the cause.
    throw new HostFaultError('disk', `this host cannot make a work directory: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  });
  const env = runEnvironment({
    inherited: user ? { ...inherited, ...identityOf(user) } : inherited,
    spec: spec.env,
    appDirectory: app?.directory,
    workDirectory,
  });
  const argv = await resolveArgv(spec, app, env.PATH ?? '', programs);
  signal.throwIfAborted();
  return {
    note: app?.note ?? null,
    request: {
      run: key,
      argv,
      cwd: app?.directory ?? workDirectory,
      env,
      ...(user && { user: { uid: user.uid, gid: user.gid, groups: user.groups } }),
      timeoutMs: spec.timeoutMs,
      killGraceMs: spec.killGraceMs,
      headBytes: limits.outputHeadBytes,
      tailBytes: limits.outputTailBytes,
    },
  };
}
