/**
 * Durations as people write them: `90s`, `5m`, `1h30m`. The API and the environment use
 * milliseconds and have the unit in the name.
 */

/** Largest first, each with its milliseconds. */
export const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const;
const NUMBER = String.raw`\d+(?:\.\d+)?`;
/** Each unit at most once, the largest first: `1h1h` and `5s1h` are slips. */
const DURATION = new RegExp(`^(?=.)${UNITS.map(([name]) => `(?:${NUMBER}${name}(?!s))?`).join('')}$`);

/**
 * `90s`, `5m`, `1h30m`, `500ms`, `0` -> milliseconds, whole. undefined: no duration, as a number
 * without a unit is none, and one above 0 that would round to 0, which means no limit.
 */
export function readDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!DURATION.test(text)) return undefined;
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/([\d.]+)(ms|[smhd])/g))
    ms += Number(count) * (UNITS.find(([name]) => name === unit)?.[1] ?? 0);
  const whole = Math.round(ms);
  return whole === 0 && ms > 0 ? undefined : whole;
}

/** Exact, and in a form that every flag takes: `90s`, `1h30m`, `500ms`. */
export function duration(ms: number): string {
  if (ms === 0) return '0s';
  // Up to two minutes people count seconds.
  if (ms % 1_000 === 0 && ms < 120_000 && ms % 60_000 !== 0) return `${ms / 1_000}s`;
  let left = ms;
  let text = '';
  for (const [name, size] of UNITS) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) text += `${count}${name}`;
  }
  return text;
}
