/** Instants, spans and states as people read them. */

const two = (value: number): string => String(value).padStart(2, '0');

/** `2026-11-22 09:00:00` in the zone of whoever reads it. Milliseconds only on request. */
export function instant(iso: string | null | undefined, precision: 's' | 'ms' = 's'): string {
  if (!iso) return '';
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return precision === 's' ? `${day} ${time}` : `${day} ${time}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

/** A sentence of the center with its instants in the zone of whoever reads it. */
export const localised = (sentence: string): string =>
  sentence.replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\b/g, iso => instant(iso, iso.endsWith('.000Z') ? 's' : 'ms'));

/** Two units at most: `62 ms`, `0.4 s`, `42 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`. */
export function span(ms: number): string {
  if (ms > 0 && ms < 95) return `${Math.ceil(ms)} ms`;
  if (ms < 9_950) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const units = [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'min'],
    [1, 's'],
  ] as const;
  const first = units.findIndex(([size]) => seconds >= size);
  const [size, name] = units[first] ?? [1, 's'];
  const whole = Math.floor(seconds / size);
  const [nextSize, nextName] = units[first + 1] ?? [0, ''];
  const rest = nextSize > 0 ? Math.floor((seconds - whole * size) / nextSize) : 0;
  return rest > 0 ? `${whole} ${name} ${rest} ${nextName}` : `${whole} ${name}`;
}

/** How long ago; clocks of two machines differ, so under a second is now. */
export const ago = (ms: number): string => (ms < 1_000 ? 'now' : `${span(ms)} ago`);

/** From one instant to another; '' when one of them has not come. */
export const between = (from: string | null | undefined, to: string | null | undefined): string =>
  from && to ? span(Date.parse(to) - Date.parse(from)) : '';

/** A command as one would type it. */
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

/** Colours only where somebody looks and nobody said no (no-color.org). */
export function createPainter(on: boolean): Painter {
  const paint = (shown: string, colour: Paint | undefined) => (on && colour ? `\u001b[${PAINTS[colour]}m${shown}\u001b[0m` : shown);
  return { state: shown => paint(shown, OF_STATE[shown.trim()]), dim: shown => paint(shown, 'grey') };
}

export const wantsColour = (shell: { isTerminal: boolean; env: Record<string, string | undefined> }): boolean =>
  shell.isTerminal && !shell.env.NO_COLOR && shell.env.TERM !== 'dumb';
