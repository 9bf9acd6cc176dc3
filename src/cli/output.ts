/**
 * Output of processes on the terminal: stdout to stdout, stderr to stderr, a heading for each
 * attempt, lines of two shards never mixed. With times or shards it is written by lines, else as it
 * arrives.
 */
import { coloured, createColouredText } from '../lib/visible.ts';
import type { OutputLine } from '../protocol/rest/execution.ts';
import type { Printer } from './printer.ts';
import type { Shell } from './shell.ts';

export type Piece = OutputLine;

export interface OutputFormat {
  /** Whether each line begins with its shard. */
  namesShards: boolean;
  timestamps?: boolean | undefined;
  /** Number of last lines of each shard; undefined: all. */
  tail?: number | undefined;
  /** Number of attempts by shard: with several, the first one has a heading, too. */
  attempts?: ReadonlyMap<number, number>;
}

export interface TerminalOutput {
  write(piece: Piece): Promise<void>;
  /** Writes the lines of `tail`; later lines are written as they arrive. */
  release(): Promise<void>;
  /** Writes all held lines, and lines without an end. */
  end(): Promise<void>;
}

interface Line {
  piece: Pick<Piece, 'item' | 'attempt' | 'stream' | 'at'>;
  text: string;
  end: '\n' | '';
}

export function createTerminalOutput({ shell, print }: { shell: Shell; print: Printer }, format: OutputFormat): TerminalOutput {
  const { namesShards, timestamps = false, tail, attempts = new Map() } = format;
  const isRaw = !namesShards && !timestamps && tail === undefined;
  const unfinished = new Map<string, Line>();
  /** Last lines by shard; undefined after `release`, or without `tail`. */
  let held: Map<number, Line[]> | undefined = tail === undefined ? undefined : new Map();
  const shownAttempt = new Map<number, number>();

  const heading = ({ item, attempt }: Pick<Piece, 'item' | 'attempt'>) => {
    if (shownAttempt.get(item) === attempt) return;
    shownAttempt.set(item, attempt);
    if (attempt > 1 || (attempts.get(item) ?? 1) > 1) shell.notify(`--- attempt ${attempt} of shard ${item} ---`);
  };
  const writeTo = (stream: Piece['stream'], text: string) => (stream === 'stderr' ? shell.writeError(text) : shell.write(text));
  const isSeen = (stream: Piece['stream']) => (stream === 'stderr' ? shell.isErrorTerminal : shell.isTerminal);
  /** One filter per stream. Files and pipes get unchanged bytes. */
  const onTerminal = { stdout: createColouredText(), stderr: createColouredText() };

  const show = async ({ piece, text, end }: Line): Promise<void> => {
    heading(piece);
    const front = [timestamps ? print.paint.dim(print.instant(piece.at, 'ms')) : '', namesShards ? print.paint.dim(`[${piece.item}]`) : ''];
    // A line with a front needs an end, although the process wrote none.
    const close = end === '' && !(timestamps || namesShards) ? '' : '\n';
    // A carriage return would overwrite the front of the line.
    const shown = isSeen(piece.stream) ? coloured(text.replace(/\r(?!$)/g, '\\r')) : text;
    await writeTo(piece.stream, [...front.filter(word => word !== ''), shown].join(' ') + close);
  };
  const take = async (line: Line): Promise<void> => {
    if (held === undefined) return show(line);
    const lines = held.get(line.piece.item) ?? [];
    held.set(line.piece.item, lines);
    lines.push(line);
    if (lines.length > (tail ?? 0)) lines.shift();
  };
  const release = async (): Promise<void> => {
    const lines = [...(held?.values() ?? [])].flat();
    held = undefined;
    for (const line of lines) await show(line);
  };
  /** Ends the open lines of earlier attempts: these write no more. */
  const closeEarlier = async ({ item, attempt }: Piece): Promise<void> => {
    for (const [key, line] of unfinished)
      if (line.piece.item === item && line.piece.attempt !== attempt) {
        unfinished.delete(key);
        await take({ ...line, end: '\n' });
      }
  };

  return {
    release,
    async write(piece) {
      if (print.json) return print.each(piece, () => '');
      if (isRaw) {
        heading(piece);
        const text = textOf(piece);
        return writeTo(piece.stream, isSeen(piece.stream) ? onTerminal[piece.stream].push(text) : text);
      }
      await closeEarlier(piece);
      const key = `${piece.item} ${piece.stream}`;
      const begun = unfinished.get(key);
      const lines = `${begun?.text ?? ''}${textOf(piece)}`.split('\n');
      const left = lines.pop() ?? '';
      let first = begun?.piece;
      for (const text of lines) {
        await take({ piece: first ?? piece, text, end: '\n' });
        first = undefined;
      }
      if (left === '') unfinished.delete(key);
      else unfinished.set(key, { piece: first ?? piece, text: left, end: '' });
    },
    async end() {
      for (const line of unfinished.values()) await take(line);
      unfinished.clear();
      await release();
      for (const stream of ['stdout', 'stderr'] as const) await writeTo(stream, onTerminal[stream].end());
    },
  };
}

const textOf = ({ text, leftOut, stream }: Piece): string =>
  leftOut === undefined ? text : `\n[${leftOut} bytes of ${stream} are left out here]\n`;
