/** What a verb shows: JSON for programs, tables and sentences for people. A verb says both and does not ask which is wanted. */
import type { Shell } from './shell.ts';
import { type Column, recordOf, tableOf } from './table.ts';
import { wrapped } from './width.ts';
import { createPainter, type Painter, wantsColour } from './words.ts';

export interface Printer {
  json: boolean;
  paint: Painter;
  /** Lines for people, or `value` as JSON. */
  show(value: unknown, lines: () => readonly string[]): Promise<void>;
  /** One value of many that come one after the other: a line, or a line of JSON. */
  each(value: unknown, line: () => string): Promise<void>;
  /** What was done, for people only: standard output stays empty for programs that asked for JSON. */
  done(sentence: string): Promise<void>;
  table<T>(rows: readonly T[], columns: readonly Column<T>[]): string[];
  /** A sentence, broken between words to the width of the terminal; what follows the first line begins with `hang`. */
  prose(text: string, hang?: string): string[];
  record(pairs: readonly (readonly [string, string | undefined])[]): string[];
}

export function createPrinter(shell: Shell, json: boolean): Printer {
  const lines = (all: readonly string[]) => (all.length === 0 ? Promise.resolve() : shell.write(`${all.join('\n')}\n`));
  return {
    json,
    paint: createPainter(wantsColour(shell)),
    show: (value, human) => (json ? lines([JSON.stringify(value, null, 2)]) : lines(human())),
    each: (value, human) => lines([json ? JSON.stringify(value) : human()]),
    done: sentence => (json ? Promise.resolve() : lines([sentence])),
    table: (rows, columns) => tableOf(rows, columns, shell.columns),
    record: pairs => recordOf(pairs, shell.columns),
    prose: (text, hang) => wrapped(text, shell.columns, hang),
  };
}
