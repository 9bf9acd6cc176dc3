/** Rows under headings, aligned by visible width. */
import { cutToWidth, singleLine, widthOf, wrapped } from './width.ts';

export interface Column<T> {
  head: string;
  /** '' for an empty cell. */
  cell(row: T): string;
  /** Aligned right, for numbers. */
  right?: boolean;
  /** Omitted where the terminal is too narrow: another column or verb has the value. */
  spare?: boolean;
  /** Colours a cell after it is cut; its width stays. */
  paint?(shown: string, row: T): string;
}

const GAP = '  ';
/**
 * Widths of the last column in a narrow terminal, characters: down to LAST_MIN before spare columns
 * are omitted, down to LAST_LEAST when none is left.
 */
const LAST_MIN = 12;
const LAST_LEAST = 4;

/**
 * Lines without line ends, and without blanks at the end. `columns`: width of the terminal,
 * infinite for none (then nothing is cut).
 */
export function tableOf<T>(rows: readonly T[], wanted: readonly Column<T>[], columns = Number.POSITIVE_INFINITY): string[] {
  const all = columnsFor(rows, wanted, columns);
  const texts = rows.map(row => all.map(column => singleLine(column.cell(row))));
  const widths = all.map((column, index) => Math.max(widthOf(column.head), ...texts.map(cells => widthOf(cells[index] ?? ''))));
  const last = all.length - 1;
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + GAP.length, 0);
  widths[last] = Math.min(widths[last] ?? 0, Math.max(LAST_LEAST, columns - before));

  const line = (cells: readonly string[], paint: (shown: string, index: number) => string): string =>
    all
      .map((column, index) => {
        const cut = cutToWidth(cells[index] ?? '', widths[index] ?? 0);
        const blanks = ' '.repeat((widths[index] ?? 0) - widthOf(cut));
        const painted = cut === '' ? '' : paint(cut, index);
        return column.right ? blanks + painted : painted + blanks;
      })
      .join(GAP)
      .trimEnd();

  return [
    line(
      all.map(column => column.head),
      head => head,
    ),
    ...rows.map((row, at) => line(texts[at] ?? [], (shown, index) => all[index]?.paint?.(shown, row) ?? shown)),
  ];
}

/** The columns that fit: spare ones are omitted from the right until the others do. */
function columnsFor<T>(rows: readonly T[], all: readonly Column<T>[], columns: number): readonly Column<T>[] {
  const index = all.findLastIndex(({ spare }) => spare);
  if (index < 0 || columns === Number.POSITIVE_INFINITY) return all;
  const widthIn = ({ head, cell }: Column<T>) => Math.max(widthOf(head), ...rows.map(row => widthOf(singleLine(cell(row)))));
  const needed = all.reduce((sum, column, at) => {
    const width = widthIn(column);
    return sum + (at === all.length - 1 ? Math.min(width, LAST_MIN) : width + GAP.length);
  }, 0);
  return needed <= columns ? all : columnsFor(rows, all.toSpliced(index, 1), columns);
}

/**
 * Least width of values beside their names, characters. With less, long values stand below their
 * names.
 */
const VALUE_MIN = 24;
const HANG = '    ';

/**
 * A name, its value, and the colour of the value. The colour is added last, because `singleLine`
 * would remove it.
 */
export type Pair = readonly [name: string, value: string | undefined, paint?: (shown: string) => string];

/**
 * Lines of `name value`. Pairs without a value are omitted. A value that exceeds `columns` goes on
 * below itself.
 */
export function recordOf(pairs: readonly Pair[], columns = Number.POSITIVE_INFINITY): string[] {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(0, ...shown.map(([name]) => widthOf(name)));
  const left = columns - width - GAP.length;
  return shown.flatMap(([name, value = '', paint = text => text]) => {
    if (left < VALUE_MIN) {
      const line = widthOf(name) + GAP.length + widthOf(singleLine(value)) <= columns;
      return line
        ? [`${name}${GAP}${paint(singleLine(value))}`]
        : [name, ...wrapped(singleLine(value), columns - HANG.length).map(text => HANG + paint(text))];
    }
    const [first = '', ...others] = wrapped(singleLine(value), left);
    const blanks = ' '.repeat(width - widthOf(name));
    return [`${name}${blanks}${GAP}${paint(first)}`, ...others.map(line => ' '.repeat(width + GAP.length) + line)];
  });
}
