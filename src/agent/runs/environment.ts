/** The environment of a process: a few variables of the host, those of the job, its directories. */

/**
 * Variables of the host that a run inherits, and `LC_…`. Others of the agent may hold secrets.
 */
const INHERITED = new Set(['PATH', 'HOME', 'LANG', 'LANGUAGE', 'TZ', 'TMPDIR', 'USER', 'LOGNAME', 'SHELL', 'JAVA_HOME']);

/** For an agent that was started without a PATH. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The inherited variables, the same for all runs. */
export function inheritedEnvironment(host: Record<string, string | undefined>): Record<string, string> {
  const env: Record<string, string> = { PATH: DEFAULT_PATH };
  for (const [name, value] of Object.entries(host)) {
    if (value !== undefined && (INHERITED.has(name) || name.startsWith('LC_'))) env[name] = value;
  }
  return env;
}

/**
 * The whole environment of a run. The job's `env` overrides the host's; directories override both.
 */
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
