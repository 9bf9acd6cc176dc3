/** The error of a refused schedule: one sentence for people, and the field of the form. */
export class ScheduleError extends Error {
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.name = 'ScheduleError';
    this.field = field;
  }
}

/** The value for a message: quoted, at most 60 characters. */
export function quotedValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  // JSON would write Infinity, the value of a number that is too large, as null, and has no bigint.
  const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
