/** Every setting of an agent, declared once: its help text and the table in deploy/settings.md. */

export interface AgentSetting {
  /** null: a variable only. */
  flag: string | null;
  /** Placeholder of the value in the help. */
  takes: string;
  /** A flag may be repeated; a variable separates its values by commas. */
  isList?: true;
  /** Value that counts while nothing is set; null: none. */
  absent: string | null;
  description: string;
}

export const DEFAULT_CENTER = 'ws://127.0.0.1:8899';

export const JOB_DIRECTORIES_MB = 5_120;
export const KEEP_JOB_DIRECTORIES_DAYS = 30;

export const AGENT_SETTINGS = {
  TROUPE_CENTER: {
    flag: '--center',
    takes: 'URL',
    isList: true,
    absent: DEFAULT_CENTER,
    description: 'centers of one installation, by ws(s) or http(s)',
  },
  TROUPE_JOIN_TOKEN: { flag: '--token', takes: 'TOKEN', absent: null, description: 'join token, needed once' },
  TROUPE_CENTER_KEY: {
    flag: '--center-key',
    takes: 'KEY',
    absent: null,
    description: 'fingerprint of a new center key, after the loss of the old one',
  },
  TROUPE_NAME: { flag: '--name', takes: 'NAME', absent: 'its hostname', description: 'name of this host' },
  TROUPE_POOL: { flag: '--pool', takes: 'POOL', absent: 'of its token, or default', description: 'pool that the host joins, and stays in' },
  TROUPE_CPUS: { flag: '--cpus', takes: 'N', absent: 'all', description: 'cpus that it offers; fractions are allowed' },
  TROUPE_MEMORY: { flag: '--memory', takes: 'MB', absent: 'all', description: 'megabytes that it offers' },
  TROUPE_LABELS: { flag: '--label', takes: 'K=V', isList: true, absent: null, description: 'label of this host' },
  TROUPE_AGENT_DATA: {
    flag: '--data',
    takes: 'DIR',
    absent: './data/agent',
    description: 'directory of journal, key, apps and output',
  },
  TROUPE_RUN_AS: {
    flag: '--run-as',
    takes: 'USER',
    absent: 'its own user',
    description: 'user of jobs that name none; the agent must be root',
  },
  TROUPE_RUN_AS_ALLOWED: {
    flag: '--run-as-allowed',
    takes: 'USER',
    isList: true,
    absent: null,
    description: 'user that jobs may name',
  },
  TROUPE_APP_ISOLATION: {
    flag: '--app-isolation',
    takes: 'HOW',
    absent: 'auto',
    description: 'app directory of a run: overlay, clone, copy or verified',
  },
  TROUPE_ARTIFACT_HOSTS: {
    flag: null,
    takes: 'HOST',
    isList: true,
    absent: 'any but link-local',
    description: 'hosts that apps may come from, beside the rules of the center',
  },
  TROUPE_JOB_DIRECTORIES_MAX_MB: {
    flag: null,
    takes: 'MB',
    absent: String(JOB_DIRECTORIES_MB),
    description: 'megabytes of all directories of jobs; beyond, the least recently used ones leave',
  },
  TROUPE_KEEP_JOB_DIRECTORIES_DAYS: {
    flag: null,
    takes: 'DAYS',
    absent: String(KEEP_JOB_DIRECTORIES_DAYS),
    description: 'days for which an unused directory of a job stays',
  },
  TROUPE_LOG: { flag: null, takes: 'LEVEL,FORMAT', absent: 'info,pretty', description: 'debug, info, warn, error; json, pretty' },
} as const satisfies Record<string, AgentSetting>;

/** Column of the variables, and the longest flag that shares a line with its text. */
const TEXT_AT = 21;
const VARIABLE_AT = 84;

/** Lines of one setting: a flag that is too long has a line of its own. */
function usageOf(variable: string, { flag, takes, isList, absent, description }: AgentSetting): string {
  if (flag === null) return '';
  const head = `  ${flag} ${takes}`;
  const text = `${description}${isList ? '; repeatable' : ''}`;
  const first = head.length < TEXT_AT ? head.padEnd(TEXT_AT) : `${head}\n${' '.repeat(TEXT_AT)}`;
  const more = [isList ? ' (commas)' : '', absent === null ? '' : `, default ${absent}`];
  return `${first}${text.padEnd(VARIABLE_AT - TEXT_AT)}${variable}${more.join('')}\n`;
}

export const AGENT_USAGE = `troupe agent: runs this host's share of the jobs

${Object.entries(AGENT_SETTINGS)
  .map(([variable, setting]) => usageOf(variable, setting))
  .join('')}`;
