/** Log lines, one sentence each, for people or as JSON. Programs read facts instead. */
import type { Clock } from './clock.ts';
import { visible, visibleJson } from './visible.ts';

export interface Log {
  /** For events that occur many times a second. */
  debug(sentence: string, fields?: Record<string, unknown>): void;
  info(sentence: string, fields?: Record<string, unknown>): void;
  warn(sentence: string, fields?: Record<string, unknown>): void;
  error(sentence: string, fields?: Record<string, unknown>): void;
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LEVELS)[number];

/** Writes no line below `level`. Writes an Error among the fields as its stack. */
export function createLog(
  clock: Clock,
  { level: least, format }: { level: LogLevel; format: 'json' | 'pretty' },
  write: (line: string) => void,
): Log {
  const writerOf = (level: LogLevel) => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(least)) return () => {};
    return (sentence: string, fields: Record<string, unknown> = {}) => {
      const at = new Date(clock.now()).toISOString();
      const shown = Object.entries(fields)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, value instanceof Error ? (value.stack ?? value.message) : value] as const);
      if (format === 'json') write(`${jsonOf({ at, level, message: sentence, ...Object.fromEntries(shown) })}\n`);
      else write(`${at} ${level.padEnd(5)} ${visible(sentence)}${shown.map(pair).join('')}\n`);
    };
  };
  return { debug: writerOf('debug'), info: writerOf('info'), warn: writerOf('warn'), error: writerOf('error') };
}

/** Fields may quote untrusted text: no control sequence reaches a file or a terminal. */
const jsonOf = (value: unknown): string => visibleJson(JSON.stringify(value) ?? 'null');

/** Quoted as JSON where a space or a line break would tear the line. */
const pair = ([name, value]: readonly [string, unknown]): string =>
  ` ${name}=${typeof value === 'string' && /^[\w./:@~+-]+$/.test(value) ? value : jsonOf(value)}`;
