/**
 * Converts a stored row to the record of the port. A failing disk or another program may put
 * anything into a column. A value that no store writes makes that one record damaged; the others
 * stay readable.
 *
 * A damaged record has plausible values instead of unreadable ones, and `damage` names them. In an
 * order by a number it comes last.
 */
import { VERDICTS } from '../../actors/job/occurrence.ts';
import type { ActorDocument, Credential, HistoryFact, Occurrence, OutputChunk, Verdict } from './port.ts';
import type { PostedLog } from './posted-log-port.ts';

/** A row whose columns have the names of the port and unchecked values. */
export type Raw<T> = { [K in keyof T]?: unknown };

/** Largest instant of a calendar, epoch ms. */
const CALENDAR_MAX = 8_640_000_000_000_000;
const LAST = Number.MAX_SAFE_INTEGER;
const FLAGS: readonly unknown[] = [true, false, 0, 1];
const LIVES: readonly unknown[] = ['live', 'done', 'tombstone'];

/** Due times of one entry: one per second for thirty thousand years. */
export const DUE_TIMES_MAX = 1_000_000_000_000;

/** Type of a fact whose row is damaged. */
export const DAMAGED_FACT = 'fact.damaged';

/**
 * Reads the columns of one row and collects the unreadable ones. A class, because lists read
 * hundreds of rows a page and would create closures for each.
 */
class RowReader {
  private readonly row: Record<string, unknown>;
  private wrong: string[] | undefined;

  constructor(raw: object) {
    this.row = raw as Record<string, unknown>;
  }

  private take<T>(name: string, value: unknown, isRight: boolean, instead: T): T {
    if (isRight) return value as T;
    this.wrong ??= [];
    this.wrong.push(name);
    return instead;
  }

  text(name: string, instead = ''): string {
    const value = this.row[name];
    return this.take(name, value, typeof value === 'string', instead);
  }

  textOrNull(name: string): string | null {
    const value = this.row[name] ?? null;
    return this.take(name, value, value === null || typeof value === 'string', null);
  }

  whole(name: string, instead = 0, min = 0, max = LAST): number {
    const value = this.row[name];
    return this.take(name, value, Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max, instead);
  }

  wholeOrNull(name: string): number | null {
    const value = this.row[name] ?? null;
    return this.take(name, value, value === null || Number.isSafeInteger(value), null);
  }

  instant(name: string, instead = 0): number {
    const value = this.row[name];
    return this.take(name, value, isInstant(value), instead);
  }

  one<T>(name: string, values: readonly unknown[], instead: T): T {
    const value = this.row[name];
    return this.take(name, value, values.includes(value), instead);
  }

  /** The value of a JSON text, or the value itself where the database stores JSON. */
  json<T>(name: string, isRight: (value: unknown) => boolean, instead: T): T {
    const value = parsed(this.row[name]);
    return this.take(name, value, isRight(value), instead);
  }

  /** A sentence that names the unreadable columns; undefined when there are none. */
  get damage(): string | undefined {
    if (this.wrong === undefined) return undefined;
    return `what is stored of it is damaged (${this.wrong.map(name => `"${name}"`).join(', ')})`;
  }
}

/** The record, with `damage` where it has any. */
function withDamage<T extends object>(record: T, { damage }: RowReader): T & { damage?: string } {
  return damage === undefined ? record : { ...record, damage };
}

export const isInstant = (value: unknown): value is number => Number.isInteger(value) && Math.abs(value as number) <= CALENDAR_MAX;

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
const areTexts = (value: unknown): boolean => Array.isArray(value) && value.every(each => typeof each === 'string');

function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

type ActorColumns = Omit<ActorDocument, 'index' | 'damage'> & ActorDocument['index'];

export function readableActor(raw: Raw<ActorColumns>): ActorDocument {
  const row = new RowReader(raw);
  const address = row.text('address');
  const document: ActorDocument = {
    address,
    kind: row.text('kind', address.slice(0, Math.max(0, address.indexOf('/')))),
    partition: row.whole('partition'),
    rev: row.whole('rev'),
    incarnation: row.whole('incarnation'),
    version: row.whole('version'),
    life: row.one('life', LIVES, 'live'),
    // Not every database returns `true` for `true`.
    quarantined: Boolean(row.one('quarantined', FLAGS, false)),
    writeId: row.text('writeId'),
    state: row.text('state'),
    pendingEffects: row.text('pendingEffects', '[]'),
    nextDue: row.wholeOrNull('nextDue'),
    index: {
      parent: row.textOrNull('parent'),
      pool: row.textOrNull('pool'),
      alias: row.textOrNull('alias'),
      group: row.textOrNull('group'),
      status: row.text('status'),
      outcome: row.textOrNull('outcome'),
      hosts: [...row.json<string[]>('hosts', areTexts, [])],
      at: row.instant('at'),
      endedAt: row.wholeOrNull('endedAt'),
    },
  };
  return withDamage(document, row);
}

export function readableFact(raw: Raw<HistoryFact>): HistoryFact {
  const row = new RowReader(raw);
  const fact: HistoryFact = {
    address: row.text('address'),
    rev: row.whole('rev', LAST),
    position: row.whole('position', LAST),
    at: row.instant('at'),
    type: row.text('type'),
    data: row.json('data', isObject, {}),
  };
  const { damage } = row;
  return damage === undefined ? fact : { ...fact, type: DAMAGED_FACT, data: { reason: damage } };
}

/** `rule` is stored as a JSON text, or null where the entry has none. */
export function readableOccurrence(raw: Raw<Occurrence>): Occurrence {
  const row = new RowReader(raw);
  const hasRule = (raw.rule ?? null) !== null;
  const entry: Occurrence = {
    job: row.text('job'),
    from: row.instant('from', LAST),
    to: row.instant('to', LAST),
    count: row.whole('count', 1, 1, DUE_TIMES_MAX),
    verdict: row.one<Verdict>('verdict', VERDICTS, 'refused'),
    execution: row.textOrNull('execution'),
    reason: row.textOrNull('reason'),
    decidedAt: row.instant('decidedAt'),
    ...(hasRule && { rule: row.json<NonNullable<Occurrence['rule']>>('rule', isRule, { schedules: [], timeZone: 'UTC' }) }),
  };
  return withDamage(entry, row);
}

const isRule = (value: unknown): boolean =>
  isObject(value) &&
  Array.isArray((value as Record<string, unknown>).schedules) &&
  typeof (value as Record<string, unknown>).timeZone === 'string';

/** `text` is stored as a JSON string. Bytes of an unreadable one count as left out. */
export function readableChunk(raw: Raw<OutputChunk>): OutputChunk {
  const row = new RowReader(raw);
  const chunk: OutputChunk = {
    execution: row.text('execution'),
    item: row.whole('item', LAST),
    attempt: row.whole('attempt', LAST),
    // A sequence below zero is a tally of left-out bytes.
    seq: row.whole('seq', LAST, Number.MIN_SAFE_INTEGER),
    at: row.instant('at'),
    stream: row.one('stream', ['stdout', 'stderr'], 'stdout'),
    text: row.json('text', value => typeof value === 'string', ''),
    bytes: row.whole('bytes'),
    leftOut: row.whole('leftOut'),
  };
  return row.damage === undefined ? chunk : { ...chunk, text: '', bytes: 0, leftOut: chunk.leftOut + chunk.bytes };
}

export function readableCredential(raw: Raw<Credential>): Credential {
  const row = new RowReader(raw);
  const record: Credential = {
    kind: row.text('kind'),
    id: row.text('id'),
    data: row.json('data', isObject, {}),
    expiresAt: row.wholeOrNull('expiresAt'),
    uses: row.wholeOrNull('uses'),
  };
  // A damaged record grants nothing.
  const { damage } = row;
  return damage === undefined ? record : { ...record, data: {}, expiresAt: 0, uses: 0, damage };
}

const DETAILS = ['msgid', 'location', 'group', 'event', 'command', 'workdir', 'address', 'error'] as const;
type PostedLogDetails = Pick<PostedLog, (typeof DETAILS)[number]>;
const NO_DETAILS = Object.fromEntries(DETAILS.map(name => [name, ''])) as PostedLogDetails;
const areDetails = (value: unknown): boolean =>
  isObject(value) && DETAILS.every(name => typeof (value as Record<string, unknown>)[name] === 'string');

/**
 * `details` is a JSON text. Each stream is in two JSON strings; a list reads the second ones alone.
 */
export function readablePostedLog(raw: Raw<PostedLog> & { details?: unknown; stdoutBefore?: unknown; stderrBefore?: unknown }): PostedLog {
  const row = new RowReader(raw);
  const textIn = (name: string) => row.json<string>(name, value => typeof value === 'string', '');
  const log: PostedLog = {
    job: row.text('job'),
    id: row.text('id'),
    at: row.instant('at'),
    receivedAt: row.instant('receivedAt'),
    stat: row.one('stat', [0, -1], 0),
    startedAt: row.wholeOrNull('startedAt'),
    durationMs: row.whole('durationMs'),
    ...row.json<PostedLogDetails>('details', areDetails, NO_DETAILS),
    stdout: (raw.stdoutBefore === undefined ? '' : textIn('stdoutBefore')) + textIn('stdout'),
    stderr: (raw.stderrBefore === undefined ? '' : textIn('stderrBefore')) + textIn('stderr'),
    stdoutBytes: row.whole('stdoutBytes'),
    stderrBytes: row.whole('stderrBytes'),
  };
  return withDamage(log, row);
}

/** Due times per verdict, from rows that a database has summed. */
export function sumOf(sums: Iterable<{ verdict: unknown; count: unknown }>): Partial<Record<Verdict, number>> {
  const counts: Partial<Record<Verdict, number>> = {};
  for (const { verdict, count } of sums) {
    const known = VERDICTS.find(each => each === verdict);
    if (known !== undefined && typeof count === 'number' && Number.isFinite(count)) counts[known] = (counts[known] ?? 0) + count;
  }
  return counts;
}
