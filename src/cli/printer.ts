/**
 * The output of a verb: JSON for programs, tables and sentences for people. A verb gives both
 * forms; the printer chooses.
 */
import { coloured, visibleJson } from '../lib/visible.ts';
import type { Shell } from './shell.ts';
import { type Column, type Pair, recordOf, tableOf } from './table.ts';
import { singleLine, wrapped } from './width.ts';
import { createPainter, createTimes, type Painter, type Times, wantsColour } from './words.ts';

export interface Printer extends Times {
  json: boolean;
  times: Times;
  paint: Painter;
  /** Lines for people, or `value` as JSON. */
  show(value: unknown, lines: () => readonly string[]): Promise<void>;
  /** One value of a stream: a line, or a line of JSON. */
  each(value: unknown, line: () => string): Promise<void>;
  table<T>(rows: readonly T[], columns: readonly Column<T>[]): string[];
  /**
   * A sentence without control characters, broken between words to the width of the terminal.
   * Further lines begin with `hang`.
   */
  prose(text: string, hang?: string): string[];
  record(pairs: readonly Pair[]): string[];
}

export function createPrinter(
  shell: Shell,
  { json = false, utc = false }: { json?: boolean | undefined; utc?: boolean | undefined },
): Printer {
  const times = createTimes(utc);
  const lines = (all: readonly string[]) => (all.length === 0 ? Promise.resolve() : shell.write(`${all.join('\n')}\n`));
  return {
    ...times,
    times,
    json,
    paint: createPainter(wantsColour(shell)),
    show: (value, human) => (json ? lines([visibleJson(JSON.stringify(value, null, 2))]) : lines(human().map(coloured))),
    each: (value, human) => lines([json ? visibleJson(JSON.stringify(value)) : coloured(human())]),
    table: (rows, columns) => tableOf(rows, columns, shell.columns),
    record: pairs => recordOf(pairs, shell.columns),
    prose: (text, hang) => wrapped(singleLine(text), shell.columns, hang),
  };
}
