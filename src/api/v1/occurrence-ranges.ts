/**
 * Expands entries of the ledger, each a range of due times under one verdict, into due times. The
 * schedules come from the entry; where it has none, from the job, if they yield exactly this range.
 * Otherwise the range itself is the result: from, to, count.
 */

import { VERDICTS } from '../../../actors/job/occurrence.ts';
import type { JobConfig } from '../../../actors/job/types.ts';
import { type CompiledSchedule, compileCached, countDues, isEnabled, nextDueOf } from '../../../actors/schedule/index.ts';
import type { Ledger, Occurrence, Verdict } from '../../store/port.ts';
import { toIso } from '../iso.ts';

type Rule = Pick<JobConfig, 'schedules' | 'timeZone'>;
export type LedgerEntry = Occurrence;

/**
 * Several schedules are checked against an entry due time by due time; an entry with more of them
 * stays a range.
 */
const WALK_MAX = 20_000;

interface OccurrenceItem {
  dueAt: string;
  /** Of a range alone: its last due time, and the number of due times. */
  until?: string;
  count?: number;
  verdict: Verdict;
  execution: string | null;
  reason: string | null;
  decidedAt: string;
}

/** A due time or range with its position in the ledger. */
export interface ListedDueTime {
  item: OccurrenceItem;
  entryFrom: number;
  dueAt: number;
}

/**
 * The compiled schedules that yield the due times of this entry; undefined when they are not known.
 */
function rulesOf(entry: LedgerEntry, today: Rule | undefined): CompiledSchedule[] | undefined {
  const rule = entry.rule ?? today;
  if (!rule) return undefined;
  const rules = rule.schedules.filter(isEnabled).map(schedule => compileCached(schedule, rule.timeZone));
  if (rules.length > 1 && entry.count > WALK_MAX) return entry.rule ? rules : undefined;
  const found = countDues(rules, entry.from - 1, entry.to, entry.count + 1);
  return found.count === entry.count && found.first === entry.from && found.last === entry.to ? rules : undefined;
}

/** The due times of an entry within from..to (inclusive) in this order, or its whole range. */
function* expand(
  entry: LedgerEntry,
  today: Rule | undefined,
  from: number,
  to: number,
  order: 'oldest' | 'newest',
): Generator<ListedDueTime> {
  const { verdict, execution, reason } = entry;
  const isOldest = order === 'oldest';
  const at = (dueAt: number): ListedDueTime => ({
    item: { dueAt: toIso(dueAt), verdict, execution, reason, decidedAt: toIso(entry.decidedAt) },
    entryFrom: entry.from,
    dueAt,
  });
  const inOrder = (dues: number[]) => (isOldest ? dues : dues.reverse()).map(at);
  if (entry.count <= 2) return yield* inOrder([...new Set([entry.from, entry.to])].filter(dueAt => dueAt >= from && dueAt <= to));
  const [first, last] = [Math.max(from, entry.from), Math.min(to, entry.to)];
  if (first > last) return;
  const rules = rulesOf(entry, today);
  if (!rules) {
    // The next page continues behind its end, in the other order before its beginning.
    const { item } = at(entry.from);
    yield { ...at(isOldest ? entry.to : entry.from), item: { ...item, until: toIso(entry.to), count: entry.count } };
    return;
  }
  // Schedules only go forwards: newest first is computed in windows of about PAGE due times.
  const windowMs = Math.max(1, Math.ceil(((entry.to - entry.from) / entry.count) * PAGE));
  if (isOldest) for (const due of duesOf(rules, first, last)) yield at(due);
  else for (let end = last; end >= first; end -= windowMs) yield* inOrder([...duesOf(rules, Math.max(first, end - windowMs + 1), end)]);
}

function* duesOf(rules: CompiledSchedule[], from: number, to: number): Generator<number> {
  for (let due = nextDueOf(rules, from - 1); due !== undefined && due <= to; due = nextDueOf(rules, due)) yield due;
}

const PAGE = 100;

/**
 * Due times of a job with their verdicts, from `after`, the end of the previous page. Default
 * order: oldest first.
 */
export async function* occurrencesOf(
  ledger: Pick<Ledger, 'occurrences'>,
  query: {
    job: string;
    from?: number;
    to?: number;
    verdict?: Verdict;
    order?: 'oldest' | 'newest';
    after?: { entryFrom: number; dueAt: number };
  },
  today: Rule | undefined,
  /** Called with each entry that the store cannot read. */
  damaged: (entry: LedgerEntry) => void = () => {},
): AsyncGenerator<ListedDueTime> {
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY, order = 'oldest', after, ...wanted } = query;
  const isOldest = order === 'oldest';
  const range = { ...(query.from === undefined ? {} : { from }), ...(query.to === undefined ? {} : { to }) };
  // The last entry of the previous page is read again.
  let behind = after && after.entryFrom + (isOldest ? -1 : 1);
  for (;;) {
    const entries: LedgerEntry[] = await ledger.occurrences({
      ...wanted,
      ...range,
      order,
      limit: PAGE,
      ...(behind === undefined ? {} : { after: behind }),
    });
    for (const entry of entries) {
      if (entry.damage !== undefined) {
        damaged(entry);
        continue;
      }
      const begun = after && entry.from === after.entryFrom ? after.dueAt : undefined;
      const least = isOldest && begun !== undefined ? Math.max(from, begun + 1) : from;
      const most = isOldest || begun === undefined ? to : Math.min(to, begun - 1);
      yield* expand(entry, today, least, most, order);
    }
    const last = entries.at(-1);
    if (!last || entries.length < PAGE) return;
    behind = last.from;
  }
}

/**
 * Counts due times per verdict within from..to. Of an entry across a border only the known due
 * times inside count.
 */
export async function countVerdicts(
  ledger: Pick<Ledger, 'occurrences' | 'summary'>,
  query: { job: string; from?: number; to?: number },
  today: Rule | undefined,
): Promise<Record<Verdict, number>> {
  const counts = Object.fromEntries(VERDICTS.map(verdict => [verdict, 0])) as Record<Verdict, number>;
  Object.assign(counts, await ledger.summary(query));
  const { job, from, to } = query;
  const lessOutside = async (edge: number | undefined, outside: (entry: LedgerEntry) => [after: number, until: number]) => {
    if (edge === undefined) return;
    for (const entry of await ledger.occurrences({ job, from: edge, to: edge, limit: PAGE })) {
      const [after, until] = outside(entry);
      if (entry.damage !== undefined || entry.count === 1 || until <= after) continue;
      const rules = entry.count === 2 ? undefined : rulesOf(entry, today);
      const ends = [entry.from, entry.to].filter(due => due > after && due <= until).length;
      counts[entry.verdict] -= rules ? countDues(rules, after, until).count : entry.count === 2 ? ends : 0;
    }
  };
  await lessOutside(from, entry => [entry.from - 1, (from ?? 0) - 1]);
  await lessOutside(to, entry => [to ?? 0, entry.to]);
  return counts;
}
