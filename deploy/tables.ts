/**
 * `bun run docs`: writes the tables of settings and policies into the pages, between their markers
 * `<!-- table: NAME -->` and `<!-- end of table -->`. Idempotent.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { disconnectMsOf, overlapLimitOf } from '../src/api/commands/job-defaults.ts';
import { AGENT_SETTINGS, type AgentSetting } from '../src/config/agent-settings.ts';
import { variablesOf } from '../src/config/center.ts';
import { duration } from '../src/lib/durations.ts';
import { JobFields } from '../src/protocol/rest/job.ts';

interface Field {
  type?: string;
  default?: unknown;
  description?: string;
  enum?: string[];
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  anyOf?: Field[];
  properties?: Record<string, Field>;
  required?: string[];
  /** Metadata of a variable of the center. */
  values?: string;
  absent?: string;
}

const shapeOf = (schema: z.ZodType): Field => z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Field;

const code = (text: string): string => `\`${text}\``;

/** Columns as wide as their widest cell. */
function table(head: string[], rows: string[][]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map(row => (row[column] ?? '').length)));
  const line = (row: string[]) => `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`;
  return [line(head), line(widths.map(width => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

function centerTable(isHere: (variable: string) => boolean): string {
  const rows = Object.entries(shapeOf(variablesOf({ cores: 1, timeZone: 'UTC' })).properties ?? {})
    .filter(([variable]) => isHere(variable))
    .map(([variable, { default: given, absent, values = '', description = '' }]) => [
      code(variable),
      absent ?? (given === undefined ? 'none' : code(String(given))),
      values,
      description,
    ]);
  return table(['variable', 'default', 'values', 'meaning'], rows);
}

function agentTable(): string {
  const rows = Object.entries(AGENT_SETTINGS).map(([variable, setting]: [string, AgentSetting]) => [
    code(variable),
    setting.flag === null ? '' : code(`${setting.flag} ${setting.takes}`),
    setting.absent ?? 'none',
    setting.description + (setting.isList ? '; flag repeatable, variable with commas' : ''),
  ]);
  return table(['variable', 'flag', 'default', 'meaning'], rows);
}

/** Defaults that hang on another field or on the center. */
const DEPENDENT: Record<string, string> = {
  pool: 'pool `TROUPE_POOL`',
  timeZone: "the pool's, else `TROUPE_TIME_ZONE`",
  overlapLimit: `\`${overlapLimitOf('skip')}\`; \`${overlapLimitOf('allow')}\` with \`allow\``,
  disconnectMs: `\`${disconnectMsOf('continue')}\`; \`${disconnectMsOf('stop')}\` with \`stop\``,
};

function valuesOf({ type, enum: choices, minimum, maximum = 0, maxLength, anyOf }: Field, isSpan = false): string {
  if (choices) return choices.map(code).join(', ');
  if (anyOf) return anyOf.map(field => valuesOf(field)).join(' or ');
  if (type === 'boolean') return '`true`, `false`';
  if (minimum !== undefined) return `${minimum} to ${maximum}${isSpan ? ` (${duration(maximum)})` : ''}`;
  if (type === 'string') return maxLength === undefined ? 'a name' : `text, at most ${maxLength} characters`;
  return type === 'array' ? 'a list' : type === 'null' ? '`null`' : 'an object';
}

function jobRows({ properties = {}, required = [] }: Field, before = ''): string[][] {
  return Object.entries(properties).flatMap(([name, field]) => {
    if (field.properties) return jobRows(field, `${before}${name}.`);
    const path = before + name;
    const given = field.default === undefined ? (required.includes(name) ? 'required' : 'none') : code(JSON.stringify(field.default));
    return [[code(path), DEPENDENT[path] ?? given, valuesOf(field, path.endsWith('Ms')), field.description ?? '']];
  });
}

function jobTable(): string {
  return table(['field', 'default', 'values', 'meaning'], jobRows(shapeOf(JobFields)));
}

const isOf = (prefix: string) => (variable: string) => variable.startsWith(prefix);
const TABLES: Record<string, () => string> = {
  center: () => centerTable(variable => !isOf('TROUPE_KEEP_')(variable) && !isOf('TROUPE_BACKUP_')(variable)),
  keep: () => centerTable(isOf('TROUPE_KEEP_')),
  backup: () => centerTable(isOf('TROUPE_BACKUP_')),
  agent: agentTable,
  job: jobTable,
};

const MARKED = /(<!-- table: (\w+) -->\n)[\s\S]*?(<!-- end of table -->)/g;

/** Names of all tables, and of those in a page. */
export const TABLE_NAMES = Object.keys(TABLES);
export const tablesIn = (page: string): string[] => [...page.matchAll(MARKED)].map(([, , name = '']) => name);

/** The page with its tables as the schemas have them. Throws for a table that nobody makes. */
export const withTables = (page: string): string =>
  page.replace(MARKED, (_, begin: string, name: string, end: string) => {
    const made = TABLES[name]?.();
    if (made === undefined) throw new Error(`there is no table "${name}"; there are ${TABLE_NAMES.join(', ')}`);
    return `${begin}\n${made}\n\n${end}`;
  });

/** The operator's pages, by path. */
export const PAGES: readonly string[] = readdirSync(import.meta.dirname)
  .filter(name => name.endsWith('.md'))
  .map(name => join(import.meta.dirname, name));

if (import.meta.main) {
  for (const path of PAGES) {
    const before = readFileSync(path, 'utf8');
    const after = withTables(before);
    if (after !== before) writeFileSync(path, after);
  }
}
