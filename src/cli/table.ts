/** Rows under headings, aligned by what the eye sees. */
import { cutToWidth, singleLine, widthOf, wrapped } from './width.ts';

export interface Column<T> {
  head: string;
  /** Nothing to say: ''. */
  cell(row: T): string;
  /** Numbers stand to the right. */
  right?: boolean;
  /** Omitted where the terminal is too narrow: another column or verb has the value. */
  spare?: boolean;
  /** Colours a cell once it is cut; it keeps its width. */
  paint?(shown: string, row: T): string;
}

const GAP = '  ';
/**
 * The last column gives way to a narrow terminal: before spare ones are left out down to this, and
 * when none is left to a little.
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

/** The columns that there is room for: spare ones go from the right until the others fit. */
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
 * Values are not squeezed into less than this beside their names; where there is less, long ones
 * stand below them.
 */
const VALUE_MIN = 24;
const HANG = '    ';

/**
 * A name, its value, and how the value is coloured once it stands: a painted text would lose its
 * colour to `tame`.
 */
export type Pair = readonly [name: string, value: string | undefined, paint?: (shown: string) => string];

/**
 * `name value` one below the other; pairs without a value are left out, and values longer than
 * `columns` leaves go on below themselves.
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
