/** Rows under headings, aligned by what the eye sees. */
import { cutTo, tame, widthOf } from './width.ts';

export interface Column<T> {
  head: string;
  /** Nothing to say: ''. */
  cell(row: T): string;
  /** Numbers stand to the right. */
  right?: boolean;
  /** Colours a cell once it is cut; it keeps its width. */
  paint?(shown: string, row: T): string;
}

const GAP = '  ';
/** The last column gives way to a narrow terminal, down to this. */
const LAST_MIN = 12;

/** Lines without line ends, and without blanks at the end. `columns`: width of the terminal, infinite for none (then nothing is cut). */
export function tableOf<T>(rows: readonly T[], all: readonly Column<T>[], columns = Number.POSITIVE_INFINITY): string[] {
  const texts = rows.map(row => all.map(column => tame(column.cell(row))));
  const widths = all.map((column, place) => Math.max(widthOf(column.head), ...texts.map(cells => widthOf(cells[place] ?? ''))));
  const last = all.length - 1;
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + GAP.length, 0);
  widths[last] = Math.min(widths[last] ?? 0, Math.max(LAST_MIN, columns - before));

  const line = (cells: readonly string[], paint: (shown: string, place: number) => string): string =>
    all
      .map((column, place) => {
        const cut = cutTo(cells[place] ?? '', widths[place] ?? 0);
        const blanks = ' '.repeat((widths[place] ?? 0) - widthOf(cut));
        const painted = cut === '' ? '' : paint(cut, place);
        return column.right ? blanks + painted : painted + blanks;
      })
      .join(GAP)
      .trimEnd();

  return [
    line(
      all.map(column => column.head),
      head => head,
    ),
    ...rows.map((row, at) => line(texts[at] ?? [], (shown, place) => all[place]?.paint?.(shown, row) ?? shown)),
  ];
}

/** `name  value` one below the other; pairs without a value are left out. */
export function recordOf(pairs: readonly (readonly [string, string | undefined])[]): string[] {
  const told = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== undefined && pair[1] !== '');
  const width = Math.max(0, ...told.map(([name]) => widthOf(name)));
  return told.map(([name, value]) => `${name}${' '.repeat(width - widthOf(name))}${GAP}${tame(value)}`);
}
