/**
 * Flags and environment of `troupe agent` -> settings. A flag wins over its variable, an empty
 * value counts as absent, all problems are reported at once.
 */

import { commaList } from '../lib/comma-list.ts';
import { readFlags } from '../lib/flags.ts';
import { asHostRules, HOST_RULES } from '../lib/host-policy.ts';
import type { LogLevel } from '../lib/log.ts';
import { nearest } from '../lib/suggest.ts';
import { AppIsolation, isFingerprint, LABELS_MAX, RUN_AS_MAX } from '../protocol/agent.ts';
import { AGENT_SETTINGS, type AgentSetting, DEFAULT_CENTER, JOB_DIRECTORIES_MB, KEEP_JOB_DIRECTORIES_DAYS } from './agent-settings.ts';
import { ConfigError, type ConfigProblem, noSuchFlag } from './center.ts';

export interface AgentConfig {
  /** WebSocket addresses, path included. */
  centers: string[];
  joinToken: string | undefined;
  /** Fingerprint of the installation's key that the agent accepts; undefined: the known one. */
  centerKey: string | undefined;
  name: string;
  /** Undefined: the one of its join token, else `default`. */
  pool: string | undefined;
  cpus: number;
  memoryMB: number;
  labels: Record<string, string>;
  dataDir: string;
  /**
   * Users of this host: the default user of jobs (undefined: the agent's own), and the users that
   * jobs may name.
   */
  runAs: string | undefined;
  runAsAllowed: string[];
  /** How apps of runs are kept apart. */
  appIsolation: AppIsolation | 'auto';
  /** undefined: any but link-local ones. */
  artifactHosts: string[] | undefined;
  /** Directories of jobs: bytes of all, and the age of an unused one. */
  jobDirectoriesMaxBytes: number;
  keepJobDirectoriesMs: number;
  log: { level: LogLevel; format: 'json' | 'pretty' };
}

/** Defaults from the machine. */
export interface HostDefaults {
  hostname: string;
  cpus: number;
  memoryMB: number;
}

const MB = 1024 ** 2;
const DAY_MS = 86_400_000;

const ISOLATIONS = ['auto', ...AppIsolation.options] as const;

/** Path of the agents' WebSocket at a center. */
const AGENTS_PATH = '/v1/agents';
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

type Variable = keyof typeof AGENT_SETTINGS;
const FLAGS = new Map(
  (Object.entries(AGENT_SETTINGS) as [Variable, AgentSetting][]).flatMap(([variable, { flag }]) =>
    flag ? [[flag, variable] as const] : [],
  ),
);

const SPECS = Object.fromEntries([...FLAGS.keys()].map(flag => [flag.slice(2), { takes: true }]));

/** Throws ConfigError with every problem. */
export function readAgentConfig(from: {
  args: readonly string[];
  env: Record<string, string | undefined>;
  host: HostDefaults;
}): AgentConfig {
  const { env, host } = from;
  const { flags, problems } = readVariables(from.args);

  const given = (variable: Variable): { text: string; values: string[]; named: string } | undefined => {
    const flag = flags.get(variable)?.filter(value => value !== '');
    if (flag && flag.length > 0) return { text: flag.at(-1) ?? '', values: flag, named: flagOf(variable) };
    const text = env[variable];
    return text ? { text, values: commaList(text), named: variable } : undefined;
  };
  const read = <T>(variable: Variable, fallback: T, parse: (text: string, values: string[]) => T | undefined, expected: string): T => {
    const found = given(variable);
    if (!found) return fallback;
    const value = parse(found.text, found.values);
    if (value === undefined) {
      const secret = variable === 'TROUPE_JOIN_TOKEN';
      problems.push({ variable: found.named, value: secret ? '***' : found.values.join(','), expected });
    }
    return value ?? fallback;
  };

  const logText = commaList(env.TROUPE_LOG?.replaceAll(' ', ',') ?? '');
  const config: AgentConfig = {
    centers: read(
      'TROUPE_CENTER',
      [addressOf(DEFAULT_CENTER) ?? ''],
      (_, values) => all(values.flatMap(commaList).map(addressOf)),
      'must be addresses such as ws://center:8899',
    ),
    joinToken: read(
      'TROUPE_JOIN_TOKEN',
      undefined,
      text => (/^\S{1,200}$/.test(text) ? text : undefined),
      'must be a join token: up to 200 characters, no spaces',
    ),
    centerKey: read(
      'TROUPE_CENTER_KEY',
      undefined,
      text => (isFingerprint(text) ? text : undefined),
      'must be the fingerprint that the center logs at its start: 43 letters, digits, "-" and "_"',
    ),
    name: read('TROUPE_NAME', nameFrom(host.hostname), asName, 'must be a name: letters, digits, ".", "_" and "-", at most 100'),
    pool: read('TROUPE_POOL', undefined, asName, 'must be a name: letters, digits, ".", "_" and "-", at most 100'),
    cpus: read('TROUPE_CPUS', host.cpus, text => asNumber(text, 0.001), 'must be a number of cpus, at least 0.001'),
    memoryMB: read('TROUPE_MEMORY', host.memoryMB, text => asNumber(text, 1), 'must be a number of megabytes, at least 1'),
    labels: read(
      'TROUPE_LABELS',
      {},
      (_, values) => asLabels(values),
      `must be key=value, the key up to 100 and the value up to 200 characters, and at most ${LABELS_MAX} of them`,
    ),
    dataDir: read('TROUPE_AGENT_DATA', './data/agent', text => text, ''),
    runAs: read('TROUPE_RUN_AS', undefined, asUser, USER_RULE),
    runAsAllowed: read(
      'TROUPE_RUN_AS_ALLOWED',
      [],
      (_, values) => (values.length <= RUN_AS_MAX ? all(values.map(asUser)) : undefined),
      `${USER_RULE}, at most ${RUN_AS_MAX} of them`,
    ),
    appIsolation: read(
      'TROUPE_APP_ISOLATION',
      'auto',
      text => ISOLATIONS.find(isolation => isolation === text),
      `must be one of ${ISOLATIONS.join(', ')}`,
    ),
    artifactHosts: read('TROUPE_ARTIFACT_HOSTS', undefined, (_, values) => asHostRules(values), HOST_RULES),
    jobDirectoriesMaxBytes:
      MB *
      read('TROUPE_JOB_DIRECTORIES_MAX_MB', JOB_DIRECTORIES_MB, text => asNumber(text, 1), 'must be a number of megabytes, at least 1'),
    keepJobDirectoriesMs:
      DAY_MS *
      read(
        'TROUPE_KEEP_JOB_DIRECTORIES_DAYS',
        KEEP_JOB_DIRECTORIES_DAYS,
        text => asNumber(text, 0.01),
        'must be a number of days, at least 0.01',
      ),
    log: {
      level: (['debug', 'info', 'warn', 'error'] as const).find(level => logText.includes(level)) ?? 'info',
      format: logText.includes('json') ? 'json' : 'pretty',
    },
  };
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** A flag that comes again adds a value. */
function readVariables(args: readonly string[]): { flags: Map<Variable, string[]>; problems: ConfigProblem[] } {
  const flags = new Map<Variable, string[]>();
  const problems: ConfigProblem[] = [];
  const unknown = (flag: string) => problems.push(noSuchFlag(flag, nearest(flag, FLAGS.keys())));
  const { tokens, rest } = readFlags(args, SPECS);
  for (const token of tokens) {
    if (token.kind === 'word') unknown(token.text);
    else if (token.kind === 'unknown') unknown(token.written);
    else {
      const variable = FLAGS.get(`--${token.name}`);
      if (token.kind === 'valueMissing' || token.value === undefined)
        problems.push({ variable: `--${token.name}`, value: undefined, expected: 'needs a value' });
      else if (variable !== undefined) flags.set(variable, [...(flags.get(variable) ?? []), token.value]);
    }
  }
  if (rest !== undefined) unknown('--');
  return { flags, problems };
}

const flagOf = (variable: Variable): string => AGENT_SETTINGS[variable].flag ?? variable;

function addressOf(center: string): string | undefined {
  if (!URL.canParse(center)) return undefined;
  const url = new URL(center);
  if (!/^(ws|http)s?:$/.test(url.protocol) || url.hostname === '') return undefined;
  const path = url.pathname.replace(/\/+$/, '');
  return `${url.protocol.replace('http', 'ws')}//${url.host}${path.endsWith(AGENTS_PATH) ? path : path + AGENTS_PATH}`;
}

const all = <T>(values: (T | undefined)[]): T[] | undefined => {
  const there = values.filter(value => value !== undefined);
  return there.length === values.length && there.length > 0 ? there : undefined;
};

const USER_RULE = 'must be a user of this host: letters, digits, "_", "." and "-"';
const asUser = (text: string): string | undefined => (/^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/.test(text) ? text : undefined);

const asName = (text: string): string | undefined => (NAME.test(text) ? text : undefined);

/** A hostname may have what a name may not. */
const nameFrom = (hostname: string): string => asName(hostname.replace(/[^A-Za-z0-9._-]/g, '-').slice(0, 100)) ?? 'host';

function asNumber(text: string, least: number): number | undefined {
  const number = Number(text);
  return Number.isFinite(number) && number >= least ? number : undefined;
}

function asLabels(values: string[]): Record<string, string> | undefined {
  const labels: Record<string, string> = {};
  for (const pair of values) {
    const cut = pair.indexOf('=');
    const [key, value] = [pair.slice(0, cut).trim(), pair.slice(cut + 1).trim()];
    if (cut < 1 || key.length > 100 || value.length > 200) return undefined;
    labels[key] = value;
  }
  return Object.keys(labels).length > LABELS_MAX ? undefined : labels;
}
