/** Instants, spans, commands and states as text for people. */
import { UNITS } from '../lib/durations.ts';

const two = (value: number): string => String(value).padStart(2, '0');

export type Precision = 's' | 'ms';
const ISO = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\b/g;

/** Instants in the reader's zone, or in UTC on request, always with the offset. */
export interface Times {
  utc: boolean;
  /**
   * `2026-11-22 09:00:00+01:00`; with milliseconds on request. '' for no instant; any other text is
   * returned unchanged.
   */
  instant(iso: string | null | undefined, precision?: Precision): string;
  /** The same without the day: `09:00:00.000+01:00`. */
  timeOfDay(iso: string, precision?: Precision): string;
  /** A sentence of the center with its instants in this form. */
  localised(sentence: string): string;
}

export function createTimes(utc: boolean): Times {
  const parts = (iso: string, precision: Precision): [day: string, time: string] | undefined => {
    const at = Date.parse(iso);
    if (Number.isNaN(at)) return undefined;
    const minutes = utc ? 0 : -new Date(at).getTimezoneOffset();
    // Shifted by its offset, the fields in UTC are those of the zone.
    const shifted = new Date(at + minutes * 60_000).toISOString();
    const size = Math.abs(minutes);
    const offset = utc ? 'Z' : `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
    return [shifted.slice(0, 10), `${shifted.slice(11, precision === 's' ? 19 : 23)}${offset}`];
  };
  const instant: Times['instant'] = (iso, precision = 's') => (iso ? (parts(iso, precision)?.join(' ') ?? iso) : '');
  return {
    utc,
    instant,
    timeOfDay: (iso, precision = 's') => parts(iso, precision)?.[1] ?? iso,
    localised: sentence => sentence.replace(ISO, iso => instant(iso, precisionOf(iso))),
  };
}

/** Milliseconds are shown unless they are zero. */
export const precisionOf = (iso: string): Precision => (iso.endsWith('.000Z') ? 's' : 'ms');

/** A span in two units at most: `62ms`, `0.4s`, `42s`, `3m5s`, `2h10m`, `4d3h`. */
export function spanText(ms: number): string {
  if (ms > 0 && ms < 95) return `${Math.ceil(ms)}ms`;
  if (ms < 9_950) return `${(Math.max(0, ms) / 1000).toFixed(1)}s`;
  const rounded = Math.round(ms / 1000) * 1000;
  const first = UNITS.findIndex(([, size]) => rounded >= size);
  const [name, size] = UNITS[first] ?? ['s', 1_000];
  const whole = Math.floor(rounded / size);
  const [nextName, nextSize] = UNITS[first + 1] ?? ['', 0];
  const rest = nextSize >= 1_000 ? Math.floor((rounded - whole * size) / nextSize) : 0;
  return rest > 0 ? `${whole}${name}${rest}${nextName}` : `${whole}${name}`;
}

/** `3m5s ago`; `now` below a second, because clocks of two machines differ. */
export const ago = (ms: number): string => (ms < 1_000 ? 'now' : `${spanText(ms)} ago`);

/** Span between two instants; '' when one is absent. */
export const between = (from: string | null | undefined, to: string | null | undefined): string =>
  from && to ? spanText(Date.parse(to) - Date.parse(from)) : '';

/** A command as typed into a shell. */
export const commandLine = (command: string | readonly string[] | null | undefined): string =>
  typeof command === 'string'
    ? command
    : (command ?? []).map(word => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');

const PAINTS = { red: 31, green: 32, yellow: 33, cyan: 36, grey: 90 } as const;
type Paint = keyof typeof PAINTS;

const OF_STATE: Record<string, Paint> = {
  succeeded: 'green',
  ran: 'green',
  ready: 'green',
  enabled: 'green',
  open: 'green',
  failed: 'red',
  timedOut: 'red',
  lost: 'red',
  quarantined: 'red',
  refused: 'red',
  notStarted: 'red',
  waiting: 'yellow',
  unknown: 'yellow',
  running: 'cyan',
  starting: 'cyan',
  pending: 'yellow',
  cancelling: 'yellow',
  draining: 'yellow',
  suspect: 'yellow',
  missedDown: 'yellow',
  cancelled: 'grey',
  disabled: 'grey',
  retired: 'grey',
  idle: 'grey',
};

export interface Painter {
  state(shown: string): string;
  dim(shown: string): string;
}

/** Colours only where `on`; see `wantsColour`. */
export function createPainter(on: boolean): Painter {
  const paint = (shown: string, colour: Paint | undefined) => (on && colour ? `\u001b[${PAINTS[colour]}m${shown}\u001b[0m` : shown);
  return { state: shown => paint(shown, OF_STATE[/^\w*/.exec(shown.trim())?.[0] ?? '']), dim: shown => paint(shown, 'grey') };
}

/** Colours only on a terminal, and not with NO_COLOR (no-color.org) or a dumb one. */
export const wantsColour = (shell: { isTerminal: boolean; env: Record<string, string | undefined> }): boolean =>
  shell.isTerminal && !shell.env.NO_COLOR && shell.env.TERM !== 'dumb';
