/** What every bench hands back, and the little arithmetic they share. */

/**
 * How large: `quick` is for a trial on a busy machine. Its metrics are judged all the same and mean
 * little.
 */
export interface Size {
  quick: boolean;
  /** Minutes of a bench that watches for a while. Default: the bench's own. */
  minutes?: number;
}

/** One figure with its goal. */
export interface Judged {
  what: string;
  measured: number;
  goal: string;
  met: boolean;
}

export interface BenchResult {
  name: string;
  judged: Judged[];
  /** What else was seen: conditions, peers, ratios. */
  figures: Record<string, number | string>;
}

export const atMost = (what: string, measured: number, limit: number, unit: string): Judged => ({
  what: unit === '' ? what : `${what}, ${unit}`,
  measured,
  goal: `<= ${limit}`,
  met: measured <= limit,
});

export const atLeast = (what: string, measured: number, limit: number, unit: string): Judged => ({
  what: unit === '' ? what : `${what}, ${unit}`,
  measured,
  goal: `>= ${limit}`,
  met: measured >= limit,
});

/** For those who compare: nothing is asked of it. */
export const noGoal = (what: string, measured: number, unit: string): Judged => ({
  what: `${what}, ${unit}`,
  measured,
  goal: NONE,
  met: true,
});
const NONE = 'none';

/** 0 <= part <= 1. */
export function quantile(values: number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN, 3);
}

export const median = (values: number[]): number => quantile(values, 0.5);

export const rounded = (value: number, places = 0): number => Math.round(value * 10 ** places) / 10 ** places;

/** One line per figure that has a goal, the others below their bench. */
export function table(results: readonly (BenchResult | { name: string; failed: string })[]): string {
  const rows = results.flatMap(result =>
    'failed' in result
      ? [[result.name, 'it did not come to an end', '', '', 'FAILED']]
      : result.judged.map(({ what, measured, goal, met }) => [
          result.name,
          what,
          goal,
          String(measured),
          goal === NONE ? '' : met ? 'met' : 'missed',
        ]),
  );
  const all = [['bench', 'what', 'goal', 'measured', ''], ...rows];
  const widths = [0, 1, 2, 3, 4].map(column => Math.max(...all.map(row => row[column]?.length ?? 0)));
  return all
    .map(row =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
