/** The environment of a process: little of the host's, what the job says, where it is. */

/**
 * Names of the host's environment that a run inherits; `LC_…` beside them. Secrets of the agent's
 * own environment never reach a run.
 */
const INHERITED = new Set(['PATH', 'HOME', 'LANG', 'LANGUAGE', 'TZ', 'TMPDIR', 'USER', 'LOGNAME', 'SHELL', 'JAVA_HOME']);

/** When the agent itself was started without a PATH. */
const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What runs inherit of the host's environment: the same for all of them. */
export function inheritedEnvironment(host: Record<string, string | undefined>): Record<string, string> {
  const env: Record<string, string> = { PATH: USUAL_PATH };
  for (const [name, value] of Object.entries(host)) {
    if (value !== undefined && (INHERITED.has(name) || name.startsWith('LC_'))) env[name] = value;
  }
  return env;
}

/** The environment of a run. The job's `env` beats the host's; the two directories beat both. */
export function runEnvironment(from: {
  inherited: Record<string, string>;
  spec: Record<string, string>;
  appDirectory: string | undefined;
  workDirectory: string;
}): Record<string, string> {
  const env: Record<string, string> = { ...from.inherited, ...from.spec, TROUPE_WORK_DIR: from.workDirectory };
  if (from.appDirectory !== undefined) env.TROUPE_APP_DIR = from.appDirectory;
  return env;
}
