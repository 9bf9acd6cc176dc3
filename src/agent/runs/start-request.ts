/**
 * From the spec of a run to the keeper's start request: app, work directory, program, environment.
 */
import type { AppRules } from '../../lib/host-policy.ts';
import { keyOfRun, type ProcessSpec, type Run } from '../../protocol/agent.ts';
import type { StartRequest } from '../../protocol/keeper.ts';
import { HostFaultError } from '../host-fault.ts';
import type { AgentLimits } from '../limits.ts';
import type { Artifacts, CenterFiles, JobDirectories, PreparedApp, Programs, WorkDirs } from '../ports.ts';
import { identityOf, type RunUsers, userOf } from '../users.ts';
import { type RunFiles, resolveArgv } from './command.ts';
import { runEnvironment } from './environment.ts';

export interface StartRequestParts {
  artifacts: Artifacts;
  jobDirectories: JobDirectories;
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
): Promise<{ request: StartRequest; note: string | null; directory: string | null }> {
  const { programs, inherited, limits } = parts;
  const key = keyOfRun(run);
  const user = userOf(parts.users, spec.runAs);
  const owner = user && { uid: user.uid, gid: user.gid };
  const place = await placeOf(parts, run, spec, { owner, signal });
  signal.throwIfAborted();
  const env = runEnvironment({
    inherited: user ? { ...inherited, ...identityOf(user) } : inherited,
    spec: spec.env,
    appDirectory: place.app?.directory,
    workDirectory: place.work,
  });
  const argv = await resolveArgv(spec, place.files, env.PATH ?? '', programs);
  signal.throwIfAborted();
  return {
    note: place.app?.note ?? null,
    directory: spec.directory ? place.work : null,
    request: {
      run: key,
      argv,
      cwd: place.files?.directory ?? place.work,
      env,
      ...(user && { user: { uid: user.uid, gid: user.gid, groups: user.groups } }),
      timeoutMs: spec.timeoutMs,
      killGraceMs: spec.killGraceMs,
      headBytes: limits.outputHeadBytes,
      tailBytes: limits.outputTailBytes,
    },
  };
}

interface Place {
  app: PreparedApp | undefined;
  /** Where programs of the run are looked up first, its working directory. Undefined: none. */
  files: RunFiles | undefined;
  /** `TROUPE_WORK_DIR`. */
  work: string;
}

/** The directories of a run: those of its app and of its own, or that of its job. */
async function placeOf(
  { artifacts, jobDirectories, workDirs, appRules, centerFiles }: StartRequestParts,
  run: Run,
  { artifact, directory }: ProcessSpec,
  { owner, signal }: { owner: { uid: number; gid: number } | undefined; signal: AbortSignal },
): Promise<Place> {
  const key = keyOfRun(run);
  const scope = { run: key, owner, center: centerFiles, signal };
  if (directory) {
    // Nothing runs without its files: a failure ends the run.
    const work = await jobDirectories.prepare(directory, scope);
    return { app: undefined, files: { directory: work, script: undefined, of: 'directory of the job' }, work };
  }
  const app = artifact && (await artifacts.prepare(artifact, { ...scope, execution: run.execution, rules: appRules() }));
  signal.throwIfAborted();
  const work = await workDirs.make(key, owner).catch((cause: unknown) => {
    // The agent chooses the path, so the run cannot be the cause.
    throw new HostFaultError('disk', `this host cannot make a work directory: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  });
  return { app, files: app && { ...app, of: 'app' }, work };
}
